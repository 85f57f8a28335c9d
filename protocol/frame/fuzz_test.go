package frame

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/proto/wirepb"
)

// FuzzReader reads any bytes as a stream: each message is within the bound and
// survives being written again, and the stream ends with a known error.
func FuzzReader(f *testing.F) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := errors.Join(w.Write(&wirepb.Answer{Nonce: 1, Problem: "a"}), w.Write(&wirepb.Answer{Head: 1 << 63}), w.Flush()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()-1])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte{0})
	f.Add(bytes.Repeat([]byte{0x80}, 12))
	f.Fuzz(func(t *testing.T, stream []byte) {
		const bound = 256
		r := NewReader(bytes.NewReader(stream), bound)
		for range len(stream) + 1 {
			var m wirepb.Answer
			err := r.Read(&m)
			if err == nil {
				again(t, &m)
				continue
			}
			if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrMalformed) { //nolint:errorlint // not wrapped
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		t.Fatal("more messages than bytes")
	})
}

func again(t *testing.T, m *wirepb.Answer) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := errors.Join(w.Write(m), w.Flush()); err != nil {
		t.Fatal(err)
	}
	var back wirepb.Answer
	if err := NewReader(&b, b.Len()).Read(&back); err != nil || !proto.Equal(&back, m) {
		t.Fatalf("%v became %v: %v", m, &back, err)
	}
}
