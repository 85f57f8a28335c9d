package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kithmesh/kith/node/control"
)

// onOff is a flag that takes on or off.
type onOff struct{ is *bool }

func (o *onOff) String() string {
	switch {
	case o.is == nil:
		return ""
	case *o.is:
		return "on"
	}
	return "off"
}

// Type names the value in help texts.
func (o *onOff) Type() string { return "on|off" }

// Set reads what was given.
func (o *onOff) Set(s string) error {
	if s != "on" && s != "off" {
		return errors.New("neither on nor off")
	}
	o.is = new(s == "on")
	return nil
}

// keeping is what the flags of a retention say.
type keeping struct {
	last, hourly, daily, weekly, monthly, yearly howMany
	within                                       [6]howLong // everything, hourly, ... yearly
	hold                                         howLong
	quota                                        howBig
	history                                      onOff
	back                                         bool
}

func (k *keeping) flags(f *pflag.FlagSet) {
	units := []string{"hour", "day", "week", "month", "year"}
	f.Var(&k.last, "keep-last", "keep the last `N` changes")
	for i, n := range []*howMany{&k.hourly, &k.daily, &k.weekly, &k.monthly, &k.yearly} {
		f.Var(n, "keep-"+each(units[i]), "keep the end of each of the last `N` "+units[i]+"s that had a change")
	}
	f.Var(&k.within[0], "keep-within", "keep every moment of the last `D`")
	for i, unit := range units {
		f.Var(&k.within[i+1], "keep-within-"+each(unit), "keep the end of each "+unit+" of the last `D`")
	}
	f.Var(&k.hold, "minimum-hold", "keep everything for `D`, whatever the rest says")
	f.Var(&k.quota, "quota", "take no more than `SIZE` on disk, or none")
	f.Var(&k.history, "history", "whether this device keeps a history of it, if it has a tree")
	f.BoolVar(&k.back, "default", false, "go back to the default, before what else is given")
}

func each(unit string) string {
	if unit == "day" {
		return "daily"
	}
	return unit + "ly"
}

func (k *keeping) request(folder string) control.RetentionRequest {
	return control.RetentionRequest{Folder: folder, Default: k.back, History: k.history.is, Keep: control.Keeping{
		Last: k.last.n, Hourly: k.hourly.n, Daily: k.daily.n, Weekly: k.weekly.n, Monthly: k.monthly.n, Yearly: k.yearly.n,
		Within: k.within[0].d, WithinHourly: k.within[1].d, WithinDaily: k.within[2].d, WithinWeekly: k.within[3].d,
		WithinMonthly: k.within[4].d, WithinYearly: k.within[5].d, MinimumHold: k.hold.d, Quota: k.quota.n,
	}}
}

func (a *app) retentionCommand() *cobra.Command {
	var k keeping
	cmd := &cobra.Command{
		Use:   "retention FOLDER",
		Short: "Show or change how long the past is kept here",
		Long: "Show how long this device keeps the past of a folder, as a backup or beside a tree, or\n" +
			"change it: what is not given stays as it is. The rules are those of restic; a moment\n" +
			"is kept if one of them keeps it. N may be all, D is like 36h, 30d, 12w or 1y2m (a lone\n" +
			"m is months), or forever; 0 ends a rule.\n\n" +
			"What a change lets go is dropped by the prunes that follow, and nothing before its\n" +
			"minimum hold is over.",
		Example: "  kith retention Documents\n  kith retention Documents --keep-within 14d --keep-weekly 52 --quota 500GB\n" +
			"  kith retention Photos --history off",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes := false
			cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { changes = changes || f.Changed })
			return a.ask(func(ctx context.Context, c *control.Client, args []string) error {
				if !changes {
					r, err := c.Retention(ctx, args[0])
					return a.showRetention(r, err)
				}
				r, err := c.SetRetention(ctx, k.request(args[0]))
				return a.showRetention(r, err)
			})(cmd, args)
		},
		ValidArgsFunction: a.completeFolder,
	}
	k.flags(cmd.Flags())
	return cmd
}

type retentionView struct {
	Folder   string      `json:"folder"`
	Label    string      `json:"label"`
	History  bool        `json:"history"`
	Keep     keepingView `json:"keep"`
	Versions int64       `json:"versions"`
	Bytes    int64       `json:"bytes"`
	Since    *time.Time  `json:"since"`
}

// keepingView has lengths of time in seconds; -1 is all, or for ever.
type keepingView struct {
	Last          *int     `json:"last"`
	Hourly        *int     `json:"hourly"`
	Daily         *int     `json:"daily"`
	Weekly        *int     `json:"weekly"`
	Monthly       *int     `json:"monthly"`
	Yearly        *int     `json:"yearly"`
	Within        *float64 `json:"within_seconds"`
	WithinHourly  *float64 `json:"within_hourly_seconds"`
	WithinDaily   *float64 `json:"within_daily_seconds"`
	WithinWeekly  *float64 `json:"within_weekly_seconds"`
	WithinMonthly *float64 `json:"within_monthly_seconds"`
	WithinYearly  *float64 `json:"within_yearly_seconds"`
	MinimumHold   *float64 `json:"minimum_hold_seconds"`
	Quota         *int64   `json:"quota"`
}

func viewKeeping(k control.Keeping) keepingView {
	return keepingView{
		k.Last, k.Hourly, k.Daily, k.Weekly, k.Monthly, k.Yearly, seconds(k.Within), seconds(k.WithinHourly), seconds(k.WithinDaily),
		seconds(k.WithinWeekly), seconds(k.WithinMonthly), seconds(k.WithinYearly), seconds(k.MinimumHold), k.Quota,
	}
}

func seconds(d *time.Duration) *float64 {
	switch {
	case d == nil:
		return nil
	case *d == control.KeepForever:
		return new(float64(control.KeepAll))
	}
	return new(d.Seconds())
}

func (a *app) showRetention(r control.Retention, err error) error {
	if err != nil {
		return err
	}
	v := retentionView{r.Folder.ID.String(), r.Folder.Label, r.History, viewKeeping(r.Keep), r.Versions, r.Bytes, viewTime(r.Since)}
	return a.show(v, func(w io.Writer) error {
		if !r.History {
			return say(w, "%s: no history is kept here. kith retention %s --history on keeps one.\n", r.Folder.Label, quoted(r.Folder.Label))
		}
		var t table
		t.row(cell{text: r.Folder.Label, style: bold}, plural(r.Versions, "version")+", "+size(r.Bytes))
		t.row("kept", strings.Join(keepingLines(r.Keep), "; "))
		t.row("at least", "everything for "+lengthOr(r.Keep.MinimumHold, "no time"))
		quota := "none"
		if r.Keep.Quota != nil && *r.Keep.Quota > 0 {
			quota = size(*r.Keep.Quota)
		}
		t.row("quota", quota)
		if !r.Since.IsZero() {
			t.row("goes back to", stamp(r.Since, now()))
		}
		return t.write(w, terminal{colour: a.outTerminal.colour})
	})
}

func lengthOr(d *time.Duration, none string) string {
	if d == nil || *d == 0 {
		return none
	}
	return lengthText(*d)
}

// keepingLines are the rules that keep something.
func keepingLines(k control.Keeping) []string {
	var out []string
	if k.Within != nil && *k.Within > 0 {
		out = append(out, "everything for "+lengthText(*k.Within))
	}
	for _, rule := range []struct {
		word string
		n    *int
		long *time.Duration
	}{
		{"hourly", k.Hourly, k.WithinHourly}, {"daily", k.Daily, k.WithinDaily}, {"weekly", k.Weekly, k.WithinWeekly},
		{"monthly", k.Monthly, k.WithinMonthly}, {"yearly", k.Yearly, k.WithinYearly},
	} {
		if rule.long != nil && *rule.long > 0 {
			out = append(out, rule.word+" for "+lengthText(*rule.long))
		}
		if rule.n != nil && *rule.n != 0 {
			out = append(out, manyText(*rule.n)+" "+rule.word)
		}
	}
	if k.Last != nil && *k.Last != 0 {
		out = append(out, "the last "+manyText(*k.Last)+" changes")
	}
	if len(out) == 0 {
		out = append(out, "only the present, and snapshots")
	}
	return out
}

func manyText(n int) string {
	if n == control.KeepAll {
		return "all"
	}
	return count(int64(n))
}
