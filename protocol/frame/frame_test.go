package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/kithmesh/kith/proto/wirepb"
)

// drawAnswer is any message of one type; what its fields mean is no matter.
func drawAnswer(t *rapid.T) *wirepb.Answer {
	return &wirepb.Answer{
		Folder: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "folder"), Nonce: rapid.Uint64().Draw(t, "nonce"),
		Index: rapid.Uint64().Draw(t, "index"), Head: rapid.Uint64().Draw(t, "head"),
		Problem: rapid.String().Draw(t, "problem"),
	}
}

// part is a message, and raw bytes behind it.
type part struct {
	message *wirepb.Answer
	raw     []byte
}

func drawParts(t *rapid.T) []part {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) part {
		return part{drawAnswer(t), rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "raw")}
	}), 1, 8).Draw(t, "parts")
}

func written(t rapid.TB, parts []part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, p := range parts {
		if err := errors.Join(w.Write(p.message), w.WriteRaw(p.raw)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWhatWasWrittenIsReadInOrder holds however the stream cuts the bytes up.
func TestWhatWasWrittenIsReadInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := drawParts(t)
		var stream io.Reader = bytes.NewReader(written(t, parts))
		if rapid.Bool().Draw(t, "one byte at a time") {
			stream = iotest.OneByteReader(stream)
		}
		r := NewReader(stream, 4096)
		var got wirepb.Answer // one for all: Read replaces what was there
		for i, p := range parts {
			if err := r.Read(&got); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
			if !proto.Equal(&got, p.message) {
				t.Fatalf("message %d is %v, not %v", i, &got, p.message)
			}
			raw := make([]byte, len(p.raw))
			if err := r.ReadFull(raw); err != nil || !bytes.Equal(raw, p.raw) {
				t.Fatalf("bytes after message %d: %x, %v", i, raw, err)
			}
		}
		if err := r.Read(&got); !errors.Is(err, io.EOF) {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestNothingIsSentBeforeFlush(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := w.Write(&wirepb.Ask{Nonce: 7}); err != nil {
		t.Fatal(err)
	}
	if b.Len() != 0 {
		t.Errorf("%d bytes were sent", b.Len())
	}
	if err := w.Flush(); err != nil || b.Len() == 0 {
		t.Errorf("%d bytes were sent: %v", b.Len(), err)
	}
}

// TestAStreamCutAnywhereIsNeverAMessage cuts at each byte: between messages
// that is the end, within one it is an unexpected end.
func TestAStreamCutAnywhereIsNeverAMessage(t *testing.T) {
	first, second := &wirepb.Ask{Nonce: 1}, &wirepb.Answer{Problem: string(bytes.Repeat([]byte("x"), 200))}
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := errors.Join(w.Write(first), w.Flush()); err != nil {
		t.Fatal(err)
	}
	boundary := b.Len()
	if err := errors.Join(w.Write(second), w.Flush()); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for n := range whole {
		r := NewReader(bytes.NewReader(whole[:n]), 4096)
		var one wirepb.Ask
		var two wirepb.Answer
		err := r.Read(&one)
		if err == nil {
			err = r.Read(&two)
		}
		want := io.ErrUnexpectedEOF
		if n == 0 || n == boundary {
			want = io.EOF
		}
		if err != want { //nolint:errorlint // the caller compares io.EOF so, and must not take one for the other
			t.Errorf("cut after %d of %d bytes: %v, not %v", n, len(whole), err, want)
		}
	}
}

func TestRawBytesThatEndEarlyAreAnUnexpectedEnd(t *testing.T) {
	for n := range 5 {
		r := NewReader(bytes.NewReader(make([]byte, n)), 16)
		if err := r.ReadFull(make([]byte, 5)); err != io.ErrUnexpectedEOF { //nolint:errorlint // not wrapped
			t.Errorf("%d bytes of 5: %v", n, err)
		}
	}
}

func TestAMessageOfJustTheBoundPassesAndOneByteMoreDoesNot(t *testing.T) {
	m := &wirepb.Answer{Problem: "of some length"}
	b := written(t, []part{{message: m}})
	if err := NewReader(bytes.NewReader(b), proto.Size(m)).Read(&wirepb.Answer{}); err != nil {
		t.Error(err)
	}
	if err := NewReader(bytes.NewReader(b), proto.Size(m)-1).Read(&wirepb.Answer{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the bound: %v", err)
	}
}

// TestAClaimedLengthCostsNothing refuses what claims to be large before memory
// is set aside for it.
func TestAClaimedLengthCostsNothing(t *testing.T) {
	for _, claim := range []uint64{4097, 1 << 31, 1 << 62, 1<<64 - 1} {
		r := NewReader(bytes.NewReader(binary.AppendUvarint(nil, claim)), 4096)
		before := allocated()
		err := r.Read(&wirepb.Answer{})
		if cost := allocated() - before; cost > 64<<10 {
			t.Errorf("a claim of %d bytes cost %d", claim, cost)
		}
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("a claim of %d bytes: %v", claim, err)
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestWhatIsNoMessageIsMalformed(t *testing.T) {
	for name, b := range map[string][]byte{
		"an unfinished field":   {1, 0x08},
		"a group":               {2, 0x0b, 0x0b},
		"text that is no UTF-8": {4, 0x2a, 2, 0xff, 0xfe},
		"field number 0":        {2, 0x00, 0x00},
		"a length of 11 bytes":  bytes.Repeat([]byte{0x80}, 11),
		"a length above 64 bit": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
	} {
		if err := NewReader(bytes.NewReader(b), 4096).Read(&wirepb.Answer{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTextThatIsNoUTF8IsNotWritten(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := w.Write(&wirepb.Answer{Problem: "\xff"}); err == nil {
		t.Error("it was written")
	}
	if err := errors.Join(w.Write(&wirepb.Ask{Nonce: 5}), w.Flush()); err != nil {
		t.Fatal(err)
	}
	var next wirepb.Ask
	if err := NewReader(&b, 64).Read(&next); err != nil || next.GetNonce() != 5 {
		t.Errorf("the message after it: %v, %v", &next, err)
	}
}

func TestAnErrorOfTheStreamIsReturned(t *testing.T) {
	broken := errors.New("broken")
	for name, b := range map[string][]byte{"at the start": nil, "within a length": {0x80}, "within a message": {9, 1}} {
		r := NewReader(io.MultiReader(bytes.NewReader(b), iotest.ErrReader(broken)), 64)
		if err := r.Read(&wirepb.Ask{}); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w := NewWriter(failing{broken})
	if err := errors.Join(w.Write(&wirepb.Ask{Nonce: 1}), w.Flush()); !errors.Is(err, broken) {
		t.Errorf("write: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestWhoWaitsForAMessageLearnsWhyNoneComes: that the stream ends, or that it is
// silent for too long.
func TestWhoWaitsForAMessageLearnsWhyNoneComes(t *testing.T) {
	want := &wirepb.Answer{Problem: "none"}
	r := NewReader(bytes.NewReader(written(t, []part{{want, nil}})), 4096)
	var got wirepb.Answer
	for range 2 {
		if err := r.Await(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Read(&got); err != nil || !proto.Equal(&got, want) {
		t.Errorf("%v, %v", &got, err)
	}
	if err := r.Await(); err != io.EOF { //nolint:errorlint // not wrapped
		t.Errorf("at the end: %v", err)
	}
	broken := errors.New("broken")
	if err := NewReader(iotest.ErrReader(broken), 4096).Await(); err != broken { //nolint:errorlint // not wrapped
		t.Errorf("of a stream that broke: %v", err)
	}
	a, b := net.Pipe()
	defer func() { _ = errors.Join(a.Close(), b.Close()) }()
	if err := a.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := NewReader(a, 4096).Await(); !errors.Is(err, ErrIdle) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("of a silent stream: %v", err)
	}
}
