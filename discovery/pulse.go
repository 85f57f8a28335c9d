package discovery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	msmux "github.com/multiformats/go-multistream"
)

// pulseID is a protocol that does nothing: to agree on it is the sign of life.
const pulseID protocol.ID = "/kith/pulse/1"

// pulseAll asks for a sign of life on the QUIC connections of a device where
// that is due, and closes those that give none.
func (n *Net) pulseAll(ctx context.Context, d *device) {
	now := time.Now()
	var due []*link
	n.mu.Lock()
	for _, l := range d.links {
		if l.transport == QUIC && !l.asked.Add(pulseEvery).After(now) {
			due = append(due, l)
		}
	}
	n.mu.Unlock()
	n.probe(ctx, due, pulseWait)
}

// probe asks on all these connections at once and waits for the answers, and
// closes those that give none in time.
func (n *Net) probe(ctx context.Context, links []*link, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var all sync.WaitGroup
	for _, l := range links {
		all.Go(func() {
			if !alive(ctx, l.conn) && ctx.Err() != context.Canceled {
				_ = l.conn.Close()
			}
			n.mu.Lock()
			l.asked = time.Now()
			n.mu.Unlock()
		})
	}
	all.Wait()
}

// alive tells whether the other side answers on a connection before ctx ends.
func alive(ctx context.Context, c network.Conn) bool {
	s, err := c.NewStream(network.WithAllowLimitedConn(ctx, "pulse"))
	if err != nil {
		return false
	}
	// Reset, not Close: nothing else will be said, and nobody waits for it.
	defer func() { _ = s.Reset() }()
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(pulseWait)
	}
	if s.SetDeadline(until) != nil {
		return false
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	err = msmux.SelectProtoOrFail(pulseID, s)
	var refused msmux.ErrNotSupported[protocol.ID]
	return err == nil || errors.As(err, &refused)
}
