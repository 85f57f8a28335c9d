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

// doubtID is the same on a relayed connection, and says that there is no other:
// if the other side has one that is direct, it is dead.
const doubtID protocol.ID = "/kith/doubt/1"

// pulseAll asks for a sign of life on the QUIC connections of a device where
// that is due, and closes those that give none.
func (n *Net) pulseAll(ctx context.Context, d *device) {
	now := time.Now()
	var due []*link
	n.mu.Lock()
	for _, l := range d.links {
		if l.transport == QUIC && l.via != ViaRelay && !l.asked.Add(pulseEvery).After(now) {
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
			id := pulseID
			if l.via == ViaRelay {
				id = doubtID
			}
			if !answersTo(ctx, l.conn, id) && ctx.Err() != context.Canceled {
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
func alive(ctx context.Context, c network.Conn) bool { return answersTo(ctx, c, pulseID) }

func answersTo(ctx context.Context, c network.Conn, id protocol.ID) bool {
	s, err := c.NewStream(network.WithAllowLimitedConn(ctx, "pulse"))
	if err != nil {
		// Too many streams here say nothing of the other side.
		return errors.Is(err, network.ErrResourceLimitExceeded) && !c.IsClosed()
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
	err = msmux.SelectProtoOrFail(id, s)
	var refused msmux.ErrNotSupported[protocol.ID]
	var reset *network.StreamError
	// To reset a stream, as for having too many, is a sign of life too.
	return err == nil || errors.As(err, &refused) || errors.As(err, &reset) && reset.Remote
}

// doubtHeard has the direct connections of a device looked at that has none.
func (n *Net) doubtHeard(s network.Stream) {
	_ = s.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[s.Conn().RemotePeer()]
	if d == nil || !isCircuit(s.Conn().RemoteMultiaddr()) {
		return
	}
	if direct := d.directLinks(); len(direct) > 0 {
		n.doubted = append(n.doubted, direct...)
		nudge(n.doubt)
	}
}

// directLinks are the connections with nobody in between.
func (d *device) directLinks() []*link {
	var out []*link
	for _, l := range d.links {
		if l.via != ViaRelay {
			out = append(out, l)
		}
	}
	return out
}
