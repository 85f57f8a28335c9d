package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// screenful is how many events a terminal is shown unless more are asked for.
const screenful = 100

func (a *app) logCommand() *cobra.Command {
	var r control.LogRequest
	cmd := &cobra.Command{
		Use:   "log [FOLDER[/PATH]]",
		Short: "Tell who changed what, and when",
		Long: "Tell who changed what in a folder, below a path, or in every folder, newest first. The\n" +
			"time is when a history here or on another device took the change in, which is what\n" +
			"kith restore --at goes by: at the second that is shown the change had not come yet. On\n" +
			"a terminal the last " + fmt.Sprint(screenful) + " changes are shown; --limit 0 shows all.\n\n" + momentHelp,
		Example: "  kith log Documents/plan.txt\n  kith log Documents --since yesterday --from nas",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if r.Since, err = pastTime(cmd, "since"); err != nil {
				return err
			}
			if r.Limit < 0 {
				return usagef(cmd, "--limit %d: not a number of changes", r.Limit)
			}
			if a.outTerminal.is() && !a.json && !cmd.Flags().Changed("limit") && r.Since.IsZero() {
				r.Limit = screenful
			}
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error { return a.log(ctx, c, args, r) })(cmd, args)
		},
		ValidArgsFunction: a.completeFolderOrPath,
	}
	cmd.Flags().String("since", "", "only what came after `T`")
	cmd.Flags().IntVar(&r.Limit, "limit", 0, "at most `N` changes of each folder; 0 for all")
	a.fromFlag(cmd, &r.From, "from")
	return cmd
}

// fromFlag takes the device whose history is asked.
func (a *app) fromFlag(cmd *cobra.Command, device *string, name string) {
	cmd.Flags().StringVar(device, name, "", "ask only the history that `DEVICE` keeps")
	_ = cmd.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return a.complete(deviceNames)
	})
}

func (a *app) log(ctx context.Context, c *control.Client, args []string, r control.LogRequest) error {
	places, err := listedPlaces(ctx, c, args)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	n, show := 0, a.eventLister(out)
	for e, failed := range newestFirst(eventsOf(ctx, c, places, r)) {
		if err = failed; err == nil {
			err = show(e)
		}
		if err != nil {
			break
		}
		n++
	}
	if err == nil && n == 0 && !a.json {
		err = say(out, "Nothing is known to have changed.\n")
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	return err
}

// events come newest first; an error ends them.
type events = iter.Seq2[control.LogEvent, error]

// errHeard ends a log that nobody listens to any more.
var errHeard = errors.New("enough")

// eventsOf are those of each place.
func eventsOf(ctx context.Context, c *control.Client, places []control.Place, r control.LogRequest) (out []events) {
	for _, p := range places {
		out = append(out, func(yield func(control.LogEvent, error) bool) {
			of := r
			of.Place = p
			err := c.Log(ctx, of, func(e control.LogEvent) error {
				if !yield(e, nil) {
					return errHeard
				}
				return nil
			})
			if err != nil && !errors.Is(err, errHeard) {
				yield(control.LogEvent{}, err)
			}
		})
	}
	return out
}

// newestFirst merges events of several places: there may be a million of each.
func newestFirst(all []events) events {
	return func(yield func(control.LogEvent, error) bool) {
		type head struct {
			e    control.LogEvent
			err  error
			next func() (control.LogEvent, error, bool)
		}
		var heads []*head
		for _, one := range all {
			next, stop := iter.Pull2(one)
			defer stop()
			h := &head{next: next}
			var more bool
			if h.e, h.err, more = next(); more {
				heads = append(heads, h)
			}
		}
		for len(heads) > 0 {
			first := slices.MaxFunc(heads, func(a, b *head) int { return byTime(a.e, b.e) })
			if !yield(first.e, first.err) || first.err != nil {
				return
			}
			var more bool
			if first.e, first.err, more = first.next(); !more {
				heads = slices.DeleteFunc(heads, func(h *head) bool { return h == first })
			}
		}
	}
}

// byTime orders events as a history tells them; those that are in none yet are
// the latest.
func byTime(a, b control.LogEvent) int {
	if a.Received.IsZero() != b.Received.IsZero() {
		if a.Received.IsZero() {
			return 1
		}
		return -1
	}
	if a.Received.IsZero() {
		return a.At.Compare(b.At)
	}
	return a.Received.Compare(b.Received)
}

type logView struct {
	Folder       string            `json:"folder"`
	Label        string            `json:"label"`
	Path         string            `json:"path"`
	PathBytes    []byte            `json:"path_bytes,omitempty"`
	OldPath      string            `json:"old_path"`
	OldPathBytes []byte            `json:"old_path_bytes,omitempty"`
	What         control.Happening `json:"what"`
	Type         string            `json:"type"`
	By           deviceView        `json:"by"`
	At           *time.Time        `json:"at"`
	Received     *time.Time        `json:"received"`
	Size         int64             `json:"size"`
	Before       int64             `json:"before"`
	Batch        string            `json:"batch"`
	Kept         bool              `json:"kept"`
}

func viewEvent(e control.LogEvent) logView {
	return logView{
		Folder: e.Folder.ID.String(), Label: e.Folder.Label, Path: e.Path, PathBytes: pathBytes(e.Path), OldPath: e.OldPath,
		OldPathBytes: pathBytes(e.OldPath), What: e.What, Type: kindName(e.Kind), By: viewDevice(e.Device), At: viewTime(e.At),
		Received: viewTime(e.Received), Size: e.Size, Before: e.Before, Batch: e.Batch, Kept: e.Kept,
	}
}

// eventLister shows events as they come: there may be a million.
func (a *app) eventLister(w io.Writer) func(control.LogEvent) error {
	if !a.json {
		t := now()
		return func(e control.LogEvent) error { return a.eventLine(w, e, t) }
	}
	j := json.NewEncoder(w)
	j.SetEscapeHTML(false)
	return func(e control.LogEvent) error { return j.Encode(viewEvent(e)) }
}

// eventLine is one line in columns of fixed widths: "2026-11-22 14:02:11
// edited   12.3 kB  Documents/report.odt  (by phone, batch k3f9)".
func (a *app) eventLine(w io.Writer, e control.LogEvent, now time.Time) error {
	at := e.Received
	remarks := []string{"by " + e.Device.Name}
	switch {
	case at.IsZero():
		at = e.At
		remarks = append(remarks, "in no history yet")
	case at.Sub(e.At).Abs() > time.Hour:
		remarks = append(remarks, "made "+stamp(e.At, now))
	}
	if e.What == control.Renamed {
		remarks = append(remarks, "was "+shown(within(e.Folder, e.OldPath)))
	}
	if e.Batch != "" {
		remarks = append(remarks, "batch "+e.Batch)
	}
	if !e.Kept && e.Kind == entry.File {
		remarks = append(remarks, "content not kept")
	}
	length := ""
	if e.Kind == entry.File {
		length = size(e.Size)
	}
	what := a.outTerminal.paint(happeningStyle(e.What), fmt.Sprintf("%-8s", e.What))
	_, err := fmt.Fprintf(w, "%s  %s  %7s  %s  (%s)\n", stamp(at, now), what, length, shown(within(e.Folder, e.Path)),
		printable(strings.Join(remarks, ", ")))
	return err
}

func happeningStyle(h control.Happening) style {
	switch h {
	case control.Created, control.Revived:
		return good
	case control.Deleted:
		return bad
	case control.Modified:
		return faint
	case control.Edited, control.Renamed:
	}
	return alert
}
