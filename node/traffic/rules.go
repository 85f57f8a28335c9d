package traffic

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Rate is bytes a second.
type Rate int64

const (
	// Unlimited is no limit, said as such.
	Unlimited Rate = -1
	// Unsaid: another rule decides. It is the zero value.
	Unsaid Rate = 0
	// Least is the lowest rate that can be set: below it streams would seem
	// dead to the other side. To send nothing there is the pause.
	Least Rate = 5_000
)

// ErrRule is wrapped when a rule cannot be.
var ErrRule = errors.New("not a limit")

// Span is a part of each day by the clock of this machine's zone, in minutes
// since midnight: from the first up to and without the second, over midnight
// if that is the lower one. The zero Span is always.
type Span struct{ From, To int }

// Always tells whether the span is all of the time.
func (s Span) Always() bool { return s.From == s.To }

const minutesOfDay = 24 * 60

// ParseSpan reads "08:00-18:00". The whole day may be said as "00:00-24:00".
func ParseSpan(text string) (Span, error) {
	from, to, ok := strings.Cut(strings.ReplaceAll(text, " ", ""), "-")
	if !ok {
		return Span{}, fmt.Errorf("%w: %q is no time of day like 08:00-18:00", ErrRule, text)
	}
	var s Span
	var err, err2 error
	s.From, err = parseMinute(from)
	s.To, err2 = parseMinute(to)
	if errors.Join(err, err2) != nil || s.From == minutesOfDay || s.From == s.To {
		return Span{}, fmt.Errorf("%w: %q is no time of day like 08:00-18:00", ErrRule, text)
	}
	if s.To == minutesOfDay {
		s.To = 0
	}
	return s, nil
}

func parseMinute(text string) (int, error) {
	hour, minute, ok := strings.Cut(text, ":")
	if !ok {
		minute = "0"
	}
	h, err := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	if err := errors.Join(err, err2); err != nil {
		return 0, err
	}
	if m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, ErrRule
	}
	return int(h*60 + m), nil //nolint:gosec // below 1441
}

func (s Span) String() string {
	if s.Always() {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60)
}

// Holds tells whether a moment lies in the span, by the clock on the wall of
// t's zone: an hour that a change of clocks repeats is in it twice.
func (s Span) Holds(t time.Time) bool {
	now := t.Hour()*60 + t.Minute()
	switch {
	case s.Always():
		return true
	case s.From < s.To:
		return s.From <= now && now < s.To
	}
	return now >= s.From || now < s.To
}

// Rule is a limit for all traffic together, or for one device.
type Rule struct {
	Device  entry.DeviceID // empty: all together
	Between Span
	Up      Rate
	Down    Rate
}

// Rules are all the limits of a device. The zero Rules limit nothing.
type Rules struct {
	Rules []Rule
	// LAN is the rate of the local network, each way; Unsaid is Unlimited. The
	// other rules never apply there.
	LAN Rate
}

// Check tells whether the rules can be; the error wraps [ErrRule].
func (r Rules) Check() error {
	rates := []Rate{r.LAN}
	for _, one := range r.Rules {
		rates = append(rates, one.Up, one.Down)
		if b := one.Between; b.From < 0 || b.To < 0 || b.From >= minutesOfDay || b.To >= minutesOfDay {
			return fmt.Errorf("%w: minutes %d to %d of a day", ErrRule, b.From, b.To)
		}
	}
	for _, rate := range rates {
		if rate < Unlimited || rate > 0 && rate < Least {
			return fmt.Errorf("%w: %d bytes a second; the least is %d", ErrRule, rate, Least)
		}
	}
	return nil
}

// With is the rules with one put in, over that for the same device and time:
// what the new one leaves unsaid stays. A rule that says nothing is left out,
// and so is one that says at all times what holds without it.
func (r Rules) With(n Rule) Rules {
	out := Rules{LAN: r.LAN}
	for _, one := range r.Rules {
		if one.Device == n.Device && one.Between == n.Between {
			n.Up, n.Down = cmp.Or(n.Up, one.Up), cmp.Or(n.Down, one.Down)
			continue
		}
		out.Rules = append(out.Rules, one)
	}
	if n.Between.Always() {
		n.Up, n.Down = max(n.Up, Unsaid), max(n.Down, Unsaid)
	}
	if n.Up != Unsaid || n.Down != Unsaid {
		out.Rules = append(out.Rules, n)
	}
	slices.SortStableFunc(out.Rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Between.From, b.Between.From), cmp.Compare(a.Between.To, b.Between.To))
	})
	return out
}

// Without is the rules without those of a device, or for "" without those of
// all together, and of a time; nil: of all times.
func (r Rules) Without(d entry.DeviceID, between *Span) Rules {
	return Rules{LAN: r.LAN, Rules: slices.DeleteFunc(slices.Clone(r.Rules), func(one Rule) bool {
		return one.Device == d && (between == nil || one.Between == *between)
	})}
}

// Rates are what the rules come to at a moment. A rate of zero or below is no
// limit.
type Rates struct {
	All Pair
	LAN Pair
	Per map[entry.DeviceID]Pair
}

// Pair is a rate for each direction.
type Pair [2]Rate

// At is what holds at a moment, in t's zone. For each direction a rule with a
// time goes before one that holds always, and of several such the lowest rate
// counts.
func (r Rules) At(t time.Time) Rates {
	out := Rates{LAN: Pair{r.LAN, r.LAN}, Per: map[entry.DeviceID]Pair{}}
	for _, always := range []bool{true, false} {
		said := map[entry.DeviceID]Pair{}
		for _, one := range r.Rules {
			if one.Between.Always() == always && one.Between.Holds(t) {
				p := said[one.Device]
				said[one.Device] = Pair{lower(p[Up], one.Up), lower(p[Down], one.Down)}
			}
		}
		for d, p := range said {
			had := out.Per[d]
			out.Per[d] = Pair{cmp.Or(p[Up], had[Up]), cmp.Or(p[Down], had[Down])}
		}
	}
	out.All = out.Per[""]
	delete(out.Per, "")
	return out
}

// lower is the stricter of two rates.
func lower(a, b Rate) Rate {
	switch {
	case a == Unsaid || a == Unlimited && b != Unsaid:
		return b
	case b == Unsaid || b == Unlimited:
		return a
	}
	return min(a, b)
}
