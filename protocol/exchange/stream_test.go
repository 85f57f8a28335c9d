package exchange

import (
	"errors"
	"io"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/protocol/frame"
)

// errReset is what a stream gives after a reset.
var errReset = errors.New("stream reset")

// lane is one direction of a stream in memory. A writer waits while more than
// room bytes have not been read.
type lane struct {
	mu    sync.Mutex
	moved sync.Cond
	bytes []byte
	room  int
	ended error // of reading, once bytes is empty; of writing at once
}

func newLane(room int) *lane {
	l := &lane{room: room}
	l.moved.L = &l.mu
	return l
}

func (l *lane) read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.bytes) == 0 && l.ended == nil {
		l.moved.Wait()
	}
	if len(l.bytes) == 0 || errors.Is(l.ended, errReset) {
		return 0, l.ended
	}
	n := copy(b, l.bytes)
	l.bytes = l.bytes[n:]
	l.moved.Broadcast()
	return n, nil
}

func (l *lane) write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.bytes) > l.room && l.ended == nil {
		l.moved.Wait()
	}
	if l.ended != nil {
		return 0, errReset
	}
	l.bytes = append(l.bytes, b...)
	l.moved.Broadcast()
	return len(b), nil
}

func (l *lane) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended == nil || errors.Is(err, errReset) {
		l.ended = err
	}
	l.moved.Broadcast()
}

// end is one end of a stream.
type end struct{ in, out *lane }

// newStream is a stream in memory that takes room bytes in each direction
// before a writer has to wait.
func newStream(room int) (a, b *end) {
	x, y := newLane(room), newLane(room)
	return &end{x, y}, &end{y, x}
}

func (e *end) Read(b []byte) (int, error)  { return e.in.read(b) }
func (e *end) Write(b []byte) (int, error) { return e.out.write(b) }

// CloseWrite ends what this end says, in order.
func (e *end) CloseWrite() { e.out.end(io.EOF) }

func (e *end) Reset() error {
	e.in.end(errReset)
	e.out.end(errReset)
	return nil
}

const plenty = 64 << 20 // room that nobody fills

// far is the other side of a stream, played by the test message by message.
type far struct {
	t testing.TB
	*end
	out *frame.Writer
}

func newFar(t testing.TB, e *end) *far {
	return &far{t, e, frame.NewWriter(e)}
}

func (f *far) say(messages ...proto.Message) {
	f.t.Helper()
	for _, m := range messages {
		if err := f.out.Write(m); err != nil {
			f.t.Errorf("say %v: %v", m, err)
			return
		}
	}
	if err := f.out.Flush(); err != nil {
		f.t.Errorf("say: %v", err)
	}
}
