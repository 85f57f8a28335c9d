package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

func (a *app) pruneCommand() *cobra.Command {
	var r control.PruneRequest
	cmd := &cobra.Command{
		Use:   "prune FOLDER",
		Short: "Drop what the retention no longer keeps here",
		Long: "Drop from the history that this device keeps of a folder what its retention no longer\n" +
			"keeps, and show each moment that stays, with the rules that keep it. This also happens\n" +
			"by itself; what is dropped is marked first, and goes when it was marked for a while.",
		Example: "  kith prune Documents --dry-run",
		Args:    cobra.ExactArgs(1),
		RunE: a.ask(func(ctx context.Context, c *control.Client, args []string) error {
			r.Folder = args[0]
			p, err := c.Prune(ctx, r)
			if err != nil {
				return err
			}
			return a.show(viewPruned(p), func(w io.Writer) error { return prunedLines(w, p) })
		}),
		ValidArgsFunction: a.completeFolder,
	}
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "only tell what would be dropped")
	return cmd
}

type prunedView struct {
	Folder   string       `json:"folder"`
	Label    string       `json:"label"`
	DryRun   bool         `json:"dry_run"`
	Versions int64        `json:"versions"`
	Dropped  int64        `json:"dropped"`
	Freed    int64        `json:"freed"`
	Waiting  int64        `json:"waiting"`
	Since    *time.Time   `json:"since"`
	Moments  []momentView `json:"moments"`
}

type momentView struct {
	At      *time.Time `json:"at"`
	Reasons []string   `json:"reasons"`
}

func viewPruned(p control.Pruned) prunedView {
	return prunedView{
		Folder: p.Folder.ID.String(), Label: p.Folder.Label, DryRun: p.DryRun, Versions: p.Versions, Dropped: p.Dropped, Freed: p.Freed,
		Waiting: p.Waiting, Since: viewTime(p.Since),
		Moments: views(p.Moments, func(m control.KeptMoment) momentView {
			return momentView{viewTime(m.At), append([]string{}, m.Reasons...)}
		}),
	}
}

// momentLines shows moments one by one as far as not every one is kept, and
// snapshots.
func momentLines(w io.Writer, p control.Pruned) error {
	single := slices.DeleteFunc(slices.Clone(p.Moments), func(m control.KeptMoment) bool {
		pinned := slices.ContainsFunc(m.Reasons, func(r string) bool { return strings.HasPrefix(r, "snapshot") })
		return !p.Since.IsZero() && !m.At.Before(p.Since) && !pinned
	})
	if !p.Since.IsZero() {
		single = append(single, control.KeptMoment{At: p.Since, Reasons: []string{"every moment from here on"}})
	}
	slices.SortStableFunc(single, func(a, b control.KeptMoment) int { return a.At.Compare(b.At) })
	t := now()
	for _, m := range single {
		if _, err := fmt.Fprintf(w, "%s  %s\n", stamp(m.At, t), printable(strings.Join(m.Reasons, ", "))); err != nil {
			return err
		}
	}
	return nil
}

func prunedLines(out io.Writer, p control.Pruned) error {
	w := bufio.NewWriter(out)
	if err := momentLines(w, p); err != nil {
		return err
	}
	did := "Dropped"
	if p.DryRun {
		did = "Would drop"
	}
	text := did + " nothing"
	if p.Dropped > 0 || p.Freed > 0 {
		text = did + " " + plural(p.Dropped, "version") + ", " + size(p.Freed)
	}
	text += " of " + p.Folder.Label + "; " + plural(p.Versions, "version") + " held"
	if p.Waiting > 0 {
		text += ", " + count(p.Waiting) + " of them marked to go"
	}
	if err := say(w, "%s.\n", text); err != nil {
		return err
	}
	return w.Flush()
}
