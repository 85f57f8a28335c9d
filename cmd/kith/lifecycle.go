package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// eventView is the JSON of a command that has nothing to tell but that it is
// done.
type eventView struct {
	Event string `json:"event"`
}

func (a *app) downCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "down",
		Short:   "Stop this device",
		Long:    "Stop this device, and return when it has let go of everything.",
		Example: "  kith down",
		Args:    cobra.NoArgs,
		RunE: a.ask(func(ctx context.Context, c *control.Client, _ []string) error {
			if err := c.Stop(ctx); err != nil {
				return err
			}
			return a.show(eventView{"stopped"}, func(w io.Writer) error { return say(w, "Stopped.\n") })
		}),
	}
}

func (a *app) pauseCommand() *cobra.Command {
	var d period
	cmd := &cobra.Command{
		Use:   "pause [FOLDER|DEVICE]",
		Short: "Stop exchanging with peers for a while",
		Long: "Stop exchanging with peers: altogether, for one folder, or with one device. It lasts\n" +
			"until kith resume, or for the time given.",
		Example: "  kith pause --for 2h\n  kith pause Photos",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			target := ""
			if len(args) > 0 {
				target = args[0]
			}
			if err := c.Pause(ctx, control.PauseRequest{Target: target, For: time.Duration(d)}); err != nil {
				return err
			}
			return a.show(eventView{"paused"}, func(w io.Writer) error {
				if d > 0 {
					return say(w, "Paused%s for %s. kith resume goes on before that.\n", of(target), span(time.Duration(d)))
				}
				return say(w, "Paused%s. kith resume goes on.\n", of(target))
			})
		}),
		ValidArgsFunction: a.completeFolder,
	}
	cmd.Flags().Var(&d, "for", "for so long, like 30m or 2h")
	return cmd
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "resume [FOLDER|DEVICE]",
		Short:   "End a pause",
		Long:    "End a pause: every one, or that of a folder or a device.",
		Example: "  kith resume",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			target := ""
			if len(args) > 0 {
				target = args[0]
			}
			if err := c.Resume(ctx, target); err != nil {
				return err
			}
			return a.show(eventView{"resumed"}, func(w io.Writer) error { return say(w, "Resumed%s.\n", of(target)) })
		}),
		ValidArgsFunction: a.completeFolder,
	}
}

func of(target string) string {
	if target == "" {
		return ""
	}
	return " " + target
}
