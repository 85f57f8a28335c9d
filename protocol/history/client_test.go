package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

// many is a source of versions without an end.
type many struct {
	past
	sent atomic.Int64
}

func (m *many) AsOf(_ context.Context, by Asker, _ time.Time, each func(Held) error) error {
	h := held(1)
	for {
		if err := each(h); err != nil {
			return err
		}
		m.sent.Add(1)
	}
}

// TestWhoReadsSlowlyHoldsUpOneStream and has the vault wait, not remember.
func TestWhoReadsSlowlyHoldsUpOneStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &many{past: past{held: []Held{held(1)}}}
		o, c := newOffice(t, nil)
		o.server = Server{Source: m, Keeping: m}
		slow := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			err := c.AsOf(t.Context(), at(9), func(Held) error { <-slow; return errBroken })
			if err != errBroken { //nolint:errorlint // as it is
				t.Errorf("it ended with %v", err)
			}
		})
		synctest.Wait()
		sent := m.sent.Load()
		<-time.After(time.Hour)
		if m.sent.Load() != sent || sent*100 > 4*64<<10 {
			t.Errorf("%d versions sent, then %d", sent, m.sent.Load())
		}
		got, err := collected(func(each func(Held) error) error { return c.Received(t.Context(), 0, each) })
		if err != nil || len(got) != 1 {
			t.Errorf("meanwhile got %v: %v", got, err)
		}
		close(slow)
		wg.Wait()
		c.Close()
		o.close()
	})
}

// TestASlowVaultTellsWhatItHas rather than being taken for dead.
func TestASlowVaultTellsWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &past{}
		for n := range 100 {
			p.held = append(p.held, held(n+1))
		}
		o, c := newOffice(t, nil)
		o.server.Source = slowly{p}
		began, last := time.Now(), time.Now()
		err := c.AsOf(t.Context(), at(500), func(Held) error {
			if gap := time.Since(last); gap > 15*time.Second {
				t.Errorf("nothing came for %s", gap)
			}
			last = time.Now()
			return nil
		})
		if err != nil || time.Since(began) < 600*time.Second {
			t.Errorf("it ended after %s with %v", time.Since(began), err)
		}
		c.Close()
		o.close()
	})
}

// slowly needs seven seconds to find a version.
type slowly struct{ *past }

func (s slowly) AsOf(ctx context.Context, by Asker, at time.Time, each func(Held) error) error {
	return s.past.AsOf(ctx, by, at, func(h Held) error {
		<-time.After(7 * time.Second)
		return each(h)
	})
}

// TestALargeFileComesInOneMessage and one that is too large ends the stream.
func TestALargeFileComesInOneMessage(t *testing.T) {
	big := held(1)
	big.Record = record(1, 400_000)
	p := &past{held: []Held{big, held(2)}}
	o, c := newOffice(t, p)
	got, err := collected(func(each func(Held) error) error { return c.AsOf(t.Context(), at(500), each) })
	if err != nil || len(got) != 2 || len(got[0].Record.Blocks) != 400_000 || !sameHeld(got[1], p.held[1]) {
		t.Errorf("%d versions: %v", len(got), err)
	}
	big.Record = record(1, 520_000)
	p.held = []Held{held(2), big}
	if err := c.AsOf(t.Context(), at(500), func(Held) error { return nil }); err == nil {
		t.Error("a version above all bounds was told")
	}
	o.close()
	if !errors.Is(o.ended[0], frame.ErrTooLarge) {
		t.Errorf("the stream ended with %v", o.ended[0])
	}
}

// TestAnIdleStreamThatThePeerGaveUpIsReplaced and nobody notices.
func TestAnIdleStreamThatThePeerGaveUpIsReplaced(t *testing.T) {
	p := &past{held: []Held{held(1)}}
	o, c := newOffice(t, p)
	for n := range 3 {
		got, err := collected(func(each func(Held) error) error { return c.Received(t.Context(), 0, each) })
		if err != nil || len(got) != 1 || o.streams() != n+1 {
			t.Fatalf("%d versions over %d streams after %d requests: %v", len(got), o.streams(), n+1, err)
		}
		o.mu.Lock()
		_ = o.opened[n].Close()
		o.mu.Unlock()
	}
}

// TestAPinIsAskedForOnce though idle streams that the peer gave up lie there.
func TestAPinIsAskedForOnce(t *testing.T) {
	p := &past{}
	o, c := newOffice(t, p)
	if _, err := c.State(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.on = func(context.Context) error { return errBroken }
	if _, err := c.Pin(t.Context(), at(1), nil); err == nil {
		t.Error("a pin was made")
	}
	if len(p.asked) != 2 || o.streams() != 2 || len(c.idle) != 1 {
		t.Errorf("asked %v over %d streams", p.asked, o.streams())
	}
}

// TestAnAnswerThatHasBegunIsNotAskedForAgain though it came over an idle stream.
func TestAnAnswerThatHasBegunIsNotAskedForAgain(t *testing.T) {
	p := &past{held: []Held{held(1), held(2)}}
	_, c := newOffice(t, p)
	all := func() ([]Held, error) {
		return collected(func(each func(Held) error) error { return c.AsOf(t.Context(), at(500), each) })
	}
	if _, err := all(); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		p.held = append(p.held, held(1)) // so that much leaves before it breaks
	}
	p.err = errBroken
	if got, err := all(); err == nil || len(got) == 0 || len(p.asked) != 2 {
		t.Errorf("%d versions after %d requests: %v", len(got), len(p.asked), err)
	}
}

// TestTheContextEndsACall in the middle, while the peer is silent.
func TestTheContextEndsACall(t *testing.T) {
	silent := make(chan struct{})
	_, c := newOffice(t, &past{on: func(ctx context.Context) error {
		close(silent)
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.State(ctx)
		ended <- err
	}()
	<-silent
	cancel()
	if err := <-ended; err != context.Canceled { //nolint:errorlint // as it is
		t.Errorf("it ended with %v", err)
	}
	if len(c.idle) != 0 {
		t.Error("the stream was kept")
	}
}

// TestAnErrorOfTheTakerIsReturnedAsItIs and the stream, on which more would
// come, is not used again.
func TestAnErrorOfTheTakerIsReturnedAsItIs(t *testing.T) {
	p := &past{held: []Held{held(1), held(2), held(3)}}
	o, c := newOffice(t, p)
	calls := 0
	err := c.Received(t.Context(), 0, func(Held) error {
		if calls++; calls == 2 {
			return errBroken
		}
		return nil
	})
	if err != errBroken || calls != 2 { //nolint:errorlint // as it is
		t.Errorf("it ended after %d calls with %v", calls, err)
	}
	err = c.Prove(t.Context(), nonce, make([]entry.BlockID, 2), func(int, []Proven) error { return errBroken })
	if err != errBroken { //nolint:errorlint // as it is
		t.Errorf("it ended with %v", err)
	}
	if _, err := c.State(t.Context()); err != nil || o.streams() != 3 {
		t.Errorf("then over stream %d: %v", o.streams(), err)
	}
}

func TestAStreamThatCannotBeOpenedIsAnError(t *testing.T) {
	c := NewClient(docs, func(context.Context) (Stream, error) { return nil, errBroken })
	if _, err := c.State(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("it ended with %v", err)
	}
}

// TestAClosedClientKeepsNoStream that comes back after.
func TestAClosedClientKeepsNoStream(t *testing.T) {
	o, c := newOffice(t, &past{held: []Held{held(1)}})
	if err := c.Received(t.Context(), 0, func(Held) error { c.Close(); return nil }); err != nil {
		t.Fatal(err)
	}
	o.wg.Wait() // its stream was reset
	if len(c.idle) != 0 {
		t.Error("the stream was kept")
	}
}

func TestFewIdleStreamsAreKept(t *testing.T) {
	var wg, all sync.WaitGroup
	const calls = 4
	all.Add(calls)
	o, c := newOffice(t, &past{on: func(context.Context) error { all.Done(); all.Wait(); return nil }})
	for range calls {
		wg.Go(func() {
			if _, err := c.State(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if o.streams() != calls || len(c.idle) != maxIdle {
		t.Errorf("%d of %d streams are kept", len(c.idle), o.streams())
	}
	c.Close()
	o.wg.Wait() // with its streams reset, each of the server's ends ends
}

// TestRequestsSentAheadAreAnsweredInOrder though one of them is refused.
func TestRequestsSentAheadAreAnsweredInOrder(t *testing.T) {
	p := &past{mends: 1, forms: make([]Proven, 0)}
	n := 0
	p.on = func(context.Context) error {
		if n++; n == 2 {
			return ErrRefused
		}
		return nil
	}
	var asked bytes.Buffer
	for _, r := range []*request{
		{kind: askMend, blocks: make([]entry.BlockID, 1)}, {kind: askVersions, ids: make([]seal.RecordID, 1)}, {kind: askProve, nonce: nonce, blocks: make([]entry.BlockID, 2)},
	} {
		r.folder = docs
		asked.Write(framed(t, r.toWire()))
	}
	d := &duplex{Reader: &asked}
	if err := (&Server{Source: p, Keeping: p}).Handle(t.Context(), asker, d); err != nil {
		t.Fatal(err)
	}
	want := framed(t, mended(1), end(ok), end(refused), proofs(), proofs(), end(ok))
	if !bytes.Equal(d.written.Bytes(), want) {
		t.Errorf("answered\n%x\nnot\n%x", d.written.Bytes(), want)
	}
}

func TestManyGiversAreToldApart(t *testing.T) {
	p := &past{}
	for n := range 3000 {
		h := held(n + 1)
		h.Until, h.From = time.Time{}, entry.DeviceID(fmt.Sprint("giver ", n%1000))
		p.held = append(p.held, h)
	}
	_, c := newOffice(t, p)
	got, err := collected(func(each func(Held) error) error { return c.Received(t.Context(), 0, each) })
	if err != nil || len(got) != 3000 {
		t.Fatalf("%d versions: %v", len(got), err)
	}
	for i := range got {
		if !sameHeld(got[i], p.held[i]) {
			t.Fatalf("%v became %v", p.held[i], got[i])
		}
	}
}
