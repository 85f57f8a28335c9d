// Package protocol is the door through which every stream of a peer comes: it
// checks trust, counts, reserves memory, and sees to it that no stream waits
// for ever.
//
// What is said on a stream is the business of the packages below: pair makes
// two devices trust each other, exchange tells what a device holds, blocks
// moves content, seal knows its sealed form, and frame cuts streams into
// messages.
//
// # Promises
//
//   - A handler runs only for a peer that is trusted when its stream comes.
//   - A peer has at most so many streams of a protocol at a time, and each has
//     its memory reserved with libp2p's resource manager.
//   - A read or write that makes no progress within the idle time fails. A
//     stream whose handler returns an error is reset, with a code that says
//     why, and logged once: at debug level where the peer only had nothing more
//     to ask for.
//
// A Server is safe for concurrent use; Close waits for all handlers.
package protocol

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/frame"
)

// ID names a protocol to libp2p.
type ID = protocol.ID

// The protocols beside pairing, which strangers may speak.
const (
	Exchange ID = "/kith/exchange/1"
	Blocks   ID = "/kith/blocks/1"
	History  ID = "/kith/history/1"
)

// Rule is what holds for the streams of one protocol.
type Rule struct {
	Name    string // for logs
	Streams int    // of one peer at a time
	Memory  int    // bytes that one stream may take for buffers
	// Idle is how long a read or write may take; zero means for ever, for a
	// stream that is silent while there is nothing to say.
	Idle time.Duration
}

// Server serves protocols to trusted peers.
type Server struct {
	trusted func(peer.ID) bool
	log     *slog.Logger
	ctx     context.Context // ends with Close; the parent of all handlers'
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	count   map[holder]int
	traffic map[entry.DeviceID]*traffic
	closed  bool
}

// traffic counts the bytes of a peer's streams.
type traffic struct{ sent, received atomic.Int64 }

type holder struct {
	peer peer.ID
	rule string
}

// NewServer serves peers for whom trusted is true.
func NewServer(trusted func(peer.ID) bool, log *slog.Logger) *Server {
	s := &Server{trusted: trusted, log: log, count: map[holder]int{}, traffic: map[entry.DeviceID]*traffic{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends all streams and waits for their handlers. New ones are refused.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}

// Serve is a handler of libp2p that calls handle for each stream that the rule
// admits. The stream is closed when handle returns nil, and reset otherwise.
func (s *Server) Serve(r Rule, handle func(context.Context, entry.DeviceID, *Stream) error) network.StreamHandler {
	return func(raw network.Stream) {
		id := raw.Conn().RemotePeer()
		err := s.admit(r, raw, id)
		if err != nil {
			s.log.Info("refused a stream", "protocol", r.Name, "device", id, "error", err)
			_ = raw.ResetWithError(code(err))
			return
		}
		defer s.leave(r, id)
		defer raw.Scope().ReleaseMemory(r.Memory)
		ctx, cancel := context.WithCancel(s.ctx)
		defer cancel()
		defer context.AfterFunc(ctx, func() { _ = raw.ResetWithError(codeClosing) })()
		err = handle(ctx, entry.DeviceID(id.String()), s.Open(raw, r.Idle))
		switch {
		case err == nil:
			_ = raw.Close()
		case harmless(err) || ctx.Err() != nil:
			_ = raw.Reset()
		case errors.Is(err, frame.ErrIdle):
			s.log.Debug("ended an idle stream", "protocol", r.Name, "device", id, "error", err)
			_ = raw.ResetWithError(code(err))
		default:
			s.log.Warn("ended a stream", "protocol", r.Name, "device", id, "error", err)
			_ = raw.ResetWithError(code(err))
		}
	}
}

func (s *Server) admit(r Rule, raw network.Stream, id peer.ID) error {
	if !s.trusted(id) {
		return ErrNotTrusted
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosing
	}
	if s.count[holder{id, r.Name}] >= r.Streams {
		return ErrTooMany
	}
	if err := raw.Scope().ReserveMemory(r.Memory, network.ReservationPriorityMedium); err != nil {
		return errors.Join(ErrTooMany, err)
	}
	s.count[holder{id, r.Name}]++
	s.running.Add(1)
	return nil
}

func (s *Server) leave(r Rule, id peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := holder{id, r.Name}
	if s.count[h]--; s.count[h] == 0 {
		delete(s.count, h)
	}
	s.running.Done()
}

// Stream is a stream whose reads and writes fail when they make no progress
// within the idle time.
type Stream struct {
	raw     network.Stream
	idle    time.Duration
	traffic *traffic
}

// Open bounds the reads and writes of a stream, and counts its bytes. It is
// for streams that this device opens; those that Serve admits are open.
func (s *Server) Open(raw network.Stream, idle time.Duration) *Stream {
	return &Stream{raw, idle, s.trafficOf(entry.DeviceID(raw.Conn().RemotePeer().String()))}
}

// Traffic is how many bytes the streams of a peer have carried since the
// server was made, as they are before encryption. Pairing is not counted.
func (s *Server) Traffic(d entry.DeviceID) (sent, received int64) {
	t := s.trafficOf(d)
	return t.sent.Load(), t.received.Load()
}

func (s *Server) trafficOf(d entry.DeviceID) *traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.traffic[d]
	if t == nil {
		t = &traffic{}
		s.traffic[d] = t
	}
	return t
}

// Conn is the connection that carries the stream.
func (s *Stream) Conn() network.Conn { return s.raw.Conn() }

// Read implements [io.Reader].
func (s *Stream) Read(b []byte) (int, error) {
	if s.idle > 0 {
		if err := s.raw.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
			return 0, err
		}
	}
	n, err := s.raw.Read(b)
	s.traffic.received.Add(int64(n))
	return n, err
}

// writePart is how many bytes have to be taken within the time that a stream may
// be idle: a block of megabytes on a slow way takes longer.
const writePart = 64 << 10

// Write implements [io.Writer].
func (s *Stream) Write(b []byte) (done int, err error) {
	for {
		part := b[done:]
		if s.idle > 0 {
			part = part[:min(len(part), writePart)]
			if err := s.raw.SetWriteDeadline(time.Now().Add(s.idle)); err != nil {
				return done, err
			}
		}
		n, err := s.raw.Write(part)
		done += n
		s.traffic.sent.Add(int64(n))
		if err != nil || done >= len(b) {
			return done, err
		}
	}
}

// Close ends the stream in order.
func (s *Stream) Close() error { return s.raw.Close() }

// Reset gives it up.
func (s *Stream) Reset() error { return s.raw.Reset() }

var _ io.ReadWriteCloser = (*Stream)(nil)
