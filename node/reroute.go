package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
)

// heirWait is how long a peer keeps its place in the folders after the stream
// has ended on which it told, while it is connected: the next stream is on its
// way, on another connection.
const heirWait = time.Second

// errRerouted ends the stream on which a peer is told, for one on a better
// connection.
var errRerouted = errors.New("the peer is reached in another way")

// reroute has all that is said to a peer said on the connection that is the best
// one now. What is under way on the old one comes to its end there.
func (d *Device) reroute(id entry.DeviceID) {
	l := d.link(id)
	if l == nil {
		return
	}
	l.blocks.renew()
	l.mu.Lock()
	retell := l.retell
	l.mu.Unlock()
	if retell != nil {
		retell(errRerouted)
	}
	d.changed.tell()
}

// telling is the context of one stream on which the peer is told.
func (l *link) telling(ctx context.Context) (telling context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.mu.Lock()
	l.retell = cancel
	l.mu.Unlock()
	return ctx, func() { cancel(nil) }
}

// hear makes a listener the one that hears the peer.
func (l *link) hear(listener *exchange.Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener = listener
	close(l.turn)
	l.turn = make(chan struct{})
}

// awaitHeir waits a moment for the successor of a listener whose stream has
// ended, if the peer is connected still.
func (l *link) awaitHeir(ctx context.Context, listener *exchange.Listener) {
	l.mu.Lock()
	turn := l.turn
	succeeded := l.listener != listener
	l.mu.Unlock()
	if succeeded || l.device.net.Host().Network().Connectedness(l.peer) != network.Connected {
		return
	}
	over := time.NewTimer(heirWait)
	defer over.Stop()
	select {
	case <-turn:
	case <-ctx.Done():
	case <-over.C:
	}
}

// fetcher fetches blocks from one peer over streams on the connection that is
// the best one when they are opened.
type fetcher struct {
	open func(context.Context) (blocks.Stream, error)

	mu     sync.Mutex
	client *blocks.Client
}

func newFetcher(open func(context.Context) (blocks.Stream, error)) *fetcher {
	return &fetcher{open: open, client: blocks.NewClient(open)}
}

// Fetch is that of [blocks.Client].
func (f *fetcher) Fetch(ctx context.Context, r blocks.Request, got func(i int, sealed []byte) error) error {
	f.mu.Lock()
	client := f.client
	f.mu.Unlock()
	return client.Fetch(ctx, r, got)
}

// Close resets the idle streams. Requests in flight end by their context.
func (f *fetcher) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.client.Close()
}

// renew has new requests made on new streams; those in flight go on.
func (f *fetcher) renew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.client.Close()
	f.client = blocks.NewClient(f.open)
}
