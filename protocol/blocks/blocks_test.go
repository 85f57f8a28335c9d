package blocks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
)

func TestBlocksComeInTheOrderInWhichTheyWereAskedFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := newOffice(t, &shelf{})
		defer o.close()
		c := NewClient(o.open)
		defer c.Close()
		for range rapid.IntRange(1, 4).Draw(rt, "requests") {
			names := rapid.SliceOfN(rapid.IntRange(0, 60000), 1, 40).Draw(rt, "names")
			var want []string
			for _, n := range names {
				w := "missing"
				if n%2 == 0 {
					w = fmt.Sprint(n)
				}
				want = append(want, w)
			}
			got, err := fetched(c, Request{Folder: docs, IDs: idsOf(names...)})
			if err != nil || !slices.Equal(got, want) {
				rt.Fatalf("got %v, not %v: %v", got, want, err)
			}
		}
		if o.streams() != 1 {
			rt.Fatalf("%d streams for requests one after the other", o.streams())
		}
	})
}

func TestARequestArrivesAsItWasMade(t *testing.T) {
	s := &shelf{}
	o := newOffice(t, s)
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	for form, compress := range []bool{true, false, false, true} {
		r := Request{Folder: docs, IDs: idsOf(2, 4, 2), Compress: compress, Form: form}
		if _, err := fetched(c, r); err != nil {
			t.Fatal(err)
		}
		got := s.asked[len(s.asked)-1]
		if got.Folder != r.Folder || got.Compress != compress || got.Form != form || !slices.Equal(got.IDs, r.IDs) || s.by[len(s.by)-1] != asker {
			t.Errorf("%v became %v by %s", r, got, s.by)
		}
	}
}

func TestAFormOutOfBoundsIsNotAskedFor(t *testing.T) {
	s := &shelf{}
	o := newOffice(t, s)
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	for _, form := range []int{-1, MaxForms, 1 << 32} {
		if _, err := fetched(c, Request{Folder: docs, IDs: idsOf(2), Form: form}); !errors.Is(err, ErrRequest) {
			t.Errorf("form %d: %v", form, err)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("the source was asked for %v", s.asked)
	}
}

func TestTheMostThatMayBeAskedForIsAnswered(t *testing.T) {
	o := newOffice(t, &shelf{on: func(_ context.Context, r Request, send func([]byte) error) error {
		for range r.IDs {
			if err := send(nil); err != nil {
				return err
			}
		}
		return nil
	}})
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	got, err := fetched(c, Request{Folder: docs, IDs: make([]entry.BlockID, MaxWants), Compress: true})
	if err != nil || len(got) != MaxWants {
		t.Errorf("%d answers: %v", len(got), err)
	}
	for _, n := range []int{0, MaxWants + 1} {
		if _, err := fetched(c, Request{Folder: docs, IDs: make([]entry.BlockID, n)}); !errors.Is(err, ErrRequest) {
			t.Errorf("%d blocks: %v", n, err)
		}
	}
}

func TestALargestBlockComesWhole(t *testing.T) {
	largest := make([]byte, MaxSealed)
	largest[0], largest[MaxSealed-1] = 1, 2
	o := newOffice(t, &shelf{on: func(_ context.Context, _ Request, send func([]byte) error) error { return send(largest) }})
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	err := c.Fetch(t.Context(), Request{Folder: docs, IDs: idsOf(0)}, func(_ int, sealed []byte) error {
		if len(sealed) != MaxSealed || sealed[0] != 1 || sealed[MaxSealed-1] != 2 {
			t.Errorf("%d bytes", len(sealed))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestWhoIsNoMemberIsToldSo and the stream serves the next request.
func TestWhoIsNoMemberIsToldSo(t *testing.T) {
	o := newOffice(t, &shelf{})
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	for range 3 {
		got, err := fetched(c, Request{Folder: entry.FolderID{'x'}, IDs: idsOf(2, 4, 6)})
		if !errors.Is(err, ErrRefused) || len(got) > 0 {
			t.Errorf("got %v: %v", got, err)
		}
	}
	if got, err := fetched(c, Request{Folder: docs, IDs: idsOf(2)}); err != nil || got[0] != "2" {
		t.Errorf("got %v: %v", got, err)
	}
}

func TestRequestsAtOnceHaveStreamsOfTheirOwn(t *testing.T) {
	const at = 12
	var meet sync.WaitGroup
	meet.Add(at)
	o := newOffice(t, &shelf{on: func(_ context.Context, r Request, send func([]byte) error) error {
		meet.Done()
		meet.Wait() // all of them are in flight
		return send(bytesOf(int(r.IDs[0][0])))
	}})
	defer o.close()
	c := NewClient(o.open)
	var wg sync.WaitGroup
	for n := range at {
		wg.Go(func() {
			if got, err := fetched(c, Request{Folder: docs, IDs: idsOf(n)}); err != nil || got[0] != fmt.Sprint(n) {
				t.Errorf("%d: %v, %v", n, got, err)
			}
		})
	}
	wg.Wait()
	if o.streams() != at {
		t.Errorf("%d streams", o.streams())
	}
	c.mu.Lock()
	idle := len(c.idle)
	c.mu.Unlock()
	if idle != maxIdle {
		t.Errorf("%d streams are kept, not %d", idle, maxIdle)
	}
	c.Close()
	o.wg.Wait() // with its streams reset, each of the server's ends ends
}

// TestAnIdleStreamThatThePeerGaveUpIsReplaced and nobody notices.
func TestAnIdleStreamThatThePeerGaveUpIsReplaced(t *testing.T) {
	o := newOffice(t, &shelf{})
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	for n := range 3 {
		got, err := fetched(c, Request{Folder: docs, IDs: idsOf(8, 9)})
		if err != nil || !slices.Equal(got, []string{"8", "missing"}) {
			t.Fatalf("got %v: %v", got, err)
		}
		if o.streams() != n+1 {
			t.Fatalf("%d streams after %d requests", o.streams(), n+1)
		}
		o.mu.Lock()
		_ = o.opened[n].Close()
		o.mu.Unlock()
	}
}

// TestAnAnswerIsNeverAskedForTwice: once a block has come, an error of the
// stream is the caller's to handle.
func TestAnAnswerIsNeverAskedForTwice(t *testing.T) {
	s := &shelf{}
	o := newOffice(t, s)
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	if _, err := fetched(c, Request{Folder: docs, IDs: idsOf(2)}); err != nil {
		t.Fatal(err)
	}
	s.on = func(_ context.Context, _ Request, send func([]byte) error) error {
		return errors.Join(send(bytesOf(2)), errBroken) // flushed by the end of its stream
	}
	// The first block must have left before the stream ends.
	o.server.Source = flushing{s}
	got, err := fetched(c, Request{Folder: docs, IDs: idsOf(2, 4)})
	if err == nil || len(s.asked) > 3 {
		t.Errorf("got %v: %v, after %d requests", got, err, len(s.asked))
	}
	if len(got) > 1 {
		t.Errorf("got %v", got)
	}
}

// flushing makes every answer so long that it leaves at once.
type flushing struct{ *shelf }

func (f flushing) Sealed(ctx context.Context, by entry.DeviceID, r Request, send func([]byte) error) error {
	return f.shelf.Sealed(ctx, by, r, func(b []byte) error { return send(append(b, make([]byte, 128<<10)...)) })
}

// TestTheContextEndsAFetch in the middle, while the peer is silent.
func TestTheContextEndsAFetch(t *testing.T) {
	silent := make(chan struct{})
	o := newOffice(t, &shelf{on: func(ctx context.Context, _ Request, _ func([]byte) error) error {
		close(silent)
		<-ctx.Done()
		return ctx.Err()
	}})
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Fetch(ctx, Request{Folder: docs, IDs: idsOf(2)}, func(int, []byte) error { return nil })
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

func TestAContextThatHasEndedAsksNobody(t *testing.T) {
	s := &shelf{}
	o := newOffice(t, s)
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Fetch(ctx, Request{Folder: docs, IDs: idsOf(2)}, func(int, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// TestAnErrorOfTheTakerIsReturnedAsItIs and the stream, on which more would
// come, is not used again.
func TestAnErrorOfTheTakerIsReturnedAsItIs(t *testing.T) {
	o := newOffice(t, &shelf{})
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	err := c.Fetch(t.Context(), Request{Folder: docs, IDs: idsOf(2, 4, 6)}, func(i int, _ []byte) error {
		if i == 1 {
			return errBroken
		}
		return nil
	})
	if err != errBroken { //nolint:errorlint // as it is
		t.Errorf("it ended with %v", err)
	}
	if got, err := fetched(c, Request{Folder: docs, IDs: idsOf(2)}); err != nil || got[0] != "2" || o.streams() != 2 {
		t.Errorf("then got %v over stream %d: %v", got, o.streams(), err)
	}
}

func TestAStreamThatCannotBeOpenedIsAnError(t *testing.T) {
	c := NewClient(func(context.Context) (Stream, error) { return nil, errBroken })
	defer c.Close()
	if _, err := fetched(c, Request{Folder: docs, IDs: idsOf(2)}); !errors.Is(err, errBroken) {
		t.Errorf("it ended with %v", err)
	}
}

// TestAClosedClientKeepsNoStream that comes back after.
func TestAClosedClientKeepsNoStream(t *testing.T) {
	o := newOffice(t, &shelf{})
	defer o.close()
	c := NewClient(o.open)
	err := c.Fetch(t.Context(), Request{Folder: docs, IDs: idsOf(2)}, func(int, []byte) error { c.Close(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	o.wg.Wait() // its stream was reset
	if len(c.idle) != 0 {
		t.Error("the stream was kept")
	}
}

func TestTheServerEndsInOrderWhenThePeerCloses(t *testing.T) {
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- (&Server{Source: &shelf{}}).Handle(t.Context(), asker, b) }()
	_ = a.Close()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
