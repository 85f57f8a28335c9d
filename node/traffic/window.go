package traffic

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

const (
	// target is how long a request may take beyond the way there and back:
	// what comes next waits about as long.
	target = 200 * time.Millisecond
	// mostBase bounds what is taken for the way there and back.
	mostBase = time.Second
	// A window lies between leastWindow and mostWindow, beginning with
	// firstWindow; one request asks for a part of it.
	leastWindow  = 64 << 10
	firstWindow  = 4 << 20
	mostWindow   = 128 << 20
	partOfWindow = 4
)

// Window bounds how many bytes one device is asked for at a time. It follows
// the idea of LEDBAT (RFC 6817): while answers come within the target it grows,
// and when they take longer it shrinks, since then they queue somewhere on the
// way, in front of all that is asked for next. A fast link so is kept full, and
// a slow one is never asked for more than it brings in a moment.
type Window struct {
	mu      sync.Mutex
	size    int           // bytes that may be out
	out     int           // bytes that are
	base    time.Duration // the way there and back; zero if not known
	cut     time.Time     // it last shrank
	waiting []*asking
	turns   turns[entry.FolderID]
}

// asking is somebody who waits for the window.
type asking struct {
	folder entry.FolderID
	most   int
	leave  chan *Leave // of one
}

// Leave is the right to ask for some bytes.
type Leave struct {
	bytes  int
	window *Window
	began  time.Time
	alone  bool // nothing else was out
	full   bool // the window was, with this
}

// NewWindow is the window of a device of which nothing is known yet.
func NewWindow() *Window { return &Window{size: firstWindow} }

// Ask waits until something may be asked for on behalf of a folder, up to most
// bytes. With ahead it does not wait: for what is small, and soon there. Done
// must be called on what it returns.
func (w *Window) Ask(ctx context.Context, f entry.FolderID, most int, ahead bool) (*Leave, error) {
	w.mu.Lock()
	if ahead {
		defer w.mu.Unlock()
		return w.give(most), nil
	}
	a := &asking{folder: f, most: most, leave: make(chan *Leave, 1)}
	w.turns.come(f, len(w.waiting) == 0)
	w.waiting = append(w.waiting, a)
	w.next()
	w.mu.Unlock()
	select {
	case l := <-a.leave:
		return l, nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if at := slices.Index(w.waiting, a); at >= 0 {
		w.waiting = slices.Delete(w.waiting, at, at+1)
	} else {
		w.back(<-a.leave)
	}
	return nil, ctx.Err()
}

// next gives leave to those whose turn it is.
func (w *Window) next() {
	for len(w.waiting) > 0 && (w.out == 0 || w.out < w.size) {
		best := 0
		for i, a := range w.waiting {
			if w.turns.before(a.folder, w.waiting[best].folder) {
				best = i
			}
		}
		a := w.waiting[best]
		w.waiting = slices.Delete(w.waiting, best, best+1)
		l := w.give(min(a.most, max(w.size/partOfWindow, leastWindow)))
		w.turns.serve(a.folder, a.folder, l.bytes)
		a.leave <- l
	}
}

func (w *Window) give(n int) *Leave {
	l := &Leave{bytes: n, window: w, began: time.Now(), alone: w.out == 0}
	w.out += n
	l.full = 4*w.out >= 3*w.size
	return l
}

func (w *Window) back(l *Leave) {
	w.out -= l.bytes
	w.next()
}

// Bytes are how many may be asked for; a single block may always be.
func (l *Leave) Bytes() int { return l.bytes }

// First notes that something has come: how long that took tells the way there
// and back, if nothing else was out.
func (l *Leave) First() {
	if !l.alone {
		return
	}
	w := l.window
	w.mu.Lock()
	defer w.mu.Unlock()
	l.alone = false
	switch took := min(time.Since(l.began), mostBase); {
	case w.base == 0 || took < w.base:
		w.base = took
	default:
		w.base += (took - w.base) / 8
	}
}

// Done ends a request by which n bytes have come; zero for one that was not
// made, or that failed.
func (l *Leave) Done(n int) {
	w := l.window
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > 0 {
		w.learn(l, n, time.Now())
	}
	w.back(l)
}

// learn sets the size by how long a request took.
func (w *Window) learn(l *Leave, n int, now time.Time) {
	took := now.Sub(l.began)
	goal := target + w.base
	switch {
	case 4*took > 5*goal:
		if !l.began.Before(w.cut) { // else what made it shrink was still on its way
			w.size = max(int(float64(w.size)*float64(goal)/float64(took)), leastWindow)
			w.cut = now
		}
	case took < goal && l.full:
		w.size = min(w.size+n, mostWindow)
	}
}
