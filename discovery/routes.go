package discovery

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-netroute"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// routeLasts is how long the system's answer about a route is believed.
const routeLasts = time.Minute

// maxRoutes bounds the answers that are remembered.
const maxRoutes = 1024

// routes tells which private addresses the system reaches without a gateway, as
// those on a tunnel whose own address is no network. It is safe for concurrent
// use.
type routes struct {
	mu    sync.Mutex
	known map[netip.Addr]routeTold
}

type routeTold struct {
	direct bool
	at     time.Time
}

// direct tells whether an address is reached without a gateway, by another way
// than everything else.
func (r *routes) direct(ip netip.Addr, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.known[ip]; ok && now.Sub(t.at) < routeLasts {
		return t.direct
	}
	if r.known == nil || len(r.known) >= maxRoutes {
		r.known = map[netip.Addr]routeTold{}
	}
	// Where all goes into one wire without a gateway, that says nothing.
	t := routeTold{direct: withoutGateway(ip) && !withoutGateway(elsewhere(ip)), at: now}
	r.known[ip] = t
	return t.direct
}

// elsewhere is an address of the same family that is nobody's: of the 6to4
// relays, which are no more (RFC 7526), or for documentation (RFC 3849).
func elsewhere(ip netip.Addr) netip.Addr {
	if ip.Is6() {
		return netip.MustParseAddr("2001:db8:ffff:ffff::1")
	}
	return netip.MustParseAddr("192.88.99.1")
}

func withoutGateway(ip netip.Addr) bool {
	r, err := netroute.New()
	if err != nil {
		return false
	}
	_, gateway, _, err := r.Route(ip.AsSlice())
	return err == nil && len(gateway) == 0
}

// links are the networks of the interfaces of this machine.
func (n *Net) links() []netip.Prefix {
	if h := n.here.Load(); h != nil {
		return h.prefixes
	}
	return nil
}

// onLink tells whether an address is on a link of this machine: its own, a
// link-local one, on a network of its interfaces, or a private one to which a
// route leads without a gateway.
func (n *Net) onLink(a ma.Multiaddr) bool {
	ip, ok := ipOf(a)
	if !ok {
		return false
	}
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return true
	}
	h := n.here.Load()
	if h == nil {
		return false
	}
	if slices.ContainsFunc(h.prefixes, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return true
	}
	return manet.IsPrivateAddr(a) && h.routes.direct(ip, time.Now())
}
