package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// printable makes text from elsewhere fit for a terminal: what is not
// printable, escape sequences above all, is shown as a replacement character.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

// size is n bytes in decimal units, with three digits: "61.2 GB", "41 MB".
func size(n int64) string {
	if n < 0 {
		return "-" + size(-n)
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), ""
	for _, u := range []string{"kB", "MB", "GB", "TB", "PB", "EB"} {
		value, unit = value/1000, u
		if value < 999.5 {
			break
		}
	}
	digits := 0
	switch {
	case value < 9.995:
		digits = 2
	case value < 99.95:
		digits = 1
	}
	s := strconv.FormatFloat(value, 'f', digits, 64)
	if digits > 0 {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s + " " + unit
}

// count is n with separators between thousands.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural is "1 file", "14 files".
func plural(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

// span is a duration in its largest unit, rounded down: "3 h", "2 d".
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours())/24)
}

// ago tells how long before now t was.
func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= time.Second {
		return span(d) + " ago"
	}
	return "just now"
}

// clock is the time of day of t if it is of the same day as now, with the date
// otherwise; in now's zone.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	y, m, d := t.Date()
	ny, nm, nd := now.Date()
	switch {
	case y == ny && m == nm && d == nd:
		return t.Format("15:04")
	case y == ny:
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006")
}

// elapsed is a measured time: "0.42 s", "12.3 s", "2 min 5 s".
func elapsed(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}

// period is a flag that takes a duration: Go's units, "d" for days, or plain
// seconds.
type period time.Duration

func (p *period) String() string { return time.Duration(*p).String() }

// Type names the value in help texts.
func (p *period) Type() string { return "D" }

// Set reads what was given, which must not be negative.
func (p *period) Set(s string) error {
	d, err := parsePeriod(s)
	if err == nil {
		*p = period(d)
	}
	return err
}

var errPeriod = errors.New("not a duration like 30s, 10m, 2h or 3d")

func parsePeriod(s string) (time.Duration, error) {
	if days, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errPeriod
		}
		d := time.Duration(n) * 24 * time.Hour //nolint:gosec // at most 65535 days
		if rest == "" {
			return d, nil
		}
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 {
			return 0, errPeriod
		}
		return d + more, nil
	}
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil //nolint:gosec // below 2^31
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errPeriod
	}
	return d, nil
}
