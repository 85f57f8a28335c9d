package pair

import (
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

func TestAWrongCodeIsClearOnBothSides(t *testing.T) {
	for name, showFirst := range map[string]bool{"enterer first": false, "shower first": true} {
		t.Run(name, func(t *testing.T) {
			g, w, _ := openGate(t)
			secret := wrongSecret(w)
			r := converse(t, g, secret, result{showFirst: showFirst})
			mustFail(t, r)
			if got, want := r.entererErr.Error(), "pair with "+laptop.ID.Short()+": wrong code"; got != want {
				t.Errorf("enter: %q, want %q", got, want)
			}
			if _, err := w.Result(); err.Error() != "a wrong code was tried; this code is burnt" {
				t.Errorf("result: %q", err)
			}
			if !errors.Is(r.showErr, ErrBurnt) || !errors.Is(r.showErr, ErrWrongCode) {
				t.Errorf("show: %v", r.showErr)
			}

			// Neither side has a second try, not even with the right code.
			r = converse(t, g, w.Code().Secret(), result{})
			mustFail(t, r)
			if !errors.Is(r.entererErr, ErrBurnt) || !errors.Is(r.showErr, ErrBurnt) {
				t.Errorf("second try: enter: %v; show: %v", r.entererErr, r.showErr)
			}
			if !secret.Spent() {
				t.Error("the secret is not spent on the entering side")
			}
			if _, err := Enter(nil, phone, laptop.ID, secret); !errors.Is(err, ErrSpent) {
				t.Errorf("enter again: %v", err)
			}
		})
	}
}

func TestAWrongTicketBurnsTheCode(t *testing.T) {
	g, w, _ := openGate(t)
	shown, err := w.Ticket(laptop.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown.secret[0] ^= 1
	r := converse(t, g, shown.Secret(), result{})
	mustFail(t, r)
	if !errors.Is(r.entererErr, ErrWrongCode) || !errors.Is(r.showErr, ErrBurnt) {
		t.Errorf("enter: %v; show: %v", r.entererErr, r.showErr)
	}
}

func TestACodeOfAnotherWindowCostsNothing(t *testing.T) {
	g, w, _ := openGate(t)
	old := w.Code()
	old.plate = old.plate%99 + 1
	secret := old.Secret()
	r := converse(t, g, secret, result{})
	mustFail(t, r)
	if !errors.Is(r.entererErr, ErrNoWindow) || !errors.Is(r.showErr, ErrNoWindow) {
		t.Errorf("enter: %v; show: %v", r.entererErr, r.showErr)
	}
	if secret.Spent() {
		t.Error("the secret was spent on a device that does not show it")
	}
	mustPair(t, converse(t, g, w.Code().Secret(), result{}))
}

func TestTheEntererIsToldWhyTheGateIsShut(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(g *Gate, w *Window, c *clock)
		want error
	}{
		"closed":  {func(_ *Gate, w *Window, _ *clock) { w.Close() }, ErrNoWindow},
		"expired": {func(_ *Gate, _ *Window, c *clock) { c.advance(Validity) }, ErrExpired},
		"busy":    {func(g *Gate, w *Window, _ *clock) { _, _ = g.begin(w.Code().Plate()) }, ErrBusy},
		"paused": {func(g *Gate, _ *Window, c *clock) {
			g.burns = []time.Time{c.now(), c.now(), c.now()}
		}, ErrPaused},
	} {
		t.Run(name, func(t *testing.T) {
			g, w, clk := openGate(t)
			c.do(g, w, clk)
			secret := w.Code().Secret()
			r := converse(t, g, secret, result{})
			mustFail(t, r)
			if !errors.Is(r.entererErr, c.want) || !errors.Is(r.showErr, c.want) {
				t.Errorf("enter: %v; show: %v; want %v", r.entererErr, r.showErr, c.want)
			}
			if secret.Spent() {
				t.Error("the secret was spent")
			}
		})
	}
}

func TestTheEntererIsToldThatThePeerCouldNotBeStored(t *testing.T) {
	g, w, _ := openGate(t)
	r := converse(t, g, w.Code().Secret(), result{keep: func(end) error { return errDiskFull }})
	mustFail(t, r)
	if !errors.Is(r.entererErr, ErrNotStored) || errors.Is(r.entererErr, ErrUnfinished) {
		t.Errorf("enter: %v", r.entererErr)
	}
	if !errors.Is(r.showErr, errDiskFull) {
		t.Errorf("show: %v", r.showErr)
	}
	if len(g.burns) != 0 || g.Admits() {
		t.Error("a code that was proven is used up, not burnt")
	}
}

// TestALastWordThatIsLostLeavesThePeerStoredAndSaysSo breaks the stream while
// the shower stores the enterer.
func TestALastWordThatIsLostLeavesThePeerStoredAndSaysSo(t *testing.T) {
	g, w, _ := openGate(t)
	r := converse(t, g, w.Code().Secret(), result{keep: func(e end) error { e.Close(); return nil }})
	if !errors.Is(r.entererErr, ErrUnfinished) || !errors.Is(r.showErr, ErrUnfinished) {
		t.Errorf("enter: %v; show: %v", r.entererErr, r.showErr)
	}
	if len(r.stored) != 1 || r.shown != r.stored[0] || r.entered != (Peer{}) {
		t.Errorf("stored %v, shown %v, entered %v", r.stored, r.shown, r.entered)
	}
	if p, err := w.Result(); p != r.shown || !errors.Is(err, ErrUnfinished) {
		t.Errorf("result %v, %v", p, err)
	}
}

func TestAPanicWhileStoringFreesTheGate(t *testing.T) {
	g, w, _ := openGate(t)
	a, b := newStream()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := Enter(a, phone, laptop.ID, w.Code().Secret()); !errors.Is(err, ErrUnfinished) {
			t.Errorf("enter: %v", err)
		}
	})
	func() {
		defer b.Close()
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = g.Show(b, laptop, phone.ID, func(Peer) error { panic("disk on fire") })
	}()
	wg.Wait()
	<-w.Done()
	if _, err := w.Result(); err == nil {
		t.Error("the window ended well")
	}
	mustOpen(t, g)
}

// TestAProvenPeerWithABadNameIsRefused: who knows the code may still be odd.
func TestAProvenPeerWithABadNameIsRefused(t *testing.T) {
	g, w, _ := openGate(t)
	a, b := newStream()
	var wg sync.WaitGroup
	wg.Go(func() {
		odd := Self{ID: phone.ID, Name: "phone\x1b[2J"}
		_, err := newConversation(a, odd, laptop.ID, enterer).enter(w.Code().Secret())
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("enter: %v", err)
		}
	})
	_, err := g.Show(b, laptop, phone.ID, func(Peer) error {
		t.Error("stored")
		return nil
	})
	if !errors.Is(err, ErrProtocol) || !errors.Is(err, ErrName) || errors.Is(err, ErrBurnt) {
		t.Errorf("show: %v", err)
	}
	wg.Wait()
}

func TestAWindowClosedMidwayStoresNothing(t *testing.T) {
	g, w, _ := openGate(t)
	r := converse(t, g, w.Code().Secret(), result{fn: func(n int, f []byte) []byte {
		if n == 5 {
			w.Close()
		}
		return f
	}})
	mustFail(t, r)
	if !errors.Is(r.entererErr, ErrNoWindow) || !errors.Is(r.showErr, ErrNoWindow) {
		t.Errorf("enter: %v; show: %v", r.entererErr, r.showErr)
	}
}

func TestSidesThatCannotBeMeantAreRefused(t *testing.T) {
	_, w, _ := openGate(t)
	ticket, err := w.Ticket(laptop.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		self   Self
		remote entry.DeviceID
		secret *Secret
		want   error
	}{
		"itself":            {phone, phone.ID, w.Code().Secret(), ErrSelf},
		"no remote":         {phone, "", w.Code().Secret(), ErrDevice},
		"remote with slash": {phone, "12D3/Koo", w.Code().Secret(), ErrDevice},
		"no name":           {Self{ID: phone.ID}, laptop.ID, w.Code().Secret(), ErrName},
		"no code":           {phone, laptop.ID, Code{}.Secret(), ErrCode},
		"other device":      {phone, mallet.ID, ticket.Secret(), ErrOtherDevice},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Enter(nil, c.self, c.remote, c.secret); !errors.Is(err, c.want) {
				t.Errorf("enter: %v, want %v", err, c.want)
			}
		})
	}
	g := NewGate(time.Now, rand.Reader)
	if _, err := g.Show(nil, laptop, laptop.ID, nil); !errors.Is(err, ErrSelf) {
		t.Errorf("show: %v", err)
	}
}
