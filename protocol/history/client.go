package history

import (
	"context"
	"fmt"
	"sync"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// Client asks one peer about one folder. Its errors wrap [ErrRefused] if the
// peer keeps no vault of the folder or does not let this device ask, and
// [ErrRequest], nothing having been asked, if the request is none that may be
// sent; those of a callback are returned as they are, and any other but those
// that a method names says that the peer could not be asked.
type Client struct {
	folder entry.FolderID
	open   func(context.Context) (Stream, error)

	mu     sync.Mutex
	idle   []*line
	closed bool
}

// NewClient asks about a folder over streams that open makes, one per request
// in flight.
func NewClient(folder entry.FolderID, open func(context.Context) (Stream, error)) *Client {
	return &Client{folder: folder, open: open}
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

// ask asks, and calls take for each message of the answer but the end.
func (c *Client) ask(ctx context.Context, r *request, take func(*wirepb.HistoryAnswer) error) error {
	r.folder = c.folder
	if err := r.check(); err != nil {
		return err
	}
	if l := c.takeIdle(r.kind); l != nil {
		err := c.askOn(ctx, l, r, take)
		if err == nil || l.heard || ctx.Err() != nil {
			return err
		}
		// The peer had given up the idle stream; a fresh one tells the truth.
	}
	s, err := c.open(ctx)
	if err != nil {
		return fmt.Errorf("open history stream: %w", err)
	}
	return c.askOn(ctx, newLine(s), r, take)
}

func (c *Client) askOn(ctx context.Context, l *line, r *request, take func(*wirepb.HistoryAnswer) error) error {
	// A stream cannot be told to stop waiting but by resetting it.
	stop := context.AfterFunc(ctx, func() { _ = l.stream.Reset() })
	err := l.ask(r, take)
	if !stop() {
		_ = l.stream.Reset()
		return ctx.Err()
	}
	if err != nil {
		_ = l.stream.Reset()
		return err
	}
	c.put(l)
	return nil
}

// takeIdle is a stream that an earlier request has left, nil if there is none. A
// pin is asked for once, and so on a stream of its own: where an idle one
// breaks, it is not known whether the request was heard.
func (c *Client) takeIdle(k kind) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 || k == askPin {
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
