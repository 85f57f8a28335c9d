package retention

import (
	"iter"
	"slices"
	"sort"
	"time"
)

// Kept is what a policy keeps of one history.
type Kept struct {
	holdFrom time.Time
	within   time.Time // zero: no such rule
	moments  [ruleCount][]time.Time
}

// Moment is an instant whose state is kept.
type Moment struct {
	At    time.Time
	Rules []Rule // why, in the order of their constants
}

// Reason is why a version is kept.
type Reason struct {
	Rule Rule
	// At is the last moment of that rule that needs the version. It is zero for
	// Current, and where a whole stretch of time is kept its beginning.
	At time.Time
}

// Decide applies the policy to the changes of a history, given in ascending
// order, at a present, from which times are counted back. Changes after the
// present are kept. The policy is one that [Policy.Check] accepts.
func (p Policy) Decide(changes iter.Seq[time.Time], pins []time.Time, now time.Time) *Kept {
	if p.Zone == nil {
		p.Zone = time.UTC
	}
	rules := p.rules()
	var spans [len(rules)]ends
	for i, r := range rules {
		spans[i] = ends{unit: r.unit, zone: p.Zone}
	}
	latest := newest{most: p.Last}
	for t := range changes {
		for i := range spans {
			spans[i].add(t)
		}
		latest.add(t)
	}
	k := &Kept{holdFrom: before(now, p.Hold)}
	if p.Within > 0 {
		k.within = before(now, p.Within)
	}
	for i, r := range rules {
		k.moments[r.unit] = spans[i].keep(r, now)
	}
	k.moments[Last] = latest.keep()
	k.moments[Pinned] = slices.SortedFunc(slices.Values(pins), time.Time.Compare)
	return k
}

// before is t less d, and the beginning of time where that is forever.
func before(t time.Time, d time.Duration) time.Time {
	if d == Forever {
		return time.Unix(0, 0)
	}
	return t.Add(-d)
}

// ends collects the last change of each stretch of one unit.
type ends struct {
	unit  Rule
	zone  *time.Location
	spans []ended
}

// ended is a stretch in which there was a change.
type ended struct{ start, end, last time.Time }

func (e *ends) add(t time.Time) {
	if n := len(e.spans); n > 0 {
		s := &e.spans[n-1]
		if t.Before(s.end) {
			s.last = t
			return
		}
		if start, end := e.unit.span(t, e.zone); start.Equal(s.start) {
			s.last, s.end = t, end
			return
		}
	}
	start, end := e.unit.span(t, e.zone)
	e.spans = append(e.spans, ended{start, end, t})
}

// keep are the moments that a rule keeps of them, ascending: the last of the
// last so many stretches, of those within the time, and what was the state when
// that time began.
func (e *ends) keep(r rule, now time.Time) []time.Time {
	first := len(e.spans)
	if r.count == All {
		first = 0
	} else {
		first = max(0, first-r.count)
	}
	if r.within > 0 {
		from := before(now, r.within)
		i := sort.Search(len(e.spans), func(i int) bool { return e.spans[i].end.After(from) })
		if i > 0 && (i == len(e.spans) || e.spans[i].start.After(from)) {
			i-- // no change in the first stretch: it ended as this one did
		}
		first = min(first, i)
	}
	var out []time.Time
	for _, s := range e.spans[first:] {
		out = append(out, s.last)
	}
	return out
}

// newest collects the last changes.
type newest struct {
	most  int
	times []time.Time
}

func (n *newest) add(t time.Time) {
	if n.most == 0 {
		return
	}
	n.times = append(n.times, t)
	if n.most > 0 && len(n.times) == 2*n.most {
		n.times = append(n.times[:0], n.times[n.most:]...)
	}
}

func (n *newest) keep() []time.Time {
	if n.most < 0 {
		return n.times
	}
	return n.times[max(0, len(n.times)-n.most):]
}

// Since is the instant from which on every moment is kept.
func (k *Kept) Since() time.Time {
	if !k.within.IsZero() && k.within.Before(k.holdFrom) {
		return k.within
	}
	return k.holdFrom
}

// Moments are the single moments that are kept, ascending, those after
// [Kept.Since] among them.
func (k *Kept) Moments() []Moment {
	var out []Moment
	for r := range ruleCount {
		for _, t := range k.moments[r] {
			out = append(out, Moment{At: t, Rules: []Rule{r}})
		}
	}
	slices.SortStableFunc(out, func(a, b Moment) int { return a.At.Compare(b.At) })
	merged := out[:0]
	for _, m := range out {
		if n := len(merged); n > 0 && merged[n-1].At.Equal(m.At) {
			merged[n-1].Rules = append(merged[n-1].Rules, m.Rules...)
			continue
		}
		merged = append(merged, m)
	}
	return merged
}

// Judge tells why a version is kept that was received at one instant and was
// newest from then until before another, which is zero if it is newest now. It
// may have been superseded before it came. A version with no reason is to be
// dropped.
func (k *Kept) Judge(received, until time.Time) []Reason {
	var reasons []Reason
	if until.IsZero() {
		reasons = append(reasons, Reason{Rule: Current})
	}
	young := func(from time.Time) bool {
		return until.IsZero() || until.After(from) || !received.Before(from)
	}
	if young(k.holdFrom) {
		reasons = append(reasons, Reason{Hold, k.holdFrom})
	}
	if !k.within.IsZero() && young(k.within) {
		reasons = append(reasons, Reason{Within, k.within})
	}
	for r := Pinned; r < ruleCount; r++ {
		if at, ok := lastIn(k.moments[r], received, until); ok {
			reasons = append(reasons, Reason{r, at})
		}
	}
	return reasons
}

// lastIn is the last of the times from one instant until before another; zero
// is no end.
func lastIn(times []time.Time, from, until time.Time) (time.Time, bool) {
	n := len(times)
	if !until.IsZero() {
		n = sort.Search(len(times), func(i int) bool { return !times[i].Before(until) })
	}
	if n == 0 || times[n-1].Before(from) {
		return time.Time{}, false
	}
	return times[n-1], true
}
