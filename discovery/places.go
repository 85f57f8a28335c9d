package discovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	basichost "github.com/libp2p/go-libp2p/p2p/host/basic"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// mapLook is how often it is looked what ports the router has given.
const mapLook = 5 * time.Second

// outside are all addresses at which others may reach this device, best first:
// its own without loopback, unless there is nothing else, those that it has
// elsewhere, and the relays where it has a place.
func (n *Net) outside() []ma.Multiaddr {
	own := n.listening()
	out := ma.FilterAddrs(slices.Clone(own), func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) })
	if len(out) == 0 {
		out = own
	}
	if !n.gate.beyond.Load() {
		return out
	}
	out = ma.Unique(append(out, n.far.seen(time.Now())...))
	slices.SortStableFunc(out, func(a, b ma.Multiaddr) int { return cmp.Compare(n.rankOfPlace(a), n.rankOfPlace(b)) })
	for _, id := range n.far.held() {
		out = append(out, circuit(id))
	}
	return out
}

func (n *Net) rankOfPlace(a ma.Multiaddr) int {
	switch {
	case n.gate.local(a) && !manet.IsPublicAddr(a):
		return 0
	case isTCP(a):
		return 1
	}
	return 2
}

// Places are the addresses of this device as tickets and notices carry them,
// without its ID, best first: those of its own, those that it has beyond the
// local network, and, with a /p2p-circuit at the end, the relays where it has a
// place.
func (n *Net) Places() []string { return texts(n.outside()) }

// learn takes in where a device says it is at present, in a notice that only it
// can have written. What it says of relays is of no use: those that lead to it are
// paired with this device too, and where they are they say themselves.
func (n *Net) learn(id peer.ID, addrs []ma.Multiaddr) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	var here []ma.Multiaddr
	for _, a := range addrs {
		if dialable(a) && n.gate.mayDial(id, a) {
			here = append(here, a)
		}
	}
	if d := n.devices[id]; d != nil && d.book.find(here, now) {
		d.news(now)
	}
}

// mapPorts has the router forward the ports of this device, and gives them back
// when ctx ends. It asks again on another network.
func (n *Net) mapPorts(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := n.mapHere(ctx); err != nil {
			return fmt.Errorf("map ports: %w", err)
		}
	}
	return nil
}

// mapHere does so on one network.
func (n *Net) mapHere(ctx context.Context) (err error) {
	m := basichost.NewNATManager(n.host.Network())
	defer func() { err = m.Close() }()
	look := time.NewTicker(mapLook)
	defer look.Stop()
	at := n.here.Load()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		if n.here.Load() != at {
			return nil
		}
		var mapped []ma.Multiaddr
		for _, l := range ma.FilterAddrs(n.swarm.ListenAddresses(), usableAddr) {
			if a := m.GetMapping(l); a != nil && usableAddr(a) && !manet.IsIPUnspecified(a) {
				mapped = append(mapped, a)
			}
		}
		n.far.mappedTo(mapped)
	}
}

func (f *far) mappedTo(mapped []ma.Multiaddr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !sameAddrs(f.mapped, mapped) {
		f.mapped = mapped
		nudge(f.moved)
		nudge(f.lookNews)
	}
}

// Far is what a device knows of its place beyond the local network.
type Far struct {
	Beyond   bool
	Relaying bool              // it relays for others
	Mapped   []string          // addresses that the router has given it
	Mirrored []Mirrored        // what paired devices say
	Calls    []Call            // what came of asking to be called
	Berths   []Berth           // its places with relays
	Unmet    map[peer.ID]error // why no way was punched to devices that a relay leads to
}

// Mirrored is what a paired device says of where this one is. Ports that differ
// are a sign of a NAT that cannot be punched through.
type Mirrored struct {
	By   peer.ID
	Addr string
	At   time.Time
}

// Berth is a place with a relay, or the attempt to get one.
type Berth struct {
	Relay peer.ID
	Held  bool
	Err   error // of the last attempt
	At    time.Time
}

// Far tells what this device knows of its place beyond the local network.
func (n *Net) Far() Far {
	out := Far{Unmet: map[peer.ID]error{}}
	n.mu.Lock()
	for id, d := range n.devices {
		if d.punchErr != nil && !d.direct() {
			out.Unmet[id] = d.punchErr
		}
	}
	n.mu.Unlock()
	n.far.mu.Lock()
	defer n.far.mu.Unlock()
	out.Beyond, out.Relaying, out.Mapped = n.far.wide != nil, n.far.relaying, texts(n.far.mapped)
	for m, at := range n.far.mirrors {
		out.Mirrored = append(out.Mirrored, Mirrored{By: m.by, Addr: m.addr, At: at})
	}
	for _, c := range n.far.calls {
		out.Calls = append(out.Calls, c)
	}
	for id, b := range n.far.berths {
		out.Berths = append(out.Berths, Berth{Relay: id, Held: b.held, Err: b.err, At: b.since})
	}
	return out
}

// AskFar asks those that are connected afresh how this device is seen and
// whether it can be reached, and waits for the answers.
func (n *Net) AskFar(ctx context.Context) {
	n.askMirrors(ctx, 0)
	n.askCalls(ctx)
}
