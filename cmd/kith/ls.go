package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func (a *app) lsCommand() *cobra.Command {
	all, source := false, ""
	cmd := &cobra.Command{
		Use:   "ls [FOLDER[/PATH]]",
		Short: "List what exists, here or elsewhere",
		Long: "List what lies here of a folder, of a path, or of all folders; with --all, also what\n" +
			"only other devices hold. A path is said by FOLDER/PATH, or as it is on this machine.\n\n" +
			"  here       its content lies here\n" +
			"  coming     it is wanted here\n" +
			"  elsewhere  other devices hold it, and it was not chosen to lie here: kith get\n" +
			"  local      an edit that stays here, in a folder that this device only receives\n\n" +
			"With --at, list what was at a moment, as the histories of the folder have it.\n" + momentHelp + "\n\n" +
			"A name that a terminal cannot show is shown as a shell takes it; in JSON its bytes\n" +
			"are in path_bytes, in base64.",
		Example: "  kith ls Photos --all\n  kith ls Photos/2026 --json\n  kith ls Photos --at yesterday",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := pastMoment(cmd, "at")
			if err != nil {
				return err
			}
			past := cmd.Flags().Changed("at")
			if source != "" && !past {
				return usagef(cmd, "--from names whose history is asked, and goes with --at")
			}
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error {
				return a.ls(ctx, c, args, func(p control.Place, w io.Writer) error {
					if past {
						return c.ListAt(ctx, control.ListAtRequest{Place: p, Source: source, At: at}, a.lister(w))
					}
					return c.List(ctx, control.ListRequest{Place: p, All: all}, a.lister(w))
				})
			})(cmd, args)
		},
		ValidArgsFunction: a.completeFolderOrPath,
	}
	cmd.Flags().BoolVar(&all, "all", false, "also what lies elsewhere only")
	a.momentFlag(cmd, "at", "what was at `T`")
	a.fromFlag(cmd, &source, "from")
	return cmd
}

func (a *app) ls(ctx context.Context, c *control.Client, args []string, list func(control.Place, io.Writer) error) error {
	places, err := listedPlaces(ctx, c, args)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	for _, p := range places {
		if err = list(p, out); err != nil {
			break
		}
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	return err
}

// listedPlaces is the place that was named, or every folder that has a tree.
func listedPlaces(ctx context.Context, c *control.Client, args []string) ([]control.Place, error) {
	if len(args) > 0 {
		return placesOf(args)
	}
	s, err := c.Status(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []control.Place
	for _, f := range s.Folders {
		if f.Path != "" {
			out = append(out, control.Place{Text: f.ID.String()})
		}
	}
	return out, nil
}

type pathView struct {
	Folder    string              `json:"folder"`
	Label     string              `json:"label"`
	Path      string              `json:"path"`
	PathBytes []byte              `json:"path_bytes,omitempty"`
	Type      string              `json:"type"`
	Size      int64               `json:"size"`
	Modified  *time.Time          `json:"modified"`
	Where     control.Whereabouts `json:"where"`
	Pinned    bool                `json:"pinned"`
	Holders   []deviceView        `json:"holders"`
}

func viewPath(e control.PathEntry) pathView {
	return pathView{
		Folder: e.Folder.ID.String(), Label: e.Folder.Label, Path: e.Path, PathBytes: pathBytes(e.Path), Type: kindName(e.Kind),
		Size: e.Size, Modified: viewTime(e.ModTime), Where: e.Where, Pinned: e.Pinned, Holders: views(e.Holders, viewDevice),
	}
}

// lister shows entries as they come: there may be a million.
func (a *app) lister(w io.Writer) func(control.PathEntry) error {
	if !a.json {
		zone := now().Location()
		return func(e control.PathEntry) error { return listLine(w, e, zone) }
	}
	j := json.NewEncoder(w)
	j.SetEscapeHTML(false)
	return func(e control.PathEntry) error { return j.Encode(viewPath(e)) }
}

// listLine is one line in columns of fixed widths.
func listLine(w io.Writer, e control.PathEntry, zone *time.Location) error {
	length, modified := "", ""
	if e.Kind == entry.File {
		length = size(e.Size)
	}
	if !e.ModTime.IsZero() {
		modified = e.ModTime.In(zone).Format("2006-01-02 15:04")
	}
	name := within(e.Folder, e.Path)
	if e.Kind == entry.Directory {
		name += "/"
	}
	var remarks []string
	if e.Pinned {
		remarks = append(remarks, "pinned")
	}
	if len(e.Holders) > 0 {
		remarks = append(remarks, "on "+names(e.Holders))
	}
	remark := ""
	if len(remarks) > 0 {
		remark = "  (" + strings.Join(remarks, ", ") + ")"
	}
	where := ""
	if e.Where != "" { // what was lies nowhere
		where = fmt.Sprintf("%-9s  ", e.Where)
	}
	_, err := fmt.Fprintf(w, "%s %s%7s  %16s  %s%s\n", kindLetter(e.Kind), where, length, modified, shown(name), printable(remark))
	return err
}

func kindLetter(k entry.Kind) string {
	switch k {
	case entry.Directory:
		return "d"
	case entry.Symlink:
		return "l"
	case entry.Deleted, entry.File:
	}
	return "-"
}
