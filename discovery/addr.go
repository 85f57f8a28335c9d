package discovery

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// here is what this machine is: the addresses of its interfaces.
type here struct {
	addrs    []ma.Multiaddr
	prefixes []netip.Prefix
	routes   routes
}

// look reads the interfaces of this machine afresh.
func (n *Net) look() {
	var h here
	nets, err := net.InterfaceAddrs()
	if err != nil {
		n.log.Debug("interfaces not read", "error", err)
	}
	for _, a := range nets {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if m, err := manet.FromIP(p.Addr().AsSlice()); err == nil && !manet.IsIP6LinkLocal(m) {
			h.addrs = append(h.addrs, m)
			h.prefixes = append(h.prefixes, netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()).Masked())
		}
	}
	n.here.Store(&h)
}

// listening resolves where the host listens to addresses that others can use.
// libp2p does that too, but looks at the interfaces once a minute only.
func (n *Net) listening() []ma.Multiaddr {
	listen := n.swarm.ListenAddresses()
	if len(listen) == 0 {
		return nil
	}
	listen = ma.FilterAddrs(listen, usableAddr) // what comes through relays is not an address
	all, err := manet.ResolveUnspecifiedAddresses(listen, n.here.Load().addrs)
	if err != nil {
		return nil // no interface of that kind
	}
	return ma.Unique(all)
}

// addrsFactory is what libp2p tells trusted devices of where this one is.
func (n *Net) addrsFactory(given []ma.Multiaddr) []ma.Multiaddr {
	if !n.built.Load() {
		return given // libp2p asks while it is being made
	}
	return ma.Unique(append(n.listening(), n.far.seen(time.Now())...))
}

// Addrs are the addresses of this device with its ID at the end, as tickets
// carry them. Loopback is left out unless there is nothing else.
func (n *Net) Addrs() []string {
	all := n.listening()
	out := ma.FilterAddrs(append([]ma.Multiaddr(nil), all...), func(a ma.Multiaddr) bool { return !manet.IsIPLoopback(a) })
	if len(out) == 0 {
		out = all
	}
	texts := make([]string, 0, len(out))
	for _, a := range out {
		texts = append(texts, a.String()+"/p2p/"+n.ID().String())
	}
	return texts
}

// usableAddr tells whether this host can listen at or dial such an address.
func usableAddr(a ma.Multiaddr) bool {
	p := a.Protocols()
	if len(p) < 2 || (p[0].Code != ma.P_IP4 && p[0].Code != ma.P_IP6) {
		return false
	}
	return (len(p) == 2 && p[1].Code == ma.P_TCP) || (len(p) == 3 && p[1].Code == ma.P_UDP && p[2].Code == ma.P_QUIC_V1)
}

// dialable tells whether it makes sense to dial an address: it names a place,
// and not one that each machine has for itself.
func dialable(a ma.Multiaddr) bool {
	if !usableAddr(a) || manet.IsIPUnspecified(a) || manet.IsIP6LinkLocal(a) {
		return false
	}
	port, ok := portOf(a)
	return ok && port != "0"
}

func portOf(a ma.Multiaddr) (string, bool) {
	for _, code := range []int{ma.P_TCP, ma.P_UDP} {
		if v, err := a.ValueForProtocol(code); err == nil {
			return v, true
		}
	}
	return "", false
}

// parseAddr reads an address to dial a device at; a /p2p part must name it.
func parseAddr(s string, id peer.ID) (ma.Multiaddr, error) {
	a, err := ma.NewMultiaddr(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrAddr, s, err)
	}
	bare, named := peer.SplitAddr(a)
	if bare == nil || !dialable(bare) || (named != "" && id != "" && named != id) {
		return nil, fmt.Errorf("%w: %q", ErrAddr, s)
	}
	return bare, nil
}

func isTCP(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_TCP)
	return err == nil
}

// near tells whether an address lies on this local network, as far as addresses
// tell: private, link-local or loopback.
func near(a ma.Multiaddr) bool { return manet.IsPrivateAddr(a) || manet.IsIPLoopback(a) }

// isCircuit tells whether an address leads through a relay.
func isCircuit(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// relayOf is the relay in an address that leads through one.
func relayOf(a ma.Multiaddr) (peer.ID, bool) {
	before, after := ma.SplitFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	if len(after) == 0 || len(before) == 0 {
		return "", false
	}
	_, id := peer.SplitAddr(before)
	return id, id != ""
}

// circuit is the address of whoever has a place with a relay.
func circuit(relay peer.ID) ma.Multiaddr {
	return ma.StringCast("/p2p/" + relay.String() + "/p2p-circuit")
}

// ipOf is the IP address in an address, without a zone.
func ipOf(a ma.Multiaddr) (netip.Addr, bool) {
	if a == nil {
		return netip.Addr{}, false
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Addr{}, false
	}
	out, ok := netip.AddrFromSlice(ip)
	return out.Unmap(), ok
}

func texts(addrs []ma.Multiaddr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}

// checkID refuses what is not the ID of an Ed25519 key. Such IDs hold the key.
func checkID(id peer.ID) error {
	key, err := id.ExtractPublicKey()
	if err != nil || key.Type() != crypto.Ed25519 {
		return fmt.Errorf("%w: %q", ErrKey, id.String())
	}
	return nil
}
