package blocks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/frame"
)

// Stream is one block stream to a peer.
type Stream interface {
	io.ReadWriteCloser
	// Reset gives the stream up at once; pending reads and writes end.
	Reset() error
}

// Client fetches blocks from one peer.
type Client struct {
	open func(context.Context) (Stream, error)

	mu     sync.Mutex
	idle   []*line
	closed bool
}

// line is one stream with the buffers of its two directions.
type line struct {
	stream Stream
	in     *frame.Reader
	out    *frame.Writer
	buf    []byte
}

// maxIdle bounds the streams kept between requests.
const maxIdle = 8

// NewClient fetches over streams that open makes, one per request in flight.
func NewClient(open func(context.Context) (Stream, error)) *Client {
	return &Client{open: open}
}

// Fetch asks for the blocks of r and calls got for each, in order, with its
// sealed bytes, valid only during the call, or with nil where the peer does
// not hold it. Where r has a Nonce, got is called with the 32 bytes of what the
// peer says is the [Proof] instead; it is not compared. Fetch stops at the first
// error of got and returns it as it is. An error wrapping [ErrRefused] says that
// the peer does not count this device as a member, one wrapping [ErrNotHeld]
// that it will not keep the blocks for as long as r.Hold says, one wrapping
// [ErrRequest] that r is none that may be sent; any other that the peer could
// not be asked.
func (c *Client) Fetch(ctx context.Context, r Request, got func(i int, sealed []byte) error) error {
	if l := c.takeIdle(); l != nil {
		answered := false
		err := c.fetchOn(ctx, l, r, func(i int, sealed []byte) error {
			answered = true
			return got(i, sealed)
		})
		if err == nil || answered || declined(err) || ctx.Err() != nil {
			return err
		}
		// The peer had given up the idle stream; a fresh one tells the truth.
	}
	s, err := c.open(ctx)
	if err != nil {
		return fmt.Errorf("open block stream: %w", err)
	}
	return c.fetchOn(ctx, &line{stream: s, in: frame.NewReader(s, maxHeader), out: frame.NewWriter(s)}, r, got)
}

// declined tells whether a peer has answered, though with nothing.
func declined(err error) bool {
	return errors.Is(err, ErrRefused) || errors.Is(err, ErrNotHeld) || errors.Is(err, ErrRequest)
}

func (c *Client) fetchOn(ctx context.Context, l *line, r Request, got func(i int, sealed []byte) error) error {
	// A stream cannot be told to stop waiting but by resetting it.
	stop := context.AfterFunc(ctx, func() { _ = l.stream.Reset() })
	err := l.fetch(r, got)
	if !stop() || err != nil {
		_ = l.stream.Reset()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	c.put(l)
	return nil
}

// Close resets the idle streams. Requests in flight end by their context.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, l := range c.idle {
		_ = l.stream.Reset()
	}
	c.idle = nil
}

func (c *Client) takeIdle() *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	l := c.idle[n-1]
	c.idle = c.idle[:n-1]
	return l
}

func (c *Client) put(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.idle) >= maxIdle {
		_ = l.stream.Reset()
		return
	}
	c.idle = append(c.idle, l)
}

func (l *line) fetch(r Request, got func(i int, sealed []byte) error) error {
	if err := r.check(); err != nil {
		return err
	}
	servesOf(l.stream)(r.Folder)
	if err := l.out.Write(r.toWire()); err != nil {
		return err
	}
	if err := l.out.Flush(); err != nil {
		return err
	}
	for i := range r.IDs {
		sealed, err := l.next(&r)
		if err != nil {
			return err
		}
		if err := got(i, sealed); err != nil {
			return err
		}
	}
	return nil
}

// next reads one answer to r; nil without an error means that the peer lacks it.
func (l *line) next(r *Request) ([]byte, error) {
	var h wirepb.BlockHeader
	if err := l.in.Read(&h); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch status := h.GetStatus(); {
	case status == wirepb.BlockHeader_STATUS_MISSING:
		return nil, nil
	case status == wirepb.BlockHeader_STATUS_REFUSED:
		return nil, ErrRefused
	case status == wirepb.BlockHeader_STATUS_NOT_HELD && r.Hold > 0:
		return nil, ErrNotHeld
	case status != wirepb.BlockHeader_STATUS_OK:
		return nil, fmt.Errorf("%w: status %d", ErrAnswer, status)
	}
	n := int(h.GetSize())
	switch {
	case r.proves() && n != proofSize:
		return nil, fmt.Errorf("%w: a proof of %d bytes", ErrAnswer, n)
	case n == 0 || n > MaxSealed:
		return nil, fmt.Errorf("%w: a block of %d bytes", ErrAnswer, n)
	}
	// Grown as bytes arrive would be safer still, but n is bounded by one
	// block, and the resource manager accounts for the streams.
	if cap(l.buf) < n {
		l.buf = make([]byte, n)
	}
	b := l.buf[:n]
	if err := l.in.ReadFull(b); err != nil {
		return nil, err
	}
	return b, nil
}
