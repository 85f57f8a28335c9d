package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) snapshotCommand() *cobra.Command {
	label, drop := "", ""
	cmd := &cobra.Command{
		Use:   "snapshot FOLDER",
		Short: "Keep this moment, whatever the retention says",
		Long: "Give this moment of a folder a name and keep it, in every history of the folder that\n" +
			"can be reached, whatever their retention says. --drop gives one up in the history of\n" +
			"this device: what other devices keep is for their owners to drop.",
		Example: "  kith snapshot Documents -m 'before the move'\n  kith snapshot Documents --drop 'before the move'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case label != "" && drop != "":
				return usagef(cmd, "give -m to keep this moment, or --drop to give one up")
			case cmd.Flags().Changed("drop") && drop == "":
				return usagef(cmd, "--drop needs the label of a snapshot")
			}
			if _, isTime := parseTime(label, now()); isTime {
				return usagef(cmd, "%s would be read as a time: give the snapshot another label", quoted(label))
			}
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error {
				return invalidUsage(cmd, a.snapshot(ctx, c, args[0], label, drop))
			})(cmd, args)
		},
		ValidArgsFunction: a.completeFolder,
	}
	cmd.Flags().StringVarP(&label, "label", "m", "", "call it `LABEL`, instead of by the time")
	cmd.Flags().StringVar(&drop, "drop", "", "give up the snapshot `LABEL`")
	_ = cmd.RegisterFlagCompletionFunc("drop", a.completeSnapshot)
	return cmd
}

func (a *app) snapshot(ctx context.Context, c *control.Client, folder, label, drop string) error {
	if drop != "" {
		s, err := c.DropSnapshot(ctx, folder, drop)
		if err != nil {
			return err
		}
		return a.show(viewSnapshot(s), func(w io.Writer) error {
			also := ": prunes that follow may drop it"
			if len(s.Kept) > 0 {
				also = ", which is kept by " + names(s.Kept) + " as before"
			}
			return say(w, "This device no longer keeps %s of %s%s.\n", quoted(s.Label), s.Folder.Label, also)
		})
	}
	s, err := c.Snapshot(ctx, folder, label)
	if err != nil {
		return err
	}
	return a.show(viewSnapshot(s), func(w io.Writer) error {
		return say(w, "%s is kept as of %s, as %s, by %s.\nIt comes back with: kith restore %s --at %s\n", s.Folder.Label, stamp(s.At, now()),
			quoted(s.Label), names(s.Kept), quoted(s.Folder.Label), quoted(s.Label))
	})
}

func (a *app) snapshotsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "snapshots FOLDER",
		Short:   "List the moments that were given a name",
		Long:    "List the moments of a folder that kith snapshot keeps, newest first, with who keeps them.",
		Example: "  kith snapshots Documents",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			all, err := c.Snapshots(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(map[string][]snapshotView{"snapshots": views(all, viewSnapshot)}, func(w io.Writer) error {
				if len(all) == 0 {
					return say(w, "None yet: kith snapshot %s -m LABEL keeps this moment.\n", quoted(args[0]))
				}
				var t table
				for _, s := range all {
					t.row(stamp(s.At, now()), cell{text: s.Label, style: bold}, "kept by "+names(s.Kept))
				}
				return t.write(w, a.outTerminal)
			})
		}),
		ValidArgsFunction: a.completeFolder,
	}
}

type snapshotView struct {
	Folder   string       `json:"folder"`
	Label    string       `json:"label"` // of the folder
	Snapshot string       `json:"snapshot"`
	At       *time.Time   `json:"at"`
	Kept     []deviceView `json:"kept"`
}

func viewSnapshot(s control.Snapshot) snapshotView {
	return snapshotView{s.Folder.ID.String(), s.Folder.Label, s.Label, viewTime(s.At), views(s.Kept, viewDevice)}
}
