package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why PATH",
		Short: "Explain why a path is not synced, not here, held",
		Long: "Explain the state of one path: where its content is, who holds it, and what keeps it\n" +
			"from being in sync, each with what to do.",
		Example: "  kith why ~/Documents/plan.txt\n  kith why Documents/plan.txt --json",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			places, err := placesOf(args)
			if err != nil {
				return err
			}
			e, err := c.Why(ctx, places[0])
			if err != nil {
				return err
			}
			return a.show(viewExplanation(e), func(w io.Writer) error { return a.explain(w, e) })
		}),
		ValidArgsFunction: a.completePath,
	}
}

type explanationView struct {
	Folder    string              `json:"folder"`
	Label     string              `json:"label"`
	Path      string              `json:"path"`
	PathBytes []byte              `json:"path_bytes,omitempty"`
	Type      string              `json:"type"`
	Where     control.Whereabouts `json:"where"`
	Version   string              `json:"version"`
	Holders   []deviceView        `json:"holders"`
	Causes    []causeView         `json:"causes"`
}

type causeView struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func viewExplanation(e control.Explanation) explanationView {
	return explanationView{
		Folder: e.Folder.ID.String(), Label: e.Folder.Label, Path: e.Path, PathBytes: pathBytes(e.Path), Type: kindName(e.Kind),
		Where: e.Where, Version: e.Version, Holders: views(e.Holders, viewDevice),
		Causes: views(e.Causes, func(p control.Problem) causeView { return causeView{p.Code, p.Message, p.Hint} }),
	}
}

func (a *app) explain(w io.Writer, e control.Explanation) error {
	var t table
	t.row(cell{text: shown(within(e.Folder, e.Path)), style: bold})
	if e.Kind != 0 {
		t.row("  type", e.Kind.String())
	}
	if e.Where != "" {
		t.row("  where", whereText(e.Where, e.Kind))
	}
	if e.Version != "" {
		t.row("  version", e.Version)
	}
	if len(e.Holders) > 0 {
		t.row("  held by", names(e.Holders))
	}
	if err := t.write(w, terminal{colour: a.outTerminal.colour}); err != nil {
		return err
	}
	if len(e.Causes) == 0 {
		return say(w, "It is in sync.\n")
	}
	for _, p := range e.Causes {
		if err := say(w, "%s (%s)\n", p.Message, p.Code); err != nil {
			return err
		}
		if p.Hint == "" {
			continue
		}
		if err := say(w, "      %s\n", p.Hint); err != nil {
			return err
		}
	}
	return nil
}

func whereText(where control.Whereabouts, k entry.Kind) string {
	switch where {
	case control.Elsewhere:
		return "elsewhere only"
	case control.LocalEdit:
		return "here, as an edit that stays here"
	case control.Here:
		if k == entry.Deleted {
			return "gone here as everywhere"
		}
	case control.Coming:
	}
	return string(where)
}
