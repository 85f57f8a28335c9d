package gather

import (
	"context"
	"slices"
	"sync"

	"github.com/kithmesh/kith/index/entry"
)

// queue holds the needs that are still to be fetched, in the order in which
// their jobs want them.
type queue struct {
	mu    sync.Mutex
	moved sync.Cond
	todo  []*open
	away  int // requests that workers have out
	gone  map[entry.DeviceID]bool
	small bool // all of it together is little
}

// open is a need with who may still be asked for it.
type open struct {
	need *need
	from []entry.DeviceID
}

func newQueue(needs []*need, sources []Source) *queue {
	q := &queue{gone: map[entry.DeviceID]bool{}}
	q.moved.L = &q.mu
	bytes := 0
	for _, n := range needs {
		if n.idle() {
			continue
		}
		bytes += int(n.length)
		o := &open{need: n}
		for _, s := range sources {
			if n.heldBy(s.Device()) {
				o.from = append(o.from, s.Device())
			}
		}
		q.todo = append(q.todo, o)
	}
	q.small = bytes <= smallWork
	return q
}

// isFor tells whether a source may be asked for the need now.
func (o *open) isFor(s Source) bool {
	return slices.Contains(o.from, s.Device()) &&
		slices.ContainsFunc(o.need.sinks, func(k sink) bool { return Gives(s, k.job.Entry.Size) })
}

// heldBy tells whether a member announced a file that holds the block.
func (n *need) heldBy(d entry.DeviceID) bool {
	return slices.ContainsFunc(n.sinks, func(s sink) bool {
		_, ok := s.job.Holders[d]
		return ok
	})
}

// await waits for work that a member can do, and tells whether there is any;
// if not, there will be none.
func (q *queue) await(ctx context.Context, s Source) bool {
	d := s.Device()
	q.mu.Lock()
	defer q.mu.Unlock()
	for ctx.Err() == nil && !q.gone[d] {
		if slices.ContainsFunc(q.todo, func(o *open) bool { return !o.need.idle() && o.isFor(s) }) {
			return true
		}
		if q.away == 0 {
			return false
		}
		q.moved.Wait() // what another member has out may come back
	}
	return false
}

// take takes the next request's worth of needs that a member can be asked for, of
// most bytes if it is more than one; none if others were faster. What it passes over stays in
// front.
func (q *queue) take(s Source, most int) []*need {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone[s.Device()] {
		return nil
	}
	var part []*need
	var passed []*open
	bytes, i := 0, 0
	for ; i < len(q.todo) && len(part) < requestIDs; i++ {
		o := q.todo[i]
		if o.need.idle() {
			continue
		}
		if !o.isFor(s) {
			passed = append(passed, o)
			continue
		}
		if len(part) > 0 && bytes+int(o.need.length) > most {
			break
		}
		part = append(part, o.need)
		bytes += int(o.need.length)
	}
	q.todo = q.todo[i-len(passed):]
	copy(q.todo, passed)
	if len(part) > 0 {
		q.away++
	}
	return part
}

// done brings a request back: what d lacks is left for others, and so is what
// it failed to deliver, d being asked no more if it failed. Else d is asked again
// for what it has not delivered.
func (q *queue) done(d entry.DeviceID, missing, left []*need, failed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away--
	if failed {
		q.gone[d] = true
	}
	back := make([]*open, 0, len(missing)+len(left))
	for _, n := range missing {
		back = append(back, &open{need: n, from: q.others(n, d)})
	}
	for _, n := range left {
		if failed {
			back = append(back, &open{need: n, from: q.others(n, d)})
		} else {
			back = append(back, &open{need: n, from: n.unrefused()})
		}
	}
	q.todo = append(back, q.todo...)
	q.moved.Broadcast()
}

// others are the holders of n that were not asked in vain.
func (q *queue) others(n *need, d entry.DeviceID) []entry.DeviceID {
	n.refused = append(n.refused, d)
	return n.unrefused()
}

// unrefused are the holders that were not asked in vain.
func (n *need) unrefused() []entry.DeviceID {
	var out []entry.DeviceID
	for _, s := range n.sinks {
		for h := range s.job.Holders {
			if !slices.Contains(n.refused, h) && !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

// wake makes all that wait look at their context.
func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.moved.Broadcast()
}

// rest are the needs that nobody satisfied, once all workers have ended.
func (q *queue) rest() []*need {
	var out []*need
	for _, o := range q.todo {
		out = append(out, o.need)
	}
	return out
}
