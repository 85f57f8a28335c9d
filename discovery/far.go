package discovery

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"
)

// far is what this device knows of its place in the network beyond the local
// one. It is safe for concurrent use; its mutex is taken after that of the
// [Net], never before.
type far struct {
	widened   chan struct{} // closed when it may look beyond
	moved     chan struct{} // where this device can be reached has changed
	berthNews chan struct{}
	relayNews chan struct{}
	lookNews  chan struct{} // mirrors are to be asked

	relayed func(network.Stream) network.Stream // nil leaves them as they are

	mu       sync.Mutex
	wide     *Wide // nil while nothing is looked for beyond
	berths   map[peer.ID]*berth
	mirrors  map[mirrored]time.Time  // when this device was seen at an address
	mapped   []ma.Multiaddr          // by the router
	calls    map[peer.ID]Call        // who has called back, and how that went
	reached  map[netip.Addr]struct{} // own addresses at which somebody came in from beyond
	relaying bool
}

func newFar() *far {
	return &far{
		widened: make(chan struct{}), moved: make(chan struct{}, 1), berthNews: make(chan struct{}, 1),
		relayNews: make(chan struct{}, 1), lookNews: make(chan struct{}, 1),
		berths: map[peer.ID]*berth{}, mirrors: map[mirrored]time.Time{}, calls: map[peer.ID]Call{},
		reached: map[netip.Addr]struct{}{},
	}
}

// Widen lets a device look for others beyond the local network that did not so
// far, as if [Options] had said so. It has no effect the second time, nor with
// [Options.LANOnly].
func (n *Net) Widen(w Wide) {
	if !n.gate.lanOnly {
		n.widen(&w)
	}
}

func (n *Net) widen(w *Wide) {
	if w == nil {
		return
	}
	n.far.mu.Lock()
	first := n.far.wide == nil
	if first {
		n.far.wide = w
		n.gate.beyond.Store(true)
		close(n.far.widened)
	}
	n.far.mu.Unlock()
	if !first {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for _, d := range n.devices {
		d.news(now)
	}
}

// SetRelay changes whether this device relays for those it is paired with. It
// has no effect before the device looks beyond the local network: [Net.Widen]
// says it then.
func (n *Net) SetRelay(m RelayMode) {
	n.far.mu.Lock()
	defer n.far.mu.Unlock()
	if n.far.wide == nil {
		return
	}
	wide := *n.far.wide // others may be reading it
	wide.Relay = m
	n.far.wide = &wide
	nudge(n.far.relayNews)
}

// lookFar does what is done beyond the local network, once that is wanted,
// until ctx ends.
func (n *Net) lookFar(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-n.far.widened:
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.keepBerths(ctx) })
	g.Go(func() error { return n.serveRelay(ctx) })
	g.Go(func() error { return n.lookInMirrors(ctx) })
	n.far.mu.Lock()
	mapping := n.far.wide.PortMapping
	n.far.mu.Unlock()
	if mapping {
		g.Go(func() error { return n.mapPorts(ctx) })
	}
	return g.Wait()
}

// openedFor is how long a way is taken for open that this device has opened
// itself, by sending there by UDP.
const openedFor = 5 * time.Minute

// cameIn is told of each new connection with a trusted device, and when this one
// last called there. One that has come in from beyond the local network proves
// that others can do the same, but by UDP only if this device has not opened the
// way itself. A socket for all addresses does not say at which: it was a public
// one, if the machine has any.
func (f *far) cameIn(l *link, h *here, called, now time.Time) {
	inbound := l.conn.Stat().Direction == network.DirInbound
	if !inbound || l.via != ViaDirect || l.transport == QUIC && now.Sub(called) < openedFor {
		return
	}
	at, ok := ipOf(l.conn.LocalMultiaddr())
	if !ok {
		return
	}
	if !at.IsUnspecified() {
		f.confirm(at)
		return
	}
	for _, a := range h.addrs {
		if ip, ok := ipOf(a); ok && !near(a) && ip.Is4() == at.Is4() {
			f.confirm(ip)
		}
	}
}

// confirm notes that this device is reached at an address of its own.
func (f *far) confirm(ip netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.reached[ip]; !known {
		f.reached[ip] = struct{}{}
		nudge(f.relayNews)
		nudge(f.moved)
	}
}

// wantsRelay tells whether this device is to relay for others, on a machine with
// these addresses.
func (f *far) wantsRelay(h *here) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.wide == nil || f.wide.Relay == RelayOff:
		return false
	case f.wide.Relay == RelayOn:
		return true
	}
	for _, a := range h.addrs {
		if ip, ok := ipOf(a); ok {
			if _, reached := f.reached[ip]; reached {
				return true
			}
		}
	}
	return false
}

func (f *far) setRelaying(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.relaying = on
}

// seen are the addresses that this device has elsewhere: as the router has
// promised, and as others see it, lately.
func (f *far) seen(now time.Time) []ma.Multiaddr {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := slices.Clone(f.mapped)
	for m, at := range f.mirrors {
		if a, err := ma.NewMultiaddr(m.addr); err == nil && now.Sub(at) < mirrorLasts && !ma.Contains(out, a) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b ma.Multiaddr) int { return a.Compare(b) })
	return out
}

// held are the relays through which others can reach this device.
func (f *far) held() []peer.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []peer.ID
	for id, b := range f.berths {
		if b.held {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// elsewhere is told when the network of this machine is another one: what was
// seen there is no longer true.
func (f *far) elsewhere() {
	f.mu.Lock()
	clear(f.mirrors)
	f.mapped = nil
	f.mu.Unlock()
	nudge(f.relayNews)
	nudge(f.lookNews)
	nudge(f.moved)
}
