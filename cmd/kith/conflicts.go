package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func (a *app) conflictsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "conflicts [FOLDER]",
		Short: "List the files that were changed on two devices at once",
		Long: "List the paths that were changed on two devices at once, with all their versions: the\n" +
			"one at the path, and the others in conflict copies beside it.",
		Example: "  kith conflicts\n  kith conflicts work --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			folder := ""
			if len(args) > 0 {
				folder = args[0]
			}
			found, err := c.Conflicts(ctx, folder)
			if err != nil {
				return err
			}
			v := map[string][]conflictView{"conflicts": views(found, viewConflict)}
			return a.show(v, func(w io.Writer) error { return a.conflictLines(w, found) })
		}),
		ValidArgsFunction: a.completeFolder,
	}
}

type conflictView struct {
	Folder    string        `json:"folder"`
	Label     string        `json:"label"`
	Path      string        `json:"path"`
	PathBytes []byte        `json:"path_bytes,omitempty"`
	Main      *versionView  `json:"main"`
	Copies    []versionView `json:"copies"`
}

type versionView struct {
	Path      string     `json:"path"`
	PathBytes []byte     `json:"path_bytes,omitempty"`
	Device    string     `json:"device"`
	Mine      bool       `json:"mine"`
	Type      string     `json:"type"`
	Size      int64      `json:"size"`
	Modified  *time.Time `json:"modified"`
}

func viewConflict(c control.Conflict) conflictView {
	v := conflictView{
		Folder: c.Folder.ID.String(), Label: c.Folder.Label, Path: c.Path, PathBytes: pathBytes(c.Path), Copies: views(c.Copies, viewVersion),
	}
	if c.Main.Path != "" {
		main := viewVersion(c.Main)
		v.Main = &main
	}
	return v
}

func viewVersion(v control.ConflictVersion) versionView {
	return versionView{v.Path, pathBytes(v.Path), v.Device, v.Mine, kindName(v.Kind), v.Size, viewTime(v.ModTime)}
}

func (a *app) conflictLines(w io.Writer, found []control.Conflict) error {
	if len(found) == 0 {
		return say(w, "No conflicts.\n")
	}
	var t table
	for _, c := range found {
		t.row(cell{text: shown(within(c.Folder, c.Path)), style: bold})
		if c.Main.Path == "" {
			t.row("  nothing", "", "", "", "is at the path")
		} else {
			t.row(versionRow(c.Main, "at the path")...)
		}
		for _, v := range c.Copies {
			t.row(versionRow(v, shown(v.Path))...)
		}
	}
	if err := t.write(w, terminal{colour: a.outTerminal.colour}); err != nil {
		return err
	}
	return say(w, "kith resolve PATH --keep mine|theirs|both|newest ends one, or --tool CMD.\n")
}

func versionRow(v control.ConflictVersion, where string) []any {
	by, length := "  "+v.Device, v.Kind.String()
	if v.Mine {
		by += " (mine)"
	}
	if v.Kind == entry.File {
		length = size(v.Size)
	}
	modified := ""
	if !v.ModTime.IsZero() {
		modified = clock(v.ModTime, now())
	}
	return []any{by, cell{text: length, right: true}, cell{text: modified, right: true}, where}
}
