// Package retention decides which moments of the past are kept, and so which
// versions of a record: it knows no vault, no disk and no clock.
//
// A vault makes no backups at set times: it receives versions when they are
// made, and any moment can be restored. A moment is an instant of the vault's
// clock; the state at a moment is made of the versions that were newest then.
// A version is newest from when it was received until something that has seen
// it was received, and it is needed exactly if a kept moment lies in between.
//
// A [Policy] keeps moments by rules with the names of restic's. It looks at the
// changes, the instants at which something was received that was newer than
// all before:
//
//   - Last keeps the last so many changes.
//   - Hourly, Daily, Weekly, Monthly and Yearly keep, of the last so many hours
//     (days, weeks, ...) in which there was a change, the state at their end.
//   - Within keeps every moment of a time, and WithinHourly and so on the state
//     at the end of each hour (day, ...) of a time, with or without a change in
//     it.
//   - Hold is a Within that no other setting shortens.
//   - Pinned moments and the present are always kept.
//
// Times are counted back from the present, so a history to which nothing is
// added thins as well; numbers of changes, hours, days, ... are of those that
// there were. Who cannot trust a clock waits before dropping: what a clock that
// is ahead lets go is needed again when it is right.
//
// # Promises
//
//   - Once dropped, never needed: while the policy is the same, what it does not
//     keep now it does not keep later either. To drop what is not needed, again
//     and again, gives in the end the same states for all kept moments as to
//     have dropped nothing.
//   - Nothing that was newest at a moment, or received, within the hold is
//     dropped.
//
// All is pure, and safe for concurrent use.
package retention

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// All, as a number of changes, hours, days, ..., keeps all of them, and
// Forever, as a duration, reaches back to the first change.
const (
	All                   = -1
	Forever time.Duration = math.MaxInt64
)

// ErrPolicy is wrapped where a policy cannot be meant as it is.
var ErrPolicy = errors.New("not a retention policy")

// Policy says which moments to keep. The zero Policy keeps the present and what
// is pinned; most want [Default].
type Policy struct {
	Last                                    int // changes
	Hourly, Daily, Weekly, Monthly, Yearly  int // hours, days, ... in which there was a change
	Within                                  time.Duration
	WithinHourly, WithinDaily, WithinWeekly time.Duration
	WithinMonthly, WithinYearly             time.Duration

	// Hold is for how long everything is kept, whatever the rest says.
	Hold time.Duration
	// Zone is where hours and days begin; nil is UTC. Weeks begin on Monday.
	Zone *time.Location
}

const day = 24 * time.Hour

// Default keeps everything for two days, then the state at the end of each hour
// for seven days, of each day for thirty, of each week for a year, and of each
// month for ever. It holds everything for two days.
func Default() Policy {
	return Policy{
		Within: 2 * day, WithinHourly: 7 * day, WithinDaily: 30 * day, WithinWeekly: 365 * day, WithinMonthly: Forever,
		Hold: 2 * day,
	}
}

// Check refuses, with an error that wraps [ErrPolicy], numbers below [All] and
// durations below zero.
func (p Policy) Check() error {
	for _, r := range p.rules() {
		if r.count < All || r.within < 0 {
			return fmt.Errorf("%w: %s: %d, %s", ErrPolicy, r.unit, r.count, r.within)
		}
	}
	if p.Last < All || p.Within < 0 || p.Hold < 0 {
		return fmt.Errorf("%w: last %d, within %s, hold %s", ErrPolicy, p.Last, p.Within, p.Hold)
	}
	return nil
}

// rule keeps the state at the end of stretches of the calendar.
type rule struct {
	unit   Rule
	count  int
	within time.Duration
}

func (p Policy) rules() [5]rule {
	return [...]rule{
		{Hourly, p.Hourly, p.WithinHourly}, {Daily, p.Daily, p.WithinDaily}, {Weekly, p.Weekly, p.WithinWeekly},
		{Monthly, p.Monthly, p.WithinMonthly}, {Yearly, p.Yearly, p.WithinYearly},
	}
}

// Rule is why a moment is kept.
type Rule uint8

// The rules.
const (
	Current Rule = iota // newest now
	Hold
	Within
	Pinned
	Last
	Hourly
	Daily
	Weekly
	Monthly
	Yearly
	ruleCount
)

func (r Rule) String() string {
	if r >= ruleCount {
		return fmt.Sprintf("rule(%d)", uint8(r))
	}
	return [...]string{"current", "hold", "within", "pinned", "last", "hourly", "daily", "weekly", "monthly", "yearly"}[r]
}

// span is the stretch of a rule that t lies in, from start until before end.
// A later t never has an earlier start, whatever the zone does with its clocks.
func (r Rule) span(t time.Time, zone *time.Location) (start, end time.Time) {
	t = t.In(zone)
	y, m, d := t.Date()
	date := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, zone) }
	switch r {
	case Hourly:
		past := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
		start = t.Add(-past)
		return start, start.Add(time.Hour)
	case Daily:
		return date(y, m, d), date(y, m, d+1)
	case Weekly:
		monday := d - (int(t.Weekday())+6)%7
		return date(y, m, monday), date(y, m, monday+7)
	case Monthly:
		return date(y, m, 1), date(y, m+1, 1)
	default:
		return date(y, 1, 1), date(y+1, 1, 1)
	}
}
