package discovery

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	// nextTCP is the head start of one TCP address before the next.
	nextTCP = 20 * time.Millisecond

	// quicAfter is the head start of TCP before QUIC. TCP carries three times
	// as much at a third of the effort, and QUIC, with fewer round trips to
	// set up, would win the race at 100 ms there and back if it began 150 ms
	// later. When every TCP attempt has failed, QUIC begins at once.
	quicAfter = time.Second

	// nextRelay is the head start of one relay before the next. That there
	// are relays among the addresses at all is for the keeper to say.
	nextRelay = 200 * time.Millisecond
)

// rank says in which order libp2p dials the addresses of a device: TCP before
// QUIC, and addresses on a network of this machine before others.
func (n *Net) rank(addrs []ma.Multiaddr) []network.AddrDelay {
	return rank(addrs, n.here.Load().prefixes)
}

func rank(addrs []ma.Multiaddr, local []netip.Prefix) []network.AddrDelay {
	addrs = slices.Clone(addrs)
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int {
		if d := distance(a, local) - distance(b, local); d != 0 {
			return d
		}
		return a.Compare(b)
	})
	out := make([]network.AddrDelay, 0, len(addrs))
	var tcp, udp time.Duration
	if slices.ContainsFunc(addrs, isTCP) {
		udp = quicAfter
	}
	var relayed time.Duration
	for _, a := range addrs {
		if isCircuit(a) {
			out = append(out, network.AddrDelay{Addr: a, Delay: relayed})
			relayed += nextRelay
			continue
		}
		if isTCP(a) {
			out = append(out, network.AddrDelay{Addr: a, Delay: tcp})
			tcp += nextTCP
		} else {
			out = append(out, network.AddrDelay{Addr: a, Delay: udp})
			udp += nextTCP
		}
	}
	return out
}

// distance orders addresses: on this machine, on a network of its own, private,
// public.
func distance(a ma.Multiaddr, local []netip.Prefix) int {
	ip, ok := ipOf(a)
	switch {
	case ok && ip.IsLoopback():
		return 0
	case ok && slices.ContainsFunc(local, func(p netip.Prefix) bool { return p.Contains(ip) }):
		return 1
	case manet.IsPrivateAddr(a):
		return 2
	default:
		return 3
	}
}
