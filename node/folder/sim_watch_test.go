package folder

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree/watch"
)

// simWatcher tells the actor of a device what has changed, a little later.
type simWatcher struct {
	d       *simDevice
	pending map[entry.Path]bool
	due     bool
	deaf    string // why changes go unnoticed; empty: they do not
}

func newSimWatcher(d *simDevice) *simWatcher {
	return &simWatcher{d: d, pending: map[entry.Path]bool{}}
}

// Run sets the watches.
func (s *simWatcher) Run(context.Context) error {
	s.later(5*time.Millisecond, "ready", func(a *actor) { a.disk.ready = true })
	return nil
}

// later has the actor do something, if it still has this watcher.
func (s *simWatcher) later(most time.Duration, what string, fn func(*actor)) {
	life := s.d.life
	s.d.w.after(s.d.w.short(most), what, func() {
		if s.d.life == life && s.d.up() && s.d.a.disk != nil && s.d.a.disk.watcher == s {
			s.d.turn(what, func() { fn(s.d.a) })
		}
	})
}

func (s *simWatcher) notice(p entry.Path, below bool) {
	if s.deaf != "" {
		return
	}
	s.pending[p] = s.pending[p] || below
	if s.due {
		return
	}
	s.due = true
	s.later(2*time.Millisecond, "noticed", func(a *actor) {
		s.due = false
		a.noticed()
	})
}

// Ready and Changed are never waited for here: see later.
func (s *simWatcher) Ready() <-chan struct{}   { return nil }
func (s *simWatcher) Changed() <-chan struct{} { return nil }

// Take is what may have changed.
func (s *simWatcher) Take() []watch.Event {
	var out []watch.Event
	for _, p := range slices.SortedFunc(maps.Keys(s.pending), entry.Path.Compare) {
		out = append(out, watch.Event{Path: p, Recursive: s.pending[p]})
	}
	clear(s.pending)
	return out
}

// Degraded tells whether changes go unnoticed.
func (s *simWatcher) Degraded() (string, bool) { return s.deaf, s.deaf != "" }

// Renew sets the watches anew, if that is possible.
func (s *simWatcher) Renew() {
	s.later(20*time.Millisecond, "renewed", func(*actor) {
		if s.d.w.calm {
			s.deaf = ""
		}
		s.notice("", true)
	})
}

// overflow is what happens when more changes than the system remembers: it
// says so.
func (s *simWatcher) overflow() {
	clear(s.pending)
	s.notice("", true)
}
