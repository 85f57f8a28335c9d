package blocks

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// duplex is a stream of which one direction has been written already.
type duplex struct {
	io.Reader
	written bytes.Buffer
}

func (d *duplex) Write(b []byte) (int, error) { return d.written.Write(b) }
func (d *duplex) Close() error                { return nil }
func (d *duplex) Reset() error                { return nil }

// framed is messages as they cross the wire, with raw bytes in between.
func framed(t testing.TB, parts ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := frame.NewWriter(&b)
	for _, p := range parts {
		var err error
		switch p := p.(type) {
		case proto.Message:
			err = w.Write(p)
		case []byte:
			err = w.WriteRaw(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func header(status wirepb.BlockHeader_Status, size uint32) *wirepb.BlockHeader {
	return &wirepb.BlockHeader{Status: status, Size: size}
}

const (
	ok      = wirepb.BlockHeader_STATUS_OK
	missing = wirepb.BlockHeader_STATUS_MISSING
	refused = wirepb.BlockHeader_STATUS_REFUSED
	notHeld = wirepb.BlockHeader_STATUS_NOT_HELD
)

// TestAMalformedAnswerIsAnError whatever has come before it.
func TestAMalformedAnswerIsAnError(t *testing.T) {
	long := header(ok, 5)
	long.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType), make([]byte, 100)))
	for name, c := range map[string]struct {
		answer []byte
		want   error
	}{
		"a block of no bytes":       {framed(t, header(ok, 0)), ErrAnswer},
		"a block that is too large": {framed(t, header(ok, MaxSealed+1)), ErrAnswer},
		"a block of 4 GiB":          {framed(t, header(ok, math.MaxUint32)), ErrAnswer},
		"no status":                 {framed(t, header(0, 5), []byte("12345")), ErrAnswer},
		"an unknown status":         {framed(t, header(5, 0)), ErrAnswer},
		"not held, unasked":         {framed(t, header(notHeld, 0)), ErrAnswer},
		"a negative status":         {framed(t, header(-1, 0)), ErrAnswer},
		"a header that is too long": {framed(t, long), frame.ErrTooLarge},
		"a header that is none":     {[]byte{2, 0x0f, 0x0f}, frame.ErrMalformed},
		"nothing":                   {nil, io.ErrUnexpectedEOF},
		"half a header":             {[]byte{9, 1}, io.ErrUnexpectedEOF},
		"no block":                  {framed(t, header(ok, 5)), io.ErrUnexpectedEOF},
		"half a block":              {framed(t, header(ok, 5), []byte("123")), io.ErrUnexpectedEOF},
		"refused in the middle":     {framed(t, header(refused, 0)), ErrRefused},
	} {
		for _, before := range [][]byte{nil, framed(t, header(missing, 0)), framed(t, header(ok, 3), []byte("abc"))} {
			client := NewClient(func(context.Context) (Stream, error) {
				return &duplex{Reader: io.MultiReader(bytes.NewReader(before), bytes.NewReader(c.answer))}, nil
			})
			calls := 0
			err := client.Fetch(t.Context(), Request{Folder: docs, IDs: idsOf(1, 2, 3)}, func(int, []byte) error { calls++; return nil })
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if want := min(len(before), 1); calls != want {
				t.Errorf("%s: %d blocks came", name, calls)
			}
			client.Close()
		}
	}
}

// TestAMalformedRequestEndsTheStream before the source is asked.
func TestAMalformedRequestEndsTheStream(t *testing.T) {
	ids := make([]byte, 64)
	for name, c := range map[string]struct {
		request []byte
		want    error
	}{
		"no folder":              {framed(t, &wirepb.BlockRequest{Ids: ids}), ErrRequest},
		"a folder of 15 bytes":   {framed(t, &wirepb.BlockRequest{Folder: docs[1:], Ids: ids}), ErrRequest},
		"a folder of 17 bytes":   {framed(t, &wirepb.BlockRequest{Folder: make([]byte, 17), Ids: ids}), ErrRequest},
		"no IDs":                 {framed(t, &wirepb.BlockRequest{Folder: docs[:]}), ErrRequest},
		"half an ID":             {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids[:48]}), ErrRequest},
		"a nonce of 31 bytes":    {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Nonce: nonce[1:]}), ErrRequest},
		"a nonce of 33 bytes":    {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Nonce: append([]byte{1}, nonce[:]...)}), ErrRequest},
		"a nonce of zeros":       {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Nonce: make([]byte, 32)}), ErrRequest},
		"compressed proofs":      {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Nonce: nonce[:], Compress: true}), ErrRequest},
		"a hold without a nonce": {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Hold: 1}), ErrRequest},
		"a hold for too long":    {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Nonce: nonce[:], Hold: 3601}), ErrRequest},
		"a hold for ever":        {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Nonce: nonce[:], Hold: math.MaxUint32}), ErrRequest},
		"a form too many":        {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Form: MaxForms}), ErrRequest},
		"a form of 32 bits":      {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids, Form: math.MaxUint32}), ErrRequest},
		"a nonce and no IDs":     {framed(t, &wirepb.BlockRequest{Folder: docs[:], Nonce: nonce[:]}), ErrRequest},
		"too many IDs":           {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: make([]byte, 32*(MaxWants+1))}), ErrRequest},
		"far too many IDs":       {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: make([]byte, 32*2*MaxWants)}), frame.ErrTooLarge},
		"a claim of 4 GiB":       {binary.AppendUvarint(nil, 1<<32), frame.ErrTooLarge},
		"an empty message":       {[]byte{0}, ErrRequest},
		"what is no message":     {[]byte{3, 0xff, 0xff, 0xff}, frame.ErrMalformed},
		"a megabyte of anything": {bytes.Repeat([]byte{0x41}, 1<<20), frame.ErrMalformed},
		"half a request":         {framed(t, &wirepb.BlockRequest{Folder: docs[:], Ids: ids})[:40], io.ErrUnexpectedEOF},
	} {
		s := &shelf{}
		err := (&Server{Source: s}).Handle(t.Context(), asker, &duplex{Reader: bytes.NewReader(c.request)})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(s.asked) > 0 {
			t.Errorf("%s: the source was asked for %d blocks", name, len(s.asked[0].IDs))
		}
	}
}

// TestRequestsSentAheadAreAnsweredInOrder though one of them is refused.
func TestRequestsSentAheadAreAnsweredInOrder(t *testing.T) {
	request := func(folder entry.FolderID, names ...int) *wirepb.BlockRequest {
		r := Request{Folder: folder, IDs: idsOf(names...)}
		return r.toWire()
	}
	d := &duplex{Reader: bytes.NewReader(framed(t,
		request(docs, 2, 3), request(entry.FolderID{'x'}, 2, 4, 6), request(docs, 5), request(docs, 4, 4)))}
	if err := (&Server{Source: &shelf{}}).Handle(t.Context(), asker, d); err != nil {
		t.Fatal(err)
	}
	want := framed(t,
		header(ok, uint32(len(bytesOf(2)))), bytesOf(2), header(missing, 0),
		header(refused, 0), header(refused, 0), header(refused, 0),
		header(missing, 0),
		header(ok, uint32(len(bytesOf(4)))), bytesOf(4), header(ok, uint32(len(bytesOf(4)))), bytesOf(4))
	if !bytes.Equal(d.written.Bytes(), want) {
		t.Errorf("answered\n%x\nnot\n%x", d.written.Bytes(), want)
	}
}

// TestAnswersAreSentBeforeTheNextRequestIsAwaited or both would wait.
func TestAnswersAreSentBeforeTheNextRequestIsAwaited(t *testing.T) {
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- (&Server{Source: &shelf{}}).Handle(t.Context(), asker, b) }()
	in, out := frame.NewReader(a, maxHeader), frame.NewWriter(a)
	for range 3 {
		r := Request{Folder: docs, IDs: idsOf(1, 3)}
		if err := errors.Join(out.Write(r.toWire()), out.Flush()); err != nil {
			t.Fatal(err)
		}
		for range r.IDs {
			var h wirepb.BlockHeader
			if err := in.Read(&h); err != nil || h.GetStatus() != missing {
				t.Fatalf("answer %v: %v", &h, err)
			}
		}
	}
	_ = a.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestASourceThatDoesNotKeepItsPromiseEndsTheStream rather than shifting all
// later answers.
func TestASourceThatDoesNotKeepItsPromiseEndsTheStream(t *testing.T) {
	for name, on := range map[string]func(send func([]byte) error) error{
		"too few":             func(send func([]byte) error) error { return send(nil) },
		"too many":            func(send func([]byte) error) error { return errors.Join(send(nil), send(nil), send(nil)) },
		"refused after all":   func(send func([]byte) error) error { return errors.Join(send(nil), ErrRefused) },
		"an error":            func(func([]byte) error) error { return errBroken },
		"an error in between": func(send func([]byte) error) error { return errors.Join(send(nil), errBroken) },
	} {
		s := &shelf{on: func(_ context.Context, _ Request, send func([]byte) error) error { return on(send) }}
		r := Request{Folder: docs, IDs: idsOf(2, 4)}
		d := &duplex{Reader: bytes.NewReader(framed(t, r.toWire(), r.toWire()))}
		if err := (&Server{Source: s}).Handle(t.Context(), asker, d); err == nil {
			t.Errorf("%s: no error", name)
		}
		if len(s.asked) > 1 {
			t.Errorf("%s: the next request was served", name)
		}
	}
}
