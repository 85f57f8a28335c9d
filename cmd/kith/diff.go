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

func (a *app) diffCommand() *cobra.Command {
	var r control.DiffRequest
	cmd := &cobra.Command{
		Use:   "diff FOLDER[/PATH]",
		Short: "Tell what differs between two moments",
		Long: "Tell which paths of a folder, or below a path, differ between two moments:\n\n" +
			"  +  it is new          -  it is gone\n" +
			"  *  its content is another, or it is of another kind\n" +
			"  m  only its mode or time is another\n\n" + momentHelp,
		Example: "  kith diff Documents --from yesterday\n  kith diff Documents/letters --from 'before the move' --to 2026-11-20",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("from") {
				return usagef(cmd, "give the earlier moment with --from")
			}
			var err error
			if r.From, err = pastMoment(cmd, "from"); err != nil {
				return err
			}
			if r.To, err = pastMoment(cmd, "to"); err != nil {
				return err
			}
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error { return a.diff(ctx, c, args, r) })(cmd, args)
		},
		ValidArgsFunction: a.completeFolderOrPath,
	}
	a.momentFlag(cmd, "from", "the earlier moment, `T`")
	a.momentFlag(cmd, "to", "the later moment, `T`; if not given, now")
	a.fromFlag(cmd, &r.Source, "source")
	return cmd
}

// momentFlag takes a T; the labels of snapshots complete it.
func (a *app) momentFlag(cmd *cobra.Command, name, help string) {
	cmd.Flags().String(name, "", help)
	_ = cmd.RegisterFlagCompletionFunc(name, a.completeSnapshot)
}

func (a *app) diff(ctx context.Context, c *control.Client, args []string, r control.DiffRequest) error {
	places, err := placesOf(args)
	if err != nil {
		return err
	}
	r.Place = places[0]
	out := bufio.NewWriter(a.out)
	differ := map[control.Happening]int64{}
	show := a.differenceLister(out)
	err = c.Diff(ctx, r, func(d control.Difference) error { differ[d.What]++; return show(d) })
	if err == nil && !a.json {
		err = say(out, "%s, from %s to %s.\n", differText(differ), momentText(r.From, now()), momentText(r.To, now()))
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	return err
}

// differText is "2 new, 1 gone", or that nothing differs.
func differText(differ map[control.Happening]int64) string {
	var out []string
	for _, part := range []struct {
		what control.Happening
		word string
	}{{control.Created, "new"}, {control.Edited, "edited"}, {control.Modified, "of another mode or time"}, {control.Deleted, "gone"}} {
		if n := differ[part.what]; n > 0 {
			out = append(out, count(n)+" "+part.word)
		}
	}
	if len(out) == 0 {
		return "Nothing differs"
	}
	return strings.Join(out, ", ")
}

type differenceView struct {
	Folder    string            `json:"folder"`
	Label     string            `json:"label"`
	Path      string            `json:"path"`
	PathBytes []byte            `json:"path_bytes,omitempty"`
	What      control.Happening `json:"what"`
	Type      string            `json:"type"`
	OldType   string            `json:"old_type"`
	Size      int64             `json:"size"`
	Before    int64             `json:"before"`
	Changed   *time.Time        `json:"changed"`
}

func viewDifference(d control.Difference) differenceView {
	return differenceView{
		Folder: d.Folder.ID.String(), Label: d.Folder.Label, Path: d.Path, PathBytes: pathBytes(d.Path), What: d.What, Type: kindName(d.Kind),
		OldType: kindName(d.OldKind), Size: d.Size, Before: d.Before, Changed: viewTime(d.TimeChanged),
	}
}

func (a *app) differenceLister(w io.Writer) func(control.Difference) error {
	if !a.json {
		return func(d control.Difference) error { return a.differenceLine(w, d) }
	}
	j := json.NewEncoder(w)
	j.SetEscapeHTML(false)
	return func(d control.Difference) error { return j.Encode(viewDifference(d)) }
}

func (a *app) differenceLine(w io.Writer, d control.Difference) error {
	letter := map[control.Happening]string{control.Created: "+", control.Deleted: "-", control.Modified: "m"}[d.What]
	if letter == "" {
		letter = "*"
	}
	kind, length := d.Kind, d.Size
	if d.What == control.Deleted {
		kind, length = d.OldKind, d.Before
	}
	text, remark := "", ""
	if kind == entry.File {
		text = size(length)
	}
	switch {
	case d.What != control.Edited:
	case d.OldKind != d.Kind:
		remark = "  (was a " + d.OldKind.String() + ")"
	case d.Before != d.Size:
		remark = "  (was " + size(d.Before) + ")"
	}
	name := within(d.Folder, d.Path)
	if kind == entry.Directory {
		name += "/"
	}
	_, err := fmt.Fprintf(w, "%s %7s  %s%s\n", a.outTerminal.paint(happeningStyle(d.What), letter), text, shown(name), remark)
	return err
}
