package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/kithmesh/kith/node/control"
)

const (
	day   = 24 * time.Hour
	month = 31 * day // as a length: what is kept for a month is kept for the longest
	year  = 365 * day
)

// stretch is a length of time in the units of a calendar.
type stretch struct {
	years, months, days int
	rest                time.Duration
}

// length is the stretch as a length that depends on no calendar.
func (s stretch) length() time.Duration {
	return time.Duration(s.years)*year + time.Duration(s.months)*month + time.Duration(s.days)*day + s.rest
}

// before is the time that lies a stretch before t, by the calendar.
func (s stretch) before(t time.Time) time.Time {
	return t.AddDate(-s.years, -s.months, -s.days).Add(-s.rest)
}

// unitNames are what units are called; those of a stretch go from long to short.
var unitNames = []struct {
	names string
	add   func(*stretch, int)
}{
	{"y yr year years", func(s *stretch, n int) { s.years += n }},
	{"mo month months", func(s *stretch, n int) { s.months += n }},
	{"w week weeks", func(s *stretch, n int) { s.days += 7 * n }},
	{"d day days", func(s *stretch, n int) { s.days += n }},
	{"h hr hour hours", func(s *stretch, n int) { s.rest += time.Duration(n) * time.Hour }},
	{"min mins minute minutes", func(s *stretch, n int) { s.rest += time.Duration(n) * time.Minute }},
	{"s sec secs second seconds", func(s *stretch, n int) { s.rest += time.Duration(n) * time.Second }},
}

// The places of units in unitNames that an "m" may mean.
const (
	theYear, theMonth, theMinute = 0, 1, 5
)

var errStretch = errors.New("not a length of time like 36h, 30d, 12w or 1y2m")

// parseStretch reads lengths of time as restic has them, "1y2m3d4h", and with
// whole words. An "m" after years is months, and one after anything else that
// is longer is minutes; alone it is what the caller says.
func parseStretch(s string, alone int) (stretch, error) {
	var out stretch
	last := -1
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeft(s, " ") {
		digits := len(s) - len(strings.TrimLeftFunc(s, func(r rune) bool { return r >= '0' && r <= '9' }))
		n, err := strconv.ParseUint(s[:digits], 10, 20)
		if err != nil {
			return out, errStretch
		}
		s = strings.TrimLeft(s[digits:], " ")
		letters := len(s) - len(strings.TrimLeftFunc(s, unicode.IsLetter))
		at := unitNamed(s[:letters], last, alone)
		if at <= last {
			return out, errStretch
		}
		unitNames[at].add(&out, int(n)) //nolint:gosec // below 2^20
		s, last = s[letters:], at
	}
	if last < 0 || float64(out.years)*float64(year)+float64(out.months)*float64(month)+float64(out.days)*float64(day) > math.MaxInt64/2 {
		return out, errStretch
	}
	return out, nil
}

// unitNamed is the place of a unit in unitNames, -1 if there is none.
func unitNamed(name string, last, alone int) int {
	if name == "m" {
		switch last {
		case -1:
			return alone
		case theYear:
			return theMonth
		}
		return theMinute
	}
	for i, u := range unitNames {
		for known := range strings.FieldsSeq(u.names) {
			if name == known {
				return i
			}
		}
	}
	return -1
}

// howLong is a flag that takes a length of time, or forever.
type howLong struct{ d *time.Duration }

func (l *howLong) String() string {
	if l.d == nil {
		return ""
	}
	return lengthText(*l.d)
}

// Type names the value in help texts.
func (l *howLong) Type() string { return "D" }

// Set reads what was given: restic's units, in which a lone "m" is months, or
// Go's.
func (l *howLong) Set(s string) error {
	if s == "forever" {
		l.d = new(control.KeepForever)
		return nil
	}
	if given, err := parseStretch(s, theMonth); err == nil {
		l.d = new(given.length())
		return nil
	}
	d, err := time.ParseDuration(s)
	if s != "0" && (err != nil || d < 0) {
		return errors.New(errStretch.Error() + ", or forever")
	}
	l.d = &d
	return nil
}

// lengthText is an exact length: "30 d", "36h0m0s".
func lengthText(d time.Duration) string {
	switch {
	case d == control.KeepForever:
		return "ever"
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + " d"
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	}
	return d.String()
}

// howMany is a flag that takes a number, or all.
type howMany struct{ n *int }

func (m *howMany) String() string {
	if m.n == nil {
		return ""
	}
	return strconv.Itoa(*m.n)
}

// Type names the value in help texts.
func (m *howMany) Type() string { return "N" }

// Set reads what was given; restic says unlimited.
func (m *howMany) Set(s string) error {
	if s == "all" || s == "unlimited" {
		m.n = new(control.KeepAll)
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 30)
	if err != nil {
		return errors.New("not a number, or all")
	}
	m.n = new(int(n)) //nolint:gosec // below 2^30
	return nil
}

// howBig is a flag that takes a number of bytes.
type howBig struct{ n *int64 }

func (b *howBig) String() string {
	if b.n == nil {
		return ""
	}
	return size(*b.n)
}

// Type names the value in help texts.
func (b *howBig) Type() string { return "SIZE" }

// Set reads what was given.
func (b *howBig) Set(s string) error {
	n, err := parseSize(s)
	if err == nil {
		b.n = &n
	}
	return err
}

var errSize = errors.New("not a size like 500GB, 1.5TiB, or none")

// parseSize reads a number of bytes: kB, MB, GB, TB and PB are powers of 1000,
// with an i (KiB) of 1024; B may be left out.
func parseSize(s string) (int64, error) {
	text := strings.ToLower(strings.ReplaceAll(s, " ", ""))
	if text == "none" {
		return 0, nil
	}
	number := strings.TrimRightFunc(text, unicode.IsLetter)
	suffix := strings.TrimSuffix(text[len(number):], "b")
	unit := 1.0
	if suffix != "" {
		power := strings.IndexByte("kmgtp", suffix[0]) + 1
		switch {
		case power > 0 && len(suffix) == 1:
			unit = math.Pow(1000, float64(power))
		case power > 0 && suffix[1:] == "i":
			unit = math.Pow(1024, float64(power))
		default:
			return 0, errSize
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || n*unit >= 1<<60 || strings.ContainsAny(number, "xXpP_+eEnN") {
		return 0, errSize
	}
	return int64(n * unit), nil
}
