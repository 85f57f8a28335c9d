package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) heldCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "held [FOLDER]",
		Short: "List changes that wait for approval",
		Long: "List the batches of changes that are held because they delete or rewrite much of a\n" +
			"folder at once: as after a mistake, an unmounted disk, or a program that encrypts files.\n" +
			"Nothing of a batch is applied here before it is approved.",
		Example: "  kith held\n  kith held Documents --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			folder := ""
			if len(args) > 0 {
				folder = args[0]
			}
			held, err := c.Held(ctx, folder)
			if err != nil {
				return err
			}
			return a.show(map[string][]batchView{"held": views(held, viewBatch)}, func(w io.Writer) error { return heldLines(w, held) })
		}),
		ValidArgsFunction: a.completeFolder,
	}
}

type batchView struct {
	Batch    string     `json:"batch"`
	Folder   string     `json:"folder"`
	Label    string     `json:"label"`
	From     deviceView `json:"from"`
	Deletes  int64      `json:"deletes"`
	Rewrites int64      `json:"rewrites"`
	Files    int64      `json:"files"`
	Bytes    int64      `json:"bytes"`
	Since    *time.Time `json:"since"`
	Paths    []string   `json:"paths"`
}

func viewBatch(b control.HeldBatch) batchView {
	return batchView{
		Batch: b.ID, Folder: b.Folder.ID.String(), Label: b.Folder.Label, From: viewDevice(b.From), Deletes: b.Deletes,
		Rewrites: b.Rewrites, Files: b.Files, Bytes: b.Bytes, Since: viewTime(b.Since), Paths: append([]string{}, b.Paths...),
	}
}

func heldLines(w io.Writer, held []control.HeldBatch) error {
	if len(held) == 0 {
		return say(w, "Nothing is held.\n")
	}
	for _, b := range held {
		if err := say(w, "%s  %s, from %s, since %s\n", b.ID, b.Folder.Label, b.From.Name, clock(b.Since, now())); err != nil {
			return err
		}
		if err := say(w, "    %s of the folder's %s, %s here\n", amounts(b), plural(b.Files, "file"), size(b.Bytes)); err != nil {
			return err
		}
		if len(b.Paths) == 0 {
			continue
		}
		if err := say(w, "    %s\n", someOf(b.Paths, b.Deletes+b.Rewrites)); err != nil {
			return err
		}
	}
	return say(w, "kith approve BATCH applies one here, kith reject BATCH undoes it everywhere.\n")
}

// amounts is "deletes 1,200 and rewrites 3".
func amounts(b control.HeldBatch) string {
	switch {
	case b.Rewrites == 0:
		return "deletes " + count(b.Deletes)
	case b.Deletes == 0:
		return "rewrites " + count(b.Rewrites)
	}
	return "deletes " + count(b.Deletes) + " and rewrites " + count(b.Rewrites)
}

func (a *app) approveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "approve BATCH",
		Short: "Apply held changes",
		Long: "Apply the changes of a batch that kith held lists. It is good for that batch alone: if\n" +
			"more has come since, the batch has another ID.",
		Example: "  kith approve k3f9",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			b, err := c.Approve(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(viewBatch(b), func(w io.Writer) error {
				return say(w, "Approved: what %s changed in %s is applied here.\n", b.From.Name, b.Folder.Label)
			})
		}),
		ValidArgsFunction: a.completeBatch,
	}
}

func (a *app) rejectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reject BATCH",
		Short: "Undo held changes everywhere",
		Long: "Undo the changes of a batch that kith held lists, on every device: what is here becomes\n" +
			"the newest version.",
		Example: "  kith reject k3f9",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			b, err := c.Reject(ctx, args[0])
			if err != nil {
				return err
			}
			return a.show(viewBatch(b), func(w io.Writer) error {
				return say(w, "Rejected: what %s changed in %s is undone everywhere.\n", b.From.Name, b.Folder.Label)
			})
		}),
		ValidArgsFunction: a.completeBatch,
	}
}
