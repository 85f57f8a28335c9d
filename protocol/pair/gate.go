package pair

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Gate is the showing side's memory: which code is open, which device is using
// it, and how many were burnt of late. A device has one, for as long as it
// runs. It is a state machine with no timer of its own.
//
//	closed --Open--> open --begin--> busy --commit--> committed --prove--> used
//	                  ^                |                  |
//	                  +------end-------+                  +----end----> burnt
//
// Open, busy and committed windows end by Close, too, and an open one by the
// clock: an attempt that began in time may go on. There is one attempt at a
// time on the whole gate.
type Gate struct {
	now    func() time.Time
	random io.Reader

	mu      sync.Mutex
	window  *Window     // the last one opened, or nil
	attempt *attempt    // the one in progress, or nil
	burns   []time.Time // of the last BurnSpan, ascending; MaxBurns at most
}

// NewGate makes a closed gate. It reads the time from now, which should be
// [time.Now], and draws codes from random, which must be a cryptographic source.
func NewGate(now func() time.Time, random io.Reader) *Gate {
	return &Gate{now: now, random: random}
}

// Open shows a new code for [Validity]. It returns [ErrOpen] while another is
// being shown, [ErrBusy] while a device is still using the last one, a
// [*PausedError] after too many burnt codes, and otherwise only an error of
// the random source.
func (g *Gate) Open(reach Reach) (*Window, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if err := g.mayOpen(now); err != nil {
		return nil, err
	}
	w := &Window{gate: g, opened: now, secrets: new(secrets), ended: make(chan struct{})}
	if err := w.draw(g.random, reach, g.window); err != nil {
		return nil, fmt.Errorf("open pairing: %w", err)
	}
	if g.window != nil { // whoever still waits for one that has expired may go
		g.window.finish(windowExpired, Peer{}, ErrExpired)
	}
	g.window = w
	return w, nil
}

func (g *Gate) mayOpen(now time.Time) error {
	if until, paused := g.pausedUntil(now); paused {
		return &PausedError{Until: until}
	}
	if g.attempt != nil {
		return ErrBusy
	}
	if g.window != nil && g.window.check(now) == nil {
		return ErrOpen
	}
	return nil
}

// Admits tells whether a stranger's stream has any prospect: a code is being
// shown and can still be used, or is in use right now.
func (g *Gate) Admits() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.attempt != nil || g.window != nil && g.window.check(g.now()) == nil
}

// pausedUntil tells whether pairing is paused: once [MaxBurns] codes have been
// burnt within [BurnSpan], until the first of them is that old. So no span of
// that length ever holds more.
func (g *Gate) pausedUntil(now time.Time) (time.Time, bool) {
	g.burns = slices.DeleteFunc(g.burns, func(t time.Time) bool { return now.Sub(t) >= BurnSpan })
	if len(g.burns) < MaxBurns {
		return time.Time{}, false
	}
	return g.burns[len(g.burns)-MaxBurns].Add(BurnSpan), true
}

// begin claims the open window for one device, which asked for it by
// nameplate. Whoever gets an attempt must end it.
func (g *Gate) begin(plate Plate) (*attempt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if until, paused := g.pausedUntil(now); paused {
		return nil, &PausedError{Until: until}
	}
	switch {
	case g.window == nil:
		return nil, ErrNoWindow
	case g.window.code().plate != plate:
		return nil, fmt.Errorf("%w: nameplate %d", ErrNoWindow, plate)
	case g.attempt != nil:
		return nil, ErrBusy
	}
	if err := g.window.check(now); err != nil {
		return nil, err
	}
	g.attempt = &attempt{gate: g, window: g.window}
	return g.attempt, nil
}
