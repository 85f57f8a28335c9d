package discovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	hop "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

// What a relay gives (circuit relay v2 of the libp2p specs). It serves devices
// that a person has paired with it, so neither bytes nor time are limited; what
// is limited is memory.
const (
	relayMembers  = 256                // devices that can be reached through it
	relayCircuits = 32                 // connections of one device through it
	relayBuffer   = 64 << 10           // bytes, for each direction of a connection
	relayTerm     = 7 * 24 * time.Hour // of a reservation; long, as clocks differ
)

// How often one device may call one other through this relay, so that it does not
// keep all others from calling there: the keeper of a device calls less often.
const (
	callBurst = 12
	callRate  = 0.5 // a second
	maxLines  = 4096
)

// line is from whom to whom a call is.
type line struct{ from, to peer.ID }

// lines are the calls of late. They are safe for concurrent use.
type lines struct {
	mu    sync.Mutex
	calls map[line]*bucket
}

// take tells whether one device may call another now.
func (l *lines) take(from, to peer.ID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.calls[line{from, to}]
	if b == nil {
		if len(l.calls) >= maxLines {
			maps.DeleteFunc(l.calls, func(_ line, b *bucket) bool { return now.Sub(b.at).Seconds()*callRate >= callBurst })
		}
		if l.calls == nil {
			l.calls = map[line]*bucket{}
		}
		b = &bucket{}
		l.calls[line{from, to}] = b
	}
	return b.take(now, callBurst, callRate)
}

// maxRelays is how many relays are tried for one device.
const maxRelays = 4

// members lets paired devices use the relay, and nobody else. That a device is
// paired with this one does not mean that it is with the other: that one's own
// gate says so. It is a relay.ACLFilter.
type members struct{ gate *gate }

// AllowReserve tells whether a device can be reached through this one.
func (m members) AllowReserve(id peer.ID, _ ma.Multiaddr) bool { return m.gate.trusted(id) }

// AllowConnect tells whether one device may call another through this one.
func (m members) AllowConnect(from peer.ID, _ ma.Multiaddr, to peer.ID) bool {
	return m.gate.trusted(from) && m.gate.trusted(to) && m.gate.lines.take(from, to, time.Now())
}

// serveRelay runs the relay while it is wanted, until ctx ends.
func (n *Net) serveRelay(ctx context.Context) error {
	var serving *relay.Relay
	stop := func() {
		if serving != nil {
			_ = serving.Close() // it never fails
			serving = nil
			n.log.Info("no longer relaying for paired devices")
		}
	}
	defer stop()
	for {
		wanted := n.far.wantsRelay(n.here.Load())
		switch {
		case wanted && serving == nil:
			r, err := n.newRelay()
			if err != nil {
				return fmt.Errorf("start the relay: %w", err)
			}
			serving = r
			n.log.Info("relaying for paired devices")
		case !wanted:
			stop()
		}
		n.far.setRelaying(serving != nil)
		select {
		case <-ctx.Done():
			return nil
		case <-n.far.relayNews:
		}
	}
}

func (n *Net) newRelay() (*relay.Relay, error) {
	h := n.host
	if n.far.relayed != nil {
		h = meteredHost{n.host, n.far.relayed}
	}
	return relay.New(h, relay.WithACL(members{n.gate}), relay.WithResources(relay.Resources{
		ReservationTTL:        relayTerm,
		MaxReservations:       relayMembers,
		MaxReservationsPerIP:  relayMembers, // a household or a shop behind one address
		MaxReservationsPerASN: relayMembers,
		MaxCircuits:           relayCircuits,
		BufferSize:            relayBuffer,
	}))
}

// meteredHost is a host on which a relay is held to limits.
type meteredHost struct {
	host.Host
	wrap func(network.Stream) network.Stream
}

// SetStreamHandler is for the streams of who calls another device.
func (h meteredHost) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	h.Host.SetStreamHandler(id, func(s network.Stream) { handle(h.wrap(s)) })
}

// NewStream is for the streams to who is called.
func (h meteredHost) NewStream(ctx context.Context, id peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	s, err := h.Host.NewStream(ctx, id, protocols...)
	if err != nil {
		return nil, err
	}
	return h.wrap(s), nil
}

// speaks notes whether a device relays, as it says.
func (n *Net) speaks(id peer.ID) {
	known, err := n.host.Peerstore().SupportsProtocols(id, hop.ProtoIDv2Hop)
	hops := err == nil && len(known) > 0
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[id]
	if d == nil || d.hops == hops {
		return
	}
	d.hops = hops
	n.berthsChanged()
	n.relaysNewLocked(d)
}

// relaysNewLocked has those devices looked for again that a relay may lead to.
func (n *Net) relaysNewLocked(via *device) {
	if !via.hops || via.berthConn() == nil || !n.gate.beyond.Load() {
		return
	}
	now := time.Now()
	for _, d := range n.devices {
		if d != via && len(d.links) == 0 && !d.guest {
			d.news(now) // an attempt under way knows nothing of this relay
		}
	}
}

// relaysLocked are the devices through which another may be reached: those that
// relay and are connected with nobody in between.
func (n *Net) relaysLocked(id peer.ID) []peer.ID {
	var out []peer.ID
	for other, d := range n.devices {
		if other != id && d.hops && d.berthConn() != nil && len(out) < maxRelays {
			out = append(out, other)
		}
	}
	return out
}

// berthConn is a good direct connection with a device, nil if there is none.
func (d *device) berthConn() network.Conn {
	if b := best(d.links); b != nil && b.confirmed && b.via != ViaRelay {
		return b.conn
	}
	return nil
}

// dialThrough dials a device through relays, until one leads there.
func (n *Net) dialThrough(ctx context.Context, id peer.ID, relays []peer.ID) error {
	addrs := make([]ma.Multiaddr, 0, len(relays))
	for _, r := range relays {
		addrs = append(addrs, circuit(r))
	}
	n.host.Peerstore().ClearAddrs(id)
	n.host.Peerstore().AddAddrs(id, addrs, peerstore.TempAddrTTL)
	n.swarm.Backoff().Clear(id) // the keeper has its own
	_, err := n.swarm.DialPeer(ctx, id)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("by relay: %w", err)
	}
	return err
}
