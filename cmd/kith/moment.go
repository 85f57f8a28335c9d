package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kithmesh/kith/node/control"
)

// momentHelp says how a T is given.
const momentHelp = "T is a time, as in 2026-11-20, \"2026-11-20 14:00\", 14:00, \"yesterday 14:00\", monday,\n" +
	"\"2h ago\", \"3d ago\" or RFC 3339, or the label of a snapshot. A day alone is its beginning;\n" +
	"a time of day alone is the last time that it was so late."

// parseMoment reads a T: a time, or else the label of a snapshot.
func parseMoment(s string, now time.Time) (control.Moment, error) {
	if strings.TrimSpace(s) == "" {
		return control.Moment{}, &usage{message: "an empty time", hint: "say it like 2026-11-20 14:00, yesterday 14:00 or 2h ago"}
	}
	t, ok := parseTime(s, now)
	switch {
	case !ok:
		return control.Moment{Label: strings.TrimSpace(s)}, nil
	case t.Equal(now):
		return control.Moment{}, nil
	case t.After(now.Add(time.Minute)):
		return control.Moment{}, &usage{message: quoted(s) + " is still to come: " + stamp(t, now), hint: "it is now " + stamp(now, now)}
	}
	return control.Moment{At: t}, nil
}

// pastMoment is the T of a flag; what was not given is now.
func pastMoment(cmd *cobra.Command, flag string) (control.Moment, error) {
	if !cmd.Flags().Changed(flag) {
		return control.Moment{}, nil
	}
	m, err := parseMoment(cmd.Flag(flag).Value.String(), now())
	if err != nil {
		return m, usagef(cmd, "--%s: %w", flag, err)
	}
	return m, nil
}

// pastTime is the T of a flag that takes a time only; what was not given is
// zero.
func pastTime(cmd *cobra.Command, flag string) (time.Time, error) {
	m, err := pastMoment(cmd, flag)
	switch {
	case err != nil:
		return time.Time{}, err
	case m.Label != "":
		return time.Time{}, usagef(cmd, "--%s %s is not a time like 2026-11-20 14:00, yesterday 14:00 or 2h ago", flag, quoted(m.Label))
	case m.At.IsZero() && cmd.Flags().Changed(flag):
		return now(), nil
	}
	return m.At, nil
}

// wholeLayouts have a year. Where the seconds are given they may have a
// fraction.
var wholeLayouts = []string{
	"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02t15:04", "2006-01-02t15:04:05",
	"2 Jan 2006", "2 Jan 2006 15:04", "2 Jan 2006 15:04:05",
}

// yearlessLayouts mean the last time that it was so.
var yearlessLayouts = []string{"2 Jan", "2 Jan 15:04", "2 Jan 15:04:05"}

// parseTime reads a time as people say it, in the zone of now; false for what
// is none.
func parseTime(s string, now time.Time) (time.Time, bool) {
	text := strings.ToLower(strings.Join(strings.Fields(s), " "))
	if text == "now" {
		return now, true
	}
	if t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text)); err == nil {
		return t, true
	}
	if length, ok := strings.CutSuffix(text, " ago"); ok {
		back, err := parseStretch(length, theMinute)
		return back.before(now), err == nil
	}
	for _, layout := range wholeLayouts {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, true
		}
	}
	for _, layout := range yearlessLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return lastYearly(t, now)
		}
	}
	return dayTime(text, now)
}

// lastYearly is the last time before now that had the month, day and time of
// day of t. The 29th of February is up to eight years ago.
func lastYearly(t, now time.Time) (time.Time, bool) {
	for back := range 9 {
		at := time.Date(now.Year()-back, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())
		if at.Day() == t.Day() && !at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}

// dayTime reads "14:00", "yesterday", "monday 14:00", "last monday".
func dayTime(text string, now time.Time) (time.Time, bool) {
	if tod, ok := timeOfDay(text); ok {
		t := on(now, 0, tod)
		if t.After(now) {
			t = on(now, 1, tod)
		}
		return t, true
	}
	word, rest, _ := strings.Cut(text, " ")
	last := word == "last"
	if last {
		word, rest, _ = strings.Cut(rest, " ")
	}
	var tod time.Time
	if rest != "" {
		var ok bool
		if tod, ok = timeOfDay(rest); !ok {
			return time.Time{}, false
		}
	}
	switch {
	case word == "today" && !last:
		return on(now, 0, tod), true
	case word == "yesterday" && !last:
		return on(now, 1, tod), true
	}
	back, ok := weekdayBack(word, now)
	if !ok {
		return time.Time{}, false
	}
	t := on(now, back, tod)
	if t.After(now) || last && back == 0 {
		t = on(now, back+7, tod)
	}
	return t, true
}

// weekdayBack is how many days ago a weekday was last; the present day is one.
func weekdayBack(name string, now time.Time) (int, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		full := strings.ToLower(d.String())
		if name == full || name == full[:3] {
			return int(now.Weekday()-d+7) % 7, true
		}
	}
	return 0, false
}

func timeOfDay(s string) (time.Time, bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// on is a time of day, so many days before now.
func on(now time.Time, back int, tod time.Time) time.Time {
	return time.Date(now.Year(), now.Month(), now.Day()-back, tod.Hour(), tod.Minute(), tod.Second(), tod.Nanosecond(), now.Location())
}

// stamp is a time to the second, in now's zone: what a T may be, and what
// sorts.
func stamp(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(now.Location()).Format("2006-01-02 15:04:05")
}

// momentText is a T for people.
func momentText(m control.Moment, now time.Time) string {
	switch {
	case m.Label != "":
		return quoted(m.Label)
	case m.At.IsZero():
		return "now"
	}
	return stamp(m.At, now)
}
