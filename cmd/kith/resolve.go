package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// keep is a flag that takes which version stays.
type keep control.Keep

// String is what was given.
func (k *keep) String() string { return string(*k) }

// Type names the value in help texts.
func (k *keep) Type() string { return "WHICH" }

// Set reads what was given. What the device knows as main is for --tool.
func (k *keep) Set(s string) error {
	switch control.Keep(s) {
	case control.KeepMine, control.KeepTheirs, control.KeepBoth, control.KeepNewest:
		*k = keep(s)
		return nil
	case control.KeepMain:
	}
	return errors.New("not one of mine, theirs, both and newest")
}

func (a *app) resolveCommand() *cobra.Command {
	var which keep
	tool := ""
	cmd := &cobra.Command{
		Use:   "resolve PATH...",
		Short: "End conflicts",
		Long: "End the conflicts of paths, of all below a directory, or of those that a pattern with\n" +
			"* and ? fits (in quotes, so that the shell leaves it alone). With --keep\n\n" +
			"  mine     the version that this device made stays\n" +
			"  theirs   the version that another device made stays\n" +
			"  both     each stays, the copy under a plain name of its own\n" +
			"  newest   the version that was modified last stays\n\n" +
			"With --tool a program merges: it is run for each conflict copy, with the file at the\n" +
			"path and the copy as its last two arguments (and in KITH_MAIN and KITH_COPY). It writes\n" +
			"what is to stay to the first; if it ends with 0 the copies go.\n\n" +
			"The exit code is 3 if conflicts are left.",
		Example: "  kith resolve Documents/plan.txt --keep newest\n  kith resolve 'Documents/*.odt' --keep mine\n" +
			"  kith resolve ~/Documents --tool 'meld --newtab'",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			words, err := splitWords(tool)
			if err != nil {
				return usagef(cmd, "--tool %s: %w", tool, err)
			}
			if (which == "") == (len(words) == 0) {
				return usagef(cmd, "give either --keep or --tool")
			}
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error {
				return a.resolve(ctx, c, args, resolution{control.Keep(which), words})
			})(cmd, args)
		},
		ValidArgsFunction: a.completePath,
	}
	cmd.Flags().Var(&which, "keep", "mine, theirs, both or newest")
	cmd.Flags().StringVar(&tool, "tool", "", "have `CMD` merge")
	return cmd
}

// resolution is how conflicts are to end: one of the two.
type resolution struct {
	keep control.Keep
	tool []string
}

func (a *app) resolve(ctx context.Context, c *control.Client, args []string, how resolution) error {
	places, err := placesOf(args)
	if err != nil {
		return err
	}
	var ended []control.Resolved
	if len(how.tool) > 0 {
		ended, err = a.resolveByTool(ctx, c, places, how.tool)
	} else {
		ended, err = c.Resolve(ctx, control.ResolveRequest{Places: places, Keep: how.keep})
	}
	if err != nil {
		return err
	}
	v := map[string][]resolvedView{"resolved": views(ended, viewResolved)}
	if err := a.show(v, func(w io.Writer) error { return resolvedLines(w, ended) }); err != nil {
		return err
	}
	for _, r := range ended {
		if r.Problem != "" {
			return errAttention
		}
	}
	return nil
}

type resolvedView struct {
	Path    string   `json:"path"`
	Kept    string   `json:"kept"`
	Removed []string `json:"removed"`
	Renamed []string `json:"renamed"`
	Problem string   `json:"problem"`
}

func viewResolved(r control.Resolved) resolvedView {
	return resolvedView{r.Path, r.Kept, append([]string{}, r.Removed...), append([]string{}, r.Renamed...), r.Problem}
}

func resolvedLines(w io.Writer, ended []control.Resolved) error {
	for _, r := range ended {
		text := "resolved"
		switch {
		case r.Problem != "":
			text = "still in conflict: " + r.Problem
		case len(r.Renamed) > 0:
			text = "both are kept, the other as " + strings.Join(views(r.Renamed, shown), ", ")
		case r.Kept != "":
			text = "kept what was " + shown(r.Kept)
		}
		if err := say(w, "%s: %s\n", shown(r.Path), text); err != nil {
			return err
		}
	}
	return nil
}

// splitWords takes a command line apart at spaces; what stands in quotes of
// either kind stays together.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	within, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, within = r, true
		case quote == 0 && r == ' ':
			if within {
				words = append(words, word.String())
			}
			word.Reset()
			within = false
		default:
			word.WriteRune(r)
			within = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c has no end", quote)
	}
	if within {
		words = append(words, word.String())
	}
	return words, nil
}
