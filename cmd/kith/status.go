package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) statusCommand() *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "status [FOLDER]",
		Short: "Tell how this device, its folders and its peers are",
		Long: "Tell how this device, its folders and its peers are.\n\n" +
			"The exit code is 0 if all folders are in sync and nobody needs to look, else 3: a backup\n" +
			"that is stale, full or damaged, or that does not hold what it says, is a problem too; one\n" +
			"that is only away for now is none. kith wait --for protected tells whether one holds all.",
		Example: "  kith status\n  kith status Documents --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			folder := ""
			if len(args) > 0 {
				folder = args[0]
			}
			if watch {
				return c.WatchStatus(ctx, folder, func(s control.Status) error { return a.showStatus(s, folder != "") })
			}
			s, err := c.Status(ctx, folder)
			if err != nil {
				return err
			}
			if err := a.showStatus(s, folder != ""); err != nil {
				return err
			}
			return attention(s)
		}),
		ValidArgsFunction: a.completeFolder,
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on, and tell of every change")
	return cmd
}

func (a *app) showStatus(s control.Status, all bool) error {
	return a.show(viewStatus(s), func(w io.Writer) error {
		p := statusPage{now: now(), on: a.outTerminal, allProblems: all}
		return p.write(w, s)
	})
}

// attention is the decision behind the exit code of `kith status`.
func attention(s control.Status) error {
	if s.Paused || len(s.Problems) > 0 {
		return errAttention
	}
	for _, f := range s.Folders {
		if f.State != control.StateInSync || f.Conflicts > 0 || f.Held > 0 || len(f.Problems) > 0 {
			return errAttention
		}
	}
	return nil
}
