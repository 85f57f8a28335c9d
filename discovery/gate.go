package discovery

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// gate decides on every connection, in both directions; libp2p asks it at each
// step (it is a connmgr.ConnectionGater). It is safe for concurrent use.
type gate struct {
	extent
	beyond atomic.Bool        // this device looks for others beyond the local network
	vouch  func(ma.Multiaddr) // told where paired devices come from
	// worse tells whether a paired device can be had in a better way than by
	// dialling this address, though that has succeeded.
	worse func(peer.ID, ma.Multiaddr) bool
	// severed tells which ways are cut, in tests.
	severed func(peer.ID, ma.Multiaddr) bool

	lines lines // of the relay

	mu       sync.Mutex
	paired   map[peer.ID]struct{}
	dialled  map[peer.ID]int // strangers that may be dialled, by how many callers
	asked    map[peer.ID][]ma.Multiaddr
	sites    map[site][]netip.Prefix // and on which networks those behind gateways were told
	open     bool
	visitors map[network.Conn]*visitor
}

// visitor is a connection with a stranger.
type visitor struct {
	inbound bool
	expiry  *time.Timer
	here    bool // libp2p knows of it, so it can be closed
	unasked bool // to be closed as soon as it is here
}

func newGate(e extent) *gate {
	return &gate{
		extent:   e,
		vouch:    func(ma.Multiaddr) {},
		worse:    func(peer.ID, ma.Multiaddr) bool { return false },
		paired:   map[peer.ID]struct{}{},
		severed:  func(peer.ID, ma.Multiaddr) bool { return false },
		dialled:  map[peer.ID]int{},
		asked:    map[peer.ID][]ma.Multiaddr{},
		sites:    map[site][]netip.Prefix{},
		visitors: map[network.Conn]*visitor{},
	}
}

func (g *gate) trust(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paired[id] = struct{}{}
}

func (g *gate) distrust(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.paired, id)
	delete(g.asked, id)
}

func (g *gate) trusted(id peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.paired[id]
	return ok
}

// allowed tells whether id may be dialled.
func (g *gate) allowed(id peer.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.paired[id]
	return ok || g.dialled[id] > 0
}

// visiting tells whether c is a connection with a stranger, or was one when it
// was made: a connection is never promoted.
func (g *gate) visiting(c network.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.visitors[c] != nil {
		return true
	}
	_, ok := g.paired[c.RemotePeer()]
	return !ok
}

// InterceptPeerDial is asked before the addresses of a peer are looked at.
func (g *gate) InterceptPeerDial(id peer.ID) bool { return g.allowed(id) }

// InterceptAddrDial is asked about each address that is to be dialled.
func (g *gate) InterceptAddrDial(id peer.ID, a ma.Multiaddr) bool {
	return g.allowed(id) && g.mayDial(id, a) && !g.severed(id, a)
}

// InterceptAccept is asked before a TCP handshake, and after that of QUIC.
func (g *gate) InterceptAccept(c network.ConnMultiaddrs) bool {
	return g.mayAccept(c.RemoteMultiaddr())
}

// InterceptSecured is asked when the other side has proved who it is.
func (g *gate) InterceptSecured(dir network.Direction, id peer.ID, c network.ConnMultiaddrs) bool {
	if checkID(id) != nil || g.severed(id, c.RemoteMultiaddr()) {
		return false
	}
	if dir == network.DirOutbound {
		return g.allowed(id) && !(g.trusted(id) && g.worse(id, c.RemoteMultiaddr()))
	}
	if g.trusted(id) {
		if !isCircuit(c.RemoteMultiaddr()) {
			g.vouch(c.RemoteMultiaddr())
		}
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.roomLocked()
}

// roomLocked tells whether one more stranger may come in.
func (g *gate) roomLocked() bool {
	if !g.open {
		return false
	}
	in := 0
	for _, v := range g.visitors {
		if v.inbound {
			in++
		}
	}
	return in < maxStrangers
}

// InterceptUpgraded is asked last, and the only time with the connection that
// streams will have. It decides again, for good: many may have passed the steps
// before at once.
func (g *gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := c.RemotePeer()
	if _, ok := g.paired[id]; ok {
		return true, 0
	}
	inbound := c.Stat().Direction == network.DirInbound
	if inbound && !g.roomLocked() || !inbound && g.dialled[id] == 0 {
		return false, 0
	}
	v := &visitor{inbound: inbound}
	if inbound {
		v.expiry = time.AfterFunc(strangerLife, func() { _ = c.Close() })
	}
	g.visitors[c] = v
	return true, 0
}

// arrived is told of each connection when it can be used, and tells whether it
// is with a paired device, or else may stay nevertheless. What was asked of a
// connection between the last decision and now is done here: libp2p loses track
// of one that is closed before.
func (g *gate) arrived(c network.Conn) (paired, welcome bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v := g.visitors[c]; v != nil {
		v.here = true
		return false, !v.unasked
	}
	_, paired = g.paired[c.RemotePeer()]
	return paired, paired
}

// left forgets a connection that is closed.
func (g *gate) left(c network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if v := g.visitors[c]; v != nil {
		delete(g.visitors, c)
		if v.expiry != nil {
			v.expiry.Stop()
		}
	}
}

func (g *gate) setOpen(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}

// allowDial lets id be dialled until the count is taken back by disallowDial.
func (g *gate) allowDial(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dialled[id]++
}

func (g *gate) disallowDial(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dialled[id]--; g.dialled[id] <= 0 {
		delete(g.dialled, id)
		if _, paired := g.paired[id]; !paired {
			delete(g.asked, id)
		}
	}
}

// turnOut gives the connections to close of those with devices that are not
// paired and match.
func (g *gate) turnOut(match func(id peer.ID, inbound bool) bool) []network.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []network.Conn
	for c, v := range g.visitors {
		id := c.RemotePeer()
		if _, paired := g.paired[id]; paired || !match(id, v.inbound) {
			continue
		}
		if v.here {
			out = append(out, c)
		} else {
			v.unasked = true
		}
	}
	return out
}

// graduates are the connections from before a device was paired.
func (g *gate) graduates(id peer.ID) []network.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []network.Conn
	if _, paired := g.paired[id]; !paired {
		return nil
	}
	for c, v := range g.visitors {
		if c.RemotePeer() == id && v.here {
			out = append(out, c)
		}
	}
	return out
}
