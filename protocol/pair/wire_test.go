package pair

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/proto/wirepb"
)

// queue is one direction of an in-memory stream: writes never wait.
type queue struct {
	mu     sync.Mutex
	more   sync.Cond
	buf    bytes.Buffer
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.more.L = &q.mu
	return q
}

func (q *queue) Read(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.buf.Len() == 0 && !q.closed {
		q.more.Wait()
	}
	return q.buf.Read(b)
}

func (q *queue) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.more.Broadcast()
	if q.closed {
		return 0, io.ErrClosedPipe
	}
	return q.buf.Write(b)
}

func (q *queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Broadcast()
}

// end is one end of a stream. Closing it ends both directions, after what has
// been written is read.
type end struct{ in, out *queue }

func (e end) Read(b []byte) (int, error)  { return e.in.Read(b) }
func (e end) Write(b []byte) (int, error) { return e.out.Write(b) }
func (e end) Close()                      { e.in.Close(); e.out.Close() }

func newStream() (a, b end) {
	x, y := newQueue(), newQueue()
	return end{x, y}, end{y, x}
}

// readFrame takes one frame off a stream, prefix included, nil at its end.
func readFrame(r io.Reader) []byte {
	var one [1]byte
	var frame []byte
	for {
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return nil
		}
		frame = append(frame, one[0])
		if one[0] < 0x80 {
			break
		}
	}
	n, _ := binary.Uvarint(frame)
	if n > 1<<16 {
		return nil
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil
	}
	return append(frame, body...)
}

func frameOf(t testing.TB, m *wirepb.PairMessage) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

func messageOf(t testing.TB, frame []byte) *wirepb.PairMessage {
	t.Helper()
	_, n := binary.Uvarint(frame)
	var m wirepb.PairMessage
	if err := proto.Unmarshal(frame[n:], &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

func shareFrame(t testing.TB, b []byte) []byte {
	return frameOf(t, &wirepb.PairMessage{Body: &wirepb.PairMessage_Share{Share: b}})
}

func confirmFrame(t testing.TB, b []byte) []byte {
	return frameOf(t, &wirepb.PairMessage{Body: &wirepb.PairMessage_Confirm{Confirm: b}})
}

func sealedFrame(t testing.TB, b []byte) []byte {
	return frameOf(t, &wirepb.PairMessage{Body: &wirepb.PairMessage_Sealed{Sealed: b}})
}

func helloFrame(t testing.TB, h *wirepb.PairHello) []byte {
	return frameOf(t, &wirepb.PairMessage{Body: &wirepb.PairMessage_Hello{Hello: h}})
}

func refusalFrame(t testing.TB, r wirepb.PairReason) []byte {
	return frameOf(t, &wirepb.PairMessage{Body: &wirepb.PairMessage_Refusal{Refusal: &wirepb.PairRefusal{Reason: r}}})
}

// between sits on the stream of two devices that take turns and passes each
// frame through fn, which gets its number from 1. A nil result cuts the stream,
// less than a frame ends it for the reader.
type between func(n int, frame []byte) []byte

func (fn between) run(entererEnd, showerEnd end) {
	defer entererEnd.Close()
	defer showerEnd.Close()
	from, to := entererEnd, showerEnd
	for n := 1; ; n++ {
		frame := readFrame(from)
		if frame == nil {
			return
		}
		if fn != nil {
			frame = fn(n, frame)
		}
		if frame == nil {
			return
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
		if readFrame(bytes.NewReader(frame)) == nil {
			to.out.Close()
		}
		from, to = to, from
	}
}
