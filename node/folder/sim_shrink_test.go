package folder

import (
	"slices"
	"testing"
	"time"
)

// simTell makes a schedule that fails as small as it gets, and tells it.
func simTell(t testing.TB, home string, p *simPlan) {
	t.Helper()
	s := &simShrinker{home: home, until: time.Now().Add(20 * time.Second)}
	err, _ := s.fails(p)
	if err == nil {
		t.Logf("it did not fail again")
		return
	}
	s.kind = err.kind
	p = s.shrink(p)
	err, noise := s.fails(p)
	if err == nil {
		return
	}
	w := newSimWorld(p, noise, home, s.bug, true)
	_ = w.play()
	t.Logf("the smallest that fails, of %d tried: %v\n%v\n%s", s.tried, err, p, w.story)
}

// simShrinker makes a schedule smaller for as long as it fails in the same way.
type simShrinker struct {
	home  string
	bug   *simBug
	kind  string
	until time.Time
	tried int
}

// simNoises is how often a schedule is tried, each time with other chances.
const simNoises = 8

func (s *simShrinker) fails(p *simPlan) (*simFailure, uint64) {
	for noise := range uint64(simNoises) {
		s.tried++
		w := newSimWorld(p, noise, s.home, s.bug, false)
		if err := w.play(); err != nil && (s.kind == "" || err.kind == s.kind) {
			return err, noise
		}
	}
	return nil, 0
}

// shrink tries all that could be left out, largest first, again and again.
func (s *simShrinker) shrink(p *simPlan) *simPlan {
	for changed := true; changed; {
		changed = false
		for _, smaller := range s.smaller(p) {
			for q := smaller(); q != nil; q = smaller() {
				if time.Now().After(s.until) {
					return p
				}
				if err, _ := s.fails(q); err != nil {
					p, changed = q, true
					break
				}
			}
			if changed {
				break
			}
		}
	}
	return p
}

// smaller are ways to make a plan smaller, each of which gives one plan after
// the other, and then nil.
func (s *simShrinker) smaller(p *simPlan) []func() *simPlan {
	out := []func() *simPlan{s.fewerDevices(p), s.fewerCalms(p)}
	for n := len(p.ops) / 2; n > 0; n /= 2 {
		out = append(out, s.fewerOps(p, n))
	}
	return append(out, s.plainer(p), s.plainerSetup(p))
}

func (p *simPlan) clone() *simPlan {
	q := *p
	q.ops, q.calms, q.setup = slices.Clone(p.ops), slices.Clone(p.calms), slices.Clone(p.setup)
	return &q
}

func (s *simShrinker) fewerDevices(p *simPlan) func() *simPlan {
	gone := p.devices
	return func() *simPlan {
		gone--
		if gone < 1 || p.devices <= 2 {
			return nil
		}
		return p.without(gone)
	}
}

// without is the plan without one device.
func (p *simPlan) without(gone int) *simPlan {
	q := p.clone()
	q.devices--
	q.setup = slices.Delete(q.setup, gone, gone+1)
	less := func(n *int) bool {
		if *n > gone {
			*n--
			return false
		}
		return *n == gone
	}
	q.ops = slices.DeleteFunc(q.ops, func(o simOp) bool { return o.device == gone || o.other == gone && o.kind != doUser })
	for i := range q.ops {
		less(&q.ops[i].device)
		if less(&q.ops[i].other) {
			q.ops[i].other = 0
		}
	}
	q.calms = slices.DeleteFunc(q.calms, func(c simCalm) bool { return c.user == gone })
	for i := range q.calms {
		less(&q.calms[i].user)
		if less(&q.calms[i].away) {
			q.calms[i].away = -1
		}
	}
	if less(&q.liesBy) {
		q.liesBy = -1
	}
	return q
}

func (s *simShrinker) fewerCalms(p *simPlan) func() *simPlan {
	i := len(p.calms)
	return func() *simPlan {
		if i--; i < 0 {
			return nil
		}
		q := p.clone()
		q.calms = slices.Delete(q.calms, i, i+1)
		return q
	}
}

func (s *simShrinker) fewerOps(p *simPlan, n int) func() *simPlan {
	at := len(p.ops)
	return func() *simPlan {
		if at <= 0 {
			return nil
		}
		from := max(at-n, 0)
		q := p.clone()
		q.ops = slices.Delete(q.ops, from, at)
		at = from
		return q
	}
}

// plainer takes the oddities out of single ops.
func (s *simShrinker) plainer(p *simPlan) func() *simPlan {
	all := []func(o *simOp) bool{
		func(o *simOp) bool { was := o.inside; o.inside, o.at = 0, ""; return was != 0 },
		func(o *simOp) bool { was := o.after; o.after = 0; return was != 0 },
	}
	i := 0
	return func() *simPlan {
		for ; i < len(p.ops)*len(all); i++ {
			q := p.clone()
			if all[i%len(all)](&q.ops[i/len(all)]) {
				i++
				return q
			}
		}
		return nil
	}
}

func (s *simShrinker) plainerSetup(p *simPlan) func() *simPlan {
	changes := []func(o *simSetup) bool{
		func(o *simSetup) bool { was := o.files; o.files = 0; return was != 0 },
		func(o *simSetup) bool { was := o.skew; o.skew = 0; return was != 0 },
		func(o *simSetup) bool { was := o.late; o.late = 0; return was != 0 },
		func(o *simSetup) bool { was := o.grain; o.grain = 1; return was != 1 },
		func(o *simSetup) bool { was := o.begin; o.begin = true; return !was },
	}
	i := 0
	return func() *simPlan {
		for ; i < len(p.setup)*len(changes); i++ {
			q := p.clone()
			if changes[i%len(changes)](&q.setup[i/len(changes)]) {
				i++
				return q
			}
		}
		return nil
	}
}
