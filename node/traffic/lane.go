package traffic

import (
	"errors"
	"io"
	"sync"

	"github.com/kithmesh/kith/index/entry"
)

// ErrGivenUp is returned by a lane that was reset while it waited.
var ErrGivenUp = errors.New("stream was given up")

// Stream is what a lane holds to its rates.
type Stream interface {
	io.ReadWriteCloser
	// Reset gives the stream up at once.
	Reset() error
}

// Lane is a stream whose reads and writes wait for their turn. What it reads
// is counted after it has come: the sender learns of the rate by flow control.
type Lane struct {
	Stream
	meter *Meter
	flows [2]flow
	once  sync.Once
	gone  chan struct{}
}

// Lane has a stream wait for its turns. Where the origin has no folder yet,
// [Lane.Serve] names it later.
func (m *Meter) Lane(o Origin, s Stream) *Lane {
	l := &Lane{Stream: s, meter: m, gone: make(chan struct{})}
	for i := range l.flows {
		l.flows[i] = flow{origin: o, name: Party{Device: o.Device}}
	}
	return l
}

// GiveUp ends whatever waits, with [ErrGivenUp]. The stream is left as it is.
func (l *Lane) GiveUp() { l.once.Do(func() { close(l.gone) }) }

// Reset gives the stream up, and ends what waits.
func (l *Lane) Reset() error {
	l.GiveUp()
	return l.Stream.Reset()
}

// Read implements [io.Reader].
func (l *Lane) Read(b []byte) (int, error) {
	if n := l.piece(Down); n > 0 && len(b) > n {
		b = b[:n]
	}
	n, err := l.Stream.Read(b)
	if n > 0 {
		if failed := l.pass(Down, n); failed != nil {
			return n, failed
		}
	}
	return n, err
}

// Write implements [io.Writer].
func (l *Lane) Write(b []byte) (done int, err error) {
	for {
		part := b[done:]
		if n := l.piece(Up); n > 0 && len(part) > n {
			part = part[:n]
		}
		if err := l.pass(Up, len(part)); err != nil {
			return done, err
		}
		n, err := l.Stream.Write(part)
		done += n
		if err != nil || done >= len(b) {
			return done, err
		}
	}
}

// piece is how many bytes may pass at once, zero for any number.
func (l *Lane) piece(way Direction) int {
	if l.meter.free.Load() {
		return 0
	}
	g := &l.meter.gates[way]
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.piece(&l.flows[way])
}

// pass waits for the turn of n bytes.
func (l *Lane) pass(way Direction, n int) error {
	if n == 0 || l.piece(way) == 0 {
		return nil
	}
	g, f := &l.meter.gates[way], &l.flows[way]
	select {
	case <-g.enter(f, n):
		return nil
	case <-l.gone:
		g.leave(f)
		return ErrGivenUp
	}
}

// Serve names the folder that the stream serves from now on.
func (l *Lane) Serve(f entry.FolderID) {
	for way := range l.flows {
		g := &l.meter.gates[way]
		g.mu.Lock()
		l.flows[way].name.Folder = f
		g.mu.Unlock()
	}
}
