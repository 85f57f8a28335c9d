package history

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
	"github.com/kithmesh/kith/protocol/seal"
)

func fuzzRequests() (out []*wirepb.HistoryRequest) {
	for k := askState; k <= askMend; k++ {
		r := request{folder: docs, kind: k, moment: at(1), after: 7, label: []byte("l"), nonce: nonce, ids: make([]seal.RecordID, 2), blocks: idsOf(1, 2)}
		out = append(out, r.toWire())
	}
	return out
}

// FuzzRequest takes any bytes as a request: what is accepted keeps the bounds
// and is the same once it was sent again.
func FuzzRequest(f *testing.F) {
	for _, m := range fuzzRequests() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m wirepb.HistoryRequest
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
		if len(r.ids) > MaxIDs || len(r.blocks) > MaxIDs || len(r.label) > MaxLabel || r.kind < askState || r.kind > askMend {
			t.Fatalf("%v is out of bounds", r)
		}
		w := r.toWire()
		again, err := requestFromWire(w)
		if err != nil || !proto.Equal(again.toWire(), w) || again.kind != r.kind || again.folder != r.folder {
			t.Fatalf("%v became %v: %v", r, again, err)
		}
	})
}

// FuzzAnswer takes any bytes as a peer's answer to each request.
func FuzzAnswer(f *testing.F) {
	for k, answer := range whole(f) {
		f.Add(answer, int(k))
	}
	for _, c := range malformed(f) {
		f.Add(c.answer, int(c.kind))
	}
	f.Fuzz(func(t *testing.T, answer []byte, of int) {
		k := kind(of)
		call := calls(t, answered(answer))[k]
		if call == nil {
			return
		}
		took := answered(answer)
		versions := func(h Held) error {
			if h.Record == nil || h.Sequence == 0 || len(h.From) > maxDevice || h.Received.IsZero() || h.Received.After(at(500)) && k == askAsOf {
				t.Fatalf("%v", h)
			}
			return nil
		}
		var err error
		switch k {
		case askAsOf:
			err = took.AsOf(t.Context(), at(500), versions)
		case askReceived:
			err = took.Received(t.Context(), 3, versions)
		case askProve:
			err = took.Prove(t.Context(), nonce, make([]entry.BlockID, 2), func(i int, forms []Proven) error {
				if i > 1 || len(forms) > MaxForms {
					t.Fatalf("block %d: %v", i, forms)
				}
				return nil
			})
		case askState:
			var s State
			if s, err = took.State(t.Context()); err == nil && (len(s.Pins) > MaxPins || s.check() != nil) {
				t.Fatalf("%v", s)
			}
		default:
			err = call()
		}
		for _, known := range []error{nil, ErrAnswer, ErrRefused, ErrFuture, ErrFull, frame.ErrTooLarge, frame.ErrMalformed, io.ErrUnexpectedEOF} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("an error of no kind: %v", err)
	})
}

// FuzzServer takes any bytes as what a peer asks: it never panics, and ends.
func FuzzServer(f *testing.F) {
	var all []byte
	for _, m := range fuzzRequests() {
		f.Add(framed(f, m, m))
		all = append(all, framed(f, m)...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, asked []byte) {
		p := &past{held: []Held{held(1)}, pin: Pin{At: at(1)}, forms: []Proven{{Size: 1}}}
		d := &duplex{Reader: bytes.NewReader(asked)}
		err := (&Server{Source: p, Keeping: p}).Handle(t.Context(), asker, d)
		if err == nil && bytes.Count(d.written.Bytes(), framed(t, end(ok))) < len(p.asked) {
			t.Fatalf("%d requests, answered with %x", len(p.asked), d.written.Bytes())
		}
	})
}
