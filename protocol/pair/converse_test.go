package pair

import (
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Two devices and a third that has no business here.
var (
	laptop = Self{ID: "12D3KooWLaptop", Name: "laptop"}
	phone  = Self{ID: "12D3KooWPhone", Name: "Zoë’s phone 📱"}
	mallet = Self{ID: "12D3KooWMallet", Name: "mallet"}
)

// clock is a hand that the tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func openGate(t testing.TB) (*Gate, *Window, *clock) {
	t.Helper()
	c := newClock()
	g := NewGate(c.now, rand.Reader)
	return g, mustOpen(t, g), c
}

func mustOpen(t testing.TB, g *Gate) *Window {
	t.Helper()
	w, err := g.Open(Near)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return w
}

// wrongSecret has the right nameplate and the wrong words.
func wrongSecret(w *Window) *Secret {
	c := w.Code()
	c.words[1] = (c.words[1] + 1) % listSize
	return c.Secret()
}

// result is what both sides of one conversation got.
type result struct {
	entered, shown      Peer
	entererErr, showErr error
	stored              []Peer
	entererID, showerID entry.DeviceID // whom each side believes to talk to
	showFirst           bool
	keep                func(shower end) error
	fn                  between
}

var errDiskFull = errors.New("disk full")

// converse pairs phone, which enters the secret, with laptop, which has the
// gate. The fields of r change how; its results come back in r.
func converse(t testing.TB, g *Gate, secret *Secret, r result) result {
	t.Helper()
	if r.entererID == "" {
		r.entererID, r.showerID = phone.ID, laptop.ID
	}
	entererEnd, a := newStream()
	b, showerEnd := newStream()
	enter := func() {
		defer entererEnd.Close()
		r.entered, r.entererErr = Enter(entererEnd, phone, r.showerID, secret)
	}
	show := func() {
		defer showerEnd.Close()
		r.shown, r.showErr = g.Show(showerEnd, laptop, r.entererID, func(p Peer) error {
			if r.keep != nil {
				if err := r.keep(showerEnd); err != nil {
					return err
				}
			}
			r.stored = append(r.stored, p)
			return nil
		})
	}
	first, second := enter, show
	if r.showFirst {
		first, second = show, enter
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.fn.run(a, b) })
	wg.Go(first)
	wg.Go(second)
	wg.Wait()
	return r
}

func mustPair(t *testing.T, r result) {
	t.Helper()
	if r.entererErr != nil || r.showErr != nil {
		t.Fatalf("enter: %v; show: %v", r.entererErr, r.showErr)
	}
	if r.entered.ID != laptop.ID || r.entered.Name != laptop.Name {
		t.Errorf("entered %+v", r.entered)
	}
	if r.shown.ID != phone.ID || r.shown.Name != phone.Name {
		t.Errorf("shown %+v", r.shown)
	}
	if r.entered.Check != r.shown.Check || r.entered.Check[3] == "" {
		t.Errorf("check words %v and %v", r.entered.Check, r.shown.Check)
	}
	if len(r.stored) != 1 || r.stored[0] != r.shown {
		t.Errorf("stored %v", r.stored)
	}
}

func mustFail(t *testing.T, r result) {
	t.Helper()
	if r.entererErr == nil || r.showErr == nil {
		t.Fatalf("enter: %v; show: %v", r.entererErr, r.showErr)
	}
	if r.entered != (Peer{}) || r.shown != (Peer{}) || len(r.stored) != 0 {
		t.Fatalf("a failed pairing gave %+v, %+v, stored %v", r.entered, r.shown, r.stored)
	}
}
