package blocks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// FuzzRequest takes any bytes as a request: what is accepted keeps the bounds
// and is the same once it was sent again.
func FuzzRequest(f *testing.F) {
	r := Request{Folder: docs, IDs: idsOf(1, 2), Compress: true}
	b, err := proto.Marshal(r.toWire())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-3])
	proofs := Request{Folder: docs, IDs: idsOf(1, 2), Nonce: nonce, Hold: MaxHold, Form: 3}
	if b, err = proto.Marshal(proofs.toWire()); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m wirepb.BlockRequest
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		r, err := requestFromWire(&m)
		if err != nil {
			if !errors.Is(err, ErrRequest) {
				t.Fatal(err)
			}
			return
		}
		if len(r.IDs) == 0 || len(r.IDs) > MaxWants || r.Hold < 0 || r.Hold > MaxHold || r.Form < 0 || r.Form >= MaxForms {
			t.Fatalf("%d IDs, held for %s, form %d", len(r.IDs), r.Hold, r.Form)
		}
		again, err := requestFromWire(r.toWire())
		if err != nil || again.Folder != r.Folder || again.Compress != r.Compress || again.Nonce != r.Nonce || again.Hold != r.Hold || again.Form != r.Form || !slices.Equal(again.IDs, r.IDs) {
			t.Fatalf("%v became %v: %v", r, again, err)
		}
	})
}

// FuzzAnswer takes any bytes as a peer's answer.
func FuzzAnswer(f *testing.F) {
	f.Add(framed(f, header(ok, 3), []byte("abc"), header(missing, 0), header(refused, 0)))
	f.Add(framed(f, header(missing, 0), header(missing, 0), header(ok, 1), []byte("x")))
	f.Add(framed(f, header(ok, MaxSealed)))
	f.Add([]byte{0, 0, 0})
	f.Add(framed(f, header(ok, 32), make([]byte, 32), header(missing, 0), header(notHeld, 0)))
	f.Fuzz(func(t *testing.T, answer []byte) {
		checkProofs(t, answer)
		c := NewClient(func(context.Context) (Stream, error) { return &duplex{Reader: bytes.NewReader(answer)}, nil })
		defer c.Close()
		next, size := 0, 0
		err := c.Fetch(t.Context(), Request{Folder: docs, IDs: idsOf(1, 2, 3)}, func(i int, sealed []byte) error {
			if i != next {
				t.Fatalf("block %d after %d", i, next)
			}
			next++
			size += len(sealed)
			return nil
		})
		if size > len(answer) {
			t.Fatalf("%d bytes out of %d", size, len(answer))
		}
		if err == nil && next != 3 {
			t.Fatalf("%d of 3 blocks", next)
		}
		for _, known := range []error{nil, ErrAnswer, ErrRefused, frame.ErrTooLarge, frame.ErrMalformed, io.ErrUnexpectedEOF} {
			if errors.Is(err, known) || err == nil {
				return
			}
		}
		t.Fatalf("an error of no kind: %v", err)
	})
}

// checkProofs takes an answer as one to a request for proofs.
func checkProofs(t *testing.T, answer []byte) {
	c := NewClient(func(context.Context) (Stream, error) { return &duplex{Reader: bytes.NewReader(answer)}, nil })
	defer c.Close()
	r := Request{Folder: docs, IDs: idsOf(1, 2, 3), Nonce: nonce, Hold: MaxHold}
	_ = c.Fetch(t.Context(), r, func(_ int, proof []byte) error {
		if proof != nil && len(proof) != proofSize {
			t.Fatalf("a proof of %d bytes", len(proof))
		}
		return nil
	})
}

// FuzzServer takes any bytes as what a peer asks: it never panics, and ends.
func FuzzServer(f *testing.F) {
	r := Request{Folder: docs, IDs: idsOf(1, 2)}
	f.Add(framed(f, r.toWire(), r.toWire()))
	f.Add([]byte{5, 1, 2, 3})
	proofs := Request{Folder: docs, IDs: idsOf(1, 2), Nonce: nonce}
	f.Add(framed(f, proofs.toWire(), r.toWire()))
	f.Fuzz(func(t *testing.T, asked []byte) {
		s := &shelf{}
		_ = (&Server{Source: s}).Handle(t.Context(), asker, &duplex{Reader: bytes.NewReader(asked)})
		for _, r := range s.asked {
			if len(r.IDs) == 0 || len(r.IDs) > MaxWants {
				t.Fatalf("%d IDs", len(r.IDs))
			}
		}
	})
}
