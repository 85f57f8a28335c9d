package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) revertCommand() *cobra.Command {
	var r control.RevertRequest
	cmd := &cobra.Command{
		Use:   "revert PATH...",
		Short: "Undo local edits in a folder that is only received",
		Long: "Give files and directories the folder's own content again, in a folder that this\n" +
			"device has in the role receive: what was changed, made or deleted here is dropped.",
		Example: "  kith revert Documents/plan.txt\n  kith revert Documents --dry-run",
		Args:    cobra.MinimumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			var err error
			if r.Places, err = placesOf(args); err != nil {
				return err
			}
			out, err := c.Revert(ctx, r)
			if err != nil {
				return err
			}
			return a.show(revertedView{r.DryRun, append([]string{}, out.Paths...)}, func(w io.Writer) error {
				return revertedLines(w, out.Paths, r.DryRun)
			})
		}),
		ValidArgsFunction: a.completePath,
	}
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "only tell what would be reverted")
	return cmd
}

type revertedView struct {
	DryRun bool     `json:"dry_run"`
	Paths  []string `json:"paths"`
}

func revertedLines(w io.Writer, paths []string, dry bool) error {
	if len(paths) == 0 {
		return say(w, "There are no local edits.\n")
	}
	did := "Reverted"
	if dry {
		did = "Would revert"
	}
	for _, p := range paths {
		if err := say(w, "%s %s\n", did, shown(p)); err != nil {
			return err
		}
	}
	return nil
}
