package blocks

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

var nonce = [32]byte{'n', 'o', 'n', 'c', 'e', 31: 1}

// TestAProofIsKeyedBLAKE3 by test vectors of its authors: the input is the
// numbers from 0 to 250, over and over.
func TestAProofIsKeyedBLAKE3(t *testing.T) {
	key := [32]byte([]byte("whats the Elvish word for friend"))
	for length, want := range map[int]string{
		0: "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
		1: "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
	} {
		in := make([]byte, length)
		for i := range in {
			in[i] = byte(i % 251)
		}
		if p := Proof(key, in); hex.EncodeToString(p[:]) != want {
			t.Errorf("%d bytes: %x, not %s", length, p, want)
		}
	}
}

func TestAProofIsOfThisBlockAndThisNonce(t *testing.T) {
	other := nonce
	other[31] ^= 1
	p := Proof(nonce, bytesOf(4))
	if p == Proof(other, bytesOf(4)) || p == Proof(nonce, bytesOf(6)) || p != Proof(nonce, bytesOf(4)) {
		t.Error("proofs are not told apart")
	}
}

// proofs is what a fetch of proofs brought: a word for each block, in order.
func proofs(c *Client, r Request) (out []string, err error) {
	err = c.Fetch(context.Background(), r, func(i int, proof []byte) error {
		n := int(r.IDs[i][0]) | int(r.IDs[i][1])<<8
		want := Proof(r.Nonce, bytesOf(n))
		switch {
		case proof == nil:
			out = append(out, "missing")
		case bytes.Equal(proof, want[:]):
			out = append(out, fmt.Sprint(n))
		default:
			out = append(out, fmt.Sprintf("another proof: %x", proof))
		}
		return nil
	})
	return out, err
}

func TestProofsComeInTheOrderInWhichTheyWereAskedFor(t *testing.T) {
	s := &shelf{}
	o := newOffice(t, s)
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	r := Request{Folder: docs, IDs: idsOf(2, 3, 2998, 2), Nonce: nonce, Hold: 90 * time.Second, Form: 2}
	for range 2 {
		got, err := proofs(c, r)
		if err != nil || fmt.Sprint(got) != "[2 missing 2998 2]" {
			t.Errorf("got %v: %v", got, err)
		}
		if got, err := fetched(c, Request{Folder: docs, IDs: idsOf(8, 9)}); err != nil || fmt.Sprint(got) != "[8 missing]" {
			t.Errorf("then got %v: %v", got, err)
		}
	}
	if asked := s.asked[0]; asked.Nonce != nonce || asked.Hold != r.Hold || asked.Form != 2 || asked.Compress {
		t.Errorf("the source was asked for %v", asked)
	}
	if asked := s.asked[1]; asked.proves() || asked.Hold != 0 {
		t.Errorf("the source was asked for %v", asked)
	}
	if o.streams() != 1 {
		t.Errorf("%d streams", o.streams())
	}
}

func TestHoldIsCountedInWholeSecondsBegunOnesIncluded(t *testing.T) {
	for hold, want := range map[time.Duration]time.Duration{
		0: 0, 1: time.Second, time.Second: time.Second, 1500 * time.Millisecond: 2 * time.Second,
		MaxHold - 1: MaxHold, MaxHold: MaxHold,
	} {
		r := Request{Folder: docs, IDs: idsOf(2), Nonce: nonce, Hold: hold}
		if got, err := requestFromWire(r.toWire()); err != nil || got.Hold != want || got.Nonce != nonce {
			t.Errorf("%s became %s: %v", hold, got.Hold, err)
		}
	}
}

func TestARequestThatIsNoneIsNotSent(t *testing.T) {
	s := &shelf{}
	o := newOffice(t, s)
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	for name, r := range map[string]Request{
		"compressed proofs":      {Nonce: nonce, Compress: true},
		"a hold without a nonce": {Hold: time.Second},
		"a hold for too long":    {Nonce: nonce, Hold: MaxHold + 1},
		"a hold backwards":       {Nonce: nonce, Hold: -time.Second},
	} {
		r.Folder, r.IDs = docs, idsOf(2)
		if _, err := fetched(c, r); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("the source was asked for %v", s.asked)
	}
}

// TestWhoWillNotHoldSaysSo and the stream, or another, serves the next request.
func TestWhoWillNotHoldSaysSo(t *testing.T) {
	s := &shelf{}
	o := newOffice(t, s)
	defer o.close()
	c := NewClient(o.open)
	defer c.Close()
	if _, err := fetched(c, Request{Folder: docs, IDs: idsOf(2)}); err != nil { // leaves an idle stream
		t.Fatal(err)
	}
	s.on = func(context.Context, Request, func([]byte) error) error { return fmt.Errorf("sorry: %w", ErrNotHeld) }
	got, err := proofs(c, Request{Folder: docs, IDs: idsOf(2, 4, 6), Nonce: nonce, Hold: time.Minute})
	if !errors.Is(err, ErrNotHeld) || len(got) > 0 {
		t.Errorf("got %v: %v", got, err)
	}
	if len(s.asked) != 2 {
		t.Errorf("it was asked %d times", len(s.asked)-1)
	}
	s.on = nil
	if got, err := proofs(c, Request{Folder: docs, IDs: idsOf(2), Nonce: nonce, Hold: time.Minute}); err != nil || got[0] != "2" {
		t.Errorf("got %v: %v", got, err)
	}
}

func TestAWholeRequestIsNotHeld(t *testing.T) {
	r := Request{Folder: docs, IDs: idsOf(2, 3, 4), Nonce: nonce, Hold: time.Minute}
	d := &duplex{Reader: bytes.NewReader(framed(t, r.toWire()))}
	s := &shelf{on: func(context.Context, Request, func([]byte) error) error { return ErrNotHeld }}
	if err := (&Server{Source: s}).Handle(t.Context(), asker, d); err != nil {
		t.Fatal(err)
	}
	if want := framed(t, header(notHeld, 0), header(notHeld, 0), header(notHeld, 0)); !bytes.Equal(d.written.Bytes(), want) {
		t.Errorf("answered %x, not %x", d.written.Bytes(), want)
	}
}

// TestASourceThatDoesNotHoldOutOfTurnEndsTheStream when nothing was to be held,
// or some of it was proven already.
func TestASourceThatDoesNotHoldOutOfTurnEndsTheStream(t *testing.T) {
	for name, c := range map[string]struct {
		r  Request
		on func(send func([]byte) error) error
	}{
		"no hold":  {Request{Nonce: nonce}, func(func([]byte) error) error { return ErrNotHeld }},
		"no nonce": {Request{}, func(func([]byte) error) error { return ErrNotHeld }},
		"after one": {
			Request{Nonce: nonce, Hold: time.Second}, func(send func([]byte) error) error { return errors.Join(send(nil), ErrNotHeld) },
		},
	} {
		c.r.Folder, c.r.IDs = docs, idsOf(2, 4)
		s := &shelf{on: func(_ context.Context, _ Request, send func([]byte) error) error { return c.on(send) }}
		d := &duplex{Reader: bytes.NewReader(framed(t, c.r.toWire(), c.r.toWire()))}
		if err := (&Server{Source: s}).Handle(t.Context(), asker, d); !errors.Is(err, ErrNotHeld) || len(s.asked) > 1 {
			t.Errorf("%s: %v after %d requests", name, err, len(s.asked))
		}
	}
}

func TestAnAnswerThatIsNoProofIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		answer []byte
		want   error
	}{
		"the block itself":    {framed(t, header(ok, 3000), make([]byte, 3000)), ErrAnswer},
		"a proof of no bytes": {framed(t, header(ok, 0)), ErrAnswer},
		"a proof of 31 bytes": {framed(t, header(ok, 31), make([]byte, 31)), ErrAnswer},
		"a proof of 33 bytes": {framed(t, header(ok, 33), make([]byte, 33)), ErrAnswer},
		"half a proof":        {framed(t, header(ok, 32), make([]byte, 16)), io.ErrUnexpectedEOF},
		"not held, unasked":   {framed(t, header(notHeld, 0)), ErrAnswer},
	} {
		client := NewClient(func(context.Context) (Stream, error) { return &duplex{Reader: bytes.NewReader(c.answer)}, nil })
		calls := 0
		err := client.Fetch(t.Context(), Request{Folder: docs, IDs: idsOf(1), Nonce: nonce}, func(int, []byte) error { calls++; return nil })
		if !errors.Is(err, c.want) || calls > 0 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
		client.Close()
	}
}

// TestProofsLeaveWhileOthersAreBeingMade so that the asker, who waits for so
// few bytes of so many, sees that the stream is alive.
func TestProofsLeaveWhileOthersAreBeingMade(t *testing.T) {
	arrived := make(chan struct{})
	s := &shelf{on: func(_ context.Context, r Request, send func([]byte) error) error {
		large := make([]byte, flushEvery/2)
		for i := range r.IDs {
			if i == 2 {
				<-arrived // nothing more is made before the first two are there
			}
			if err := send(large); err != nil {
				return err
			}
		}
		return nil
	}}
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- (&Server{Source: s}).Handle(t.Context(), asker, b) }()
	in, out := frame.NewReader(a, maxHeader), frame.NewWriter(a)
	r := Request{Folder: docs, IDs: idsOf(1, 3, 5), Nonce: nonce}
	if err := errors.Join(out.Write(r.toWire()), out.Flush()); err != nil {
		t.Fatal(err)
	}
	for i := range r.IDs {
		var h wirepb.BlockHeader
		if err := errors.Join(in.Read(&h), in.ReadFull(make([]byte, proofSize))); err != nil || h.GetSize() != proofSize {
			t.Fatalf("answer %v: %v", &h, err)
		}
		if i == 1 {
			close(arrived)
		}
	}
	_ = a.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestOldRequestsAreEncodedAsTheyWere: what the fields that came later leave
// out costs no byte.
func TestOldRequestsAreEncodedAsTheyWere(t *testing.T) {
	r := Request{Folder: docs, IDs: []entry.BlockID{{}}, Compress: true}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.toWire())
	want := "\x0a\x10docs" + string(make([]byte, 12)) + "\x12\x20" + string(make([]byte, 32)) + "\x18\x01"
	if err != nil || string(b) != want {
		t.Errorf("%x, not %x: %v", b, want, err)
	}
}
