package rendezvous

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// usable tells whether an address is of a form that kith dials: an IP address
// with TCP or QUIC, maybe as that of a relay, or a relay by its ID alone.
func usable(a ma.Multiaddr) bool {
	if len(a) == 0 {
		return false
	}
	var codes []int
	for _, c := range a {
		codes = append(codes, c.Code())
	}
	if slices.Equal(codes, []int{ma.P_P2P, ma.P_CIRCUIT}) {
		return true
	}
	if codes[0] != ma.P_IP4 && codes[0] != ma.P_IP6 {
		return false
	}
	n := len(codes)
	if n > 3 && codes[n-1] == ma.P_CIRCUIT && codes[n-2] == ma.P_P2P {
		codes = codes[:n-2]
	}
	return slices.Equal(codes[1:], []int{ma.P_TCP}) || slices.Equal(codes[1:], []int{ma.P_UDP, ma.P_QUIC_V1})
}

// direct tells whether an address is usable without a relay.
func direct(a ma.Multiaddr) bool {
	return usable(a) && a[len(a)-1].Code() != ma.P_CIRCUIT
}

// reach decides which addresses the board's host dials. Whoever takes part in
// a DHT can tell any addresses, so others would be able to make it knock at
// doors of their choice.
type reach struct {
	mode  Mode
	known *nodes
	every bool // in tests, where all of the network is one machine

	mu    sync.Mutex
	links []netip.Prefix // the networks of this machine's interfaces
}

// look reads the interfaces of this machine afresh.
func (r *reach) look() {
	var links []netip.Prefix
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			links = append(links, p.Masked())
		}
	}
	r.mu.Lock()
	r.links = links
	r.mu.Unlock()
}

// may tells whether a node may be dialled at an address: at public ones; in a
// private DHT also on the networks of this machine, and wherever a person or a
// paired device has said that a node is.
func (r *reach) may(id peer.ID, a ma.Multiaddr) bool {
	if !direct(a) || manet.IsIPUnspecified(a) {
		return false
	}
	if r.every || manet.IsPublicAddr(a) {
		return true
	}
	return r.mode == Private && (r.onLink(a) || r.known.told(id, a))
}

func (r *reach) onLink(a ma.Multiaddr) bool {
	raw, err := manet.ToIP(a)
	if err != nil {
		return false
	}
	ip, ok := netip.AddrFromSlice(raw)
	if !ok {
		return false
	}
	ip = ip.Unmap().WithZone("")
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.links, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// any tells whether a node has an address at which it may be dialled.
func (r *reach) any(n peer.AddrInfo) bool {
	return slices.ContainsFunc(n.Addrs, func(a ma.Multiaddr) bool { return r.may(n.ID, a) })
}

// parseNode reads where a node is: an address that ends in /p2p and its ID. In
// place of an IP address there can be a DNS name if names are allowed.
func parseNode(text string, names bool) (peer.AddrInfo, error) {
	if len(text) > maxNodeText {
		return peer.AddrInfo{}, fmt.Errorf("%w: %d bytes (at most %d)", ErrNode, len(text), maxNodeText)
	}
	n, err := peer.AddrInfoFromString(strings.TrimSpace(text))
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: %q: %w", ErrNode, text, err)
	}
	if len(n.Addrs) != 1 || !(direct(n.Addrs[0]) || names && named(n.Addrs[0])) {
		return peer.AddrInfo{}, fmt.Errorf("%w: %q", ErrNode, text)
	}
	return *n, nil
}

// named tells whether an address begins with a DNS name.
func named(a ma.Multiaddr) bool {
	if len(a) == 0 {
		return false
	}
	switch a[0].Code() {
	case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
		return true
	}
	return false
}
