// Package discovery knows who is where: it makes this device reachable, knows
// the addresses of paired devices, and keeps one good connection to each.
//
// It speaks no protocol of kith itself. Package node tells it whom to trust
// ([Net.Trust]), hears who has come and gone ([Net.Events]) and opens streams
// on [Net.Host].
//
// # Promises
//
//   - A device that is not trusted gets no connection, in either direction.
//     The exceptions are asked for and short: [Net.OpenDoor] lets a few in,
//     [Net.AllowDial] lets this device out, and either way they reach the
//     protocols of [Net.HandlePairing] and nothing else, not even identify.
//   - What a stranger can cost is bounded: handshakes a second, handshakes at
//     once, memory, connections.
//   - A trusted device is reported as connected only once it has answered on a
//     connection, so not while it refuses this one.
//   - Two devices that dial each other end with one connection, soon.
//   - A connection that has gone dead is noticed within 15 seconds, whatever
//     carries it; through a relay that stands still and is not dead itself within
//     two minutes.
//   - Nothing is dialled beyond the links of this machine but where a person
//     has said that a device is ([Net.Vouch]), or connected devices have said so
//     on the network that this machine is on, of private addresses; unless [Options.Beyond] is set or
//     [Net.Widen] called; nor is anything else done there: no relay, no mirror, no
//     port. Trusted devices may come in from anywhere all the same. With
//     [Options.LANOnly] nothing of that is done, private addresses that a person
//     has given excepted, and nothing is accepted from beyond private addresses
//     and those of the links.
//   - A relay serves devices that are trusted here, and learns of what it passes
//     on who talks with whom, when and how much: the two ends have their own TLS
//     inside. That a device comes by a relay makes it no less a stranger if it is
//     one.
//   - While a device is connected by a relay only, a direct way to it is looked
//     for, and one that is found takes over: new streams are on it at once, and
//     the relayed connection is closed when neither side has a stream on it, so
//     that no byte is lost, or after a minute.
//   - Where this device is, as others see it, it is told by trusted devices
//     alone. Who asks to be called back is called at the address that it comes
//     from, and nobody else is.
//   - What is announced on the local network does not name the device to those
//     who do not know its ID already, except by [Net.AnnouncePairing].
//
// # Lifecycle
//
// [New] binds the listening sockets, and libp2p begins to accept there, though
// nobody is trusted yet. Everything else happens in [Net.Run], which waits for
// what it has started. [Net.Close] ends the host; call it after Run.
//
// A [Net] is safe for concurrent use.
package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/discovery/mdns"
)

// Net is this device on the network.
type Net struct {
	log    *slog.Logger
	host   host.Host
	swarm  *swarm.Swarm
	gate   *gate
	speech *mdns.Speaker // nil without mDNS
	events *queue
	here   atomic.Pointer[here]
	built  atomic.Bool // host and swarm are set

	arrived   chan struct{} // a device to keep has been added
	doubt     chan struct{} // connections may have died
	changed   chan struct{} // the network has, so any may have
	strangers *msmux.MultistreamMuxer[protocol.ID]

	mu      sync.Mutex
	devices map[peer.ID]*device
	doubted []*link // to be asked for a sign of life
	far     *far
	pairing map[protocol.ID]network.StreamHandler
	search  *mdns.Browse // while Run runs with mDNS

	announced  announcer
	notices    *notices
	identities event.Subscription
}

// New makes the host and listens, on the default addresses if o.Listen is
// empty. It fails if the key is not Ed25519 ([ErrKey]), if an address is not
// one that can be listened on ([ErrAddr]), or if none of them could be bound.
func New(o Options) (*Net, error) {
	listen, err := o.listen()
	if err != nil {
		return nil, err
	}
	n, err := newNet(o)
	if err != nil {
		return nil, err
	}
	if err := n.listen(listen); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if o.MDNS {
		n.speech = mdns.New(n.log)
	}
	return n, nil
}

// newNet makes the host, which does not listen.
func newNet(o Options) (*Net, error) {
	n := &Net{
		log:       o.logger(),
		events:    newQueue(),
		arrived:   make(chan struct{}, 1),
		doubt:     make(chan struct{}, 1),
		changed:   make(chan struct{}, 1),
		strangers: msmux.NewMultistreamMuxer[protocol.ID](),
		devices:   map[peer.ID]*device{},
		pairing:   map[protocol.ID]network.StreamHandler{},
		notices:   newNotices(),
	}
	n.gate = newGate(extent{lanOnly: o.LANOnly, onLink: n.onLink, links: n.links})
	n.far = newFar()
	n.far.relayed = o.Relayed
	n.widen(o.wide())
	n.look()
	if err := n.build(o); err != nil {
		return nil, fmt.Errorf("make the network host: %w", err)
	}
	return n, nil
}

// Run keeps connections to trusted devices until ctx ends, and returns nil
// then. It must run once only. After it has returned, [Net.Events] is closed.
func (n *Net) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.events.run(ctx) })
	g.Go(func() error { return n.watchIdentities(ctx) })
	g.Go(func() error { return watchLinks(ctx, n.linksChanged) })
	g.Go(func() error { return n.probeAll(ctx) })
	g.Go(func() error { return n.keepAll(ctx) })
	g.Go(func() error { return n.lookFar(ctx) })
	g.Go(func() error { return n.keepBoard(ctx) })
	g.Go(func() error { return watchClock(ctx, clocks(), n.linksChanged) })
	if n.speech != nil {
		leave := n.joinLAN()
		defer leave()
		g.Go(func() error { return n.speech.Run(ctx) })
		g.Go(func() error { return n.renewDaily(ctx) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("keep the network: %w", err)
	}
	return nil
}

// Close closes all connections and the host. The Net is of no use afterwards.
func (n *Net) Close() error {
	if err := errors.Join(n.identities.Close(), n.host.Close()); err != nil {
		return fmt.Errorf("close the network host: %w", err)
	}
	return nil
}

// Host is the libp2p host, for stream handlers and streams. Nobody but package
// node should see it.
func (n *Net) Host() host.Host { return n.host }

// ID is this device.
func (n *Net) ID() peer.ID { return n.host.ID() }

// Events tells who has come and gone, in order, without loss. It must be read
// to its end; it is closed when Run returns.
func (n *Net) Events() <-chan Event { return n.events.out }

// Trust admits a device from now on, and has a connection to it kept while Run
// runs. It is what pairing leads to; trusting twice is no error. It wraps
// [ErrKey] if the ID is not of an Ed25519 key.
//
// A connection from the time of pairing is not used any further: it is closed
// when its streams have ended, after 2 seconds at the latest, and a new one is
// made.
func (n *Net) Trust(id peer.ID) error {
	if err := n.admit(id, false); err != nil {
		return err
	}
	n.seek()
	return nil
}

// Admit admits a device from now on, as Trust does, but does not look for it,
// and forgets where it was when it goes: it is one that is hardly ever there. It
// is connected when it connects, or is heard on the local network. A device
// that is trusted stays so. It wraps [ErrKey] if the ID is not of an Ed25519
// key.
func (n *Net) Admit(id peer.ID) error { return n.admit(id, true) }

func (n *Net) admit(id peer.ID, guest bool) error {
	if err := checkID(id); err != nil {
		return err
	}
	if id == n.ID() {
		return fmt.Errorf("%w: it is this device's own", ErrKey)
	}
	n.mu.Lock()
	if n.devices[id] == nil {
		n.devices[id] = newDevice(id, time.Now(), n.ID() < id)
		n.devices[id].guest = guest
	}
	n.devices[id].guest = n.devices[id].guest && guest
	n.gate.trust(id) // after the device is known, so that no connection is missed
	n.metChanged()
	n.mu.Unlock()
	nudge(n.arrived)
	return nil
}

// Distrust closes all connections to a device, forgets its addresses and
// refuses it from now on. A Disconnected event follows if it was connected.
func (n *Net) Distrust(id peer.ID) {
	n.gate.distrust(id)
	n.mu.Lock()
	d := n.devices[id]
	delete(n.devices, id)
	if d != nil {
		if d.up {
			n.events.add(Event{Kind: Disconnected, Device: id})
		}
		close(d.gone)
	}
	n.metChanged()
	n.mu.Unlock()
	// Closing is best effort: the gate refuses every stream already.
	_ = n.swarm.ClosePeer(id)
	n.host.Peerstore().ClearAddrs(id)
	n.host.Peerstore().RemovePeer(id)
}

// Trusted tells whether a device is admitted.
func (n *Net) Trusted(id peer.ID) bool { return n.gate.trusted(id) }

// Remember adds addresses at which a device was known before, as [Learned]
// events told them, or as a ticket carries them. What is no address for this
// host is left out silently. Devices that are not trusted have no addresses.
func (n *Net) Remember(id peer.ID, addrs []string) {
	var good []ma.Multiaddr
	for _, s := range addrs {
		if a, err := parseAddr(s, id); err == nil {
			good = append(good, a)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := n.devices[id]; d != nil && d.book.remember(good) {
		d.news(time.Now())
	}
}

// newsOf wakes the keeper of a device: there may be somewhere new to look.
func (n *Net) newsOf(id peer.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := n.devices[id]; d != nil {
		d.news(time.Now())
	}
}

// Peers tells the state of every device that is admitted, in no order.
func (n *Net) Peers() []Peer {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]Peer, 0, len(n.devices))
	for id, d := range n.devices {
		p := Peer{Device: id, Connected: d.up, Addrs: texts(d.book.lasting())}
		if best := best(d.links); best != nil && d.up {
			p.Route = best.route()
		}
		out = append(out, p)
	}
	return out
}
