package discovery

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// maxAsked is how many addresses of a device given by hand are kept.
const maxAsked = 16

// extent is what counts as the local network, and whether there is more.
type extent struct {
	lanOnly bool
	onLink  func(ma.Multiaddr) bool // on a link of this machine
}

// local tells whether an address counts as one of the local network: private,
// link-local and loopback addresses do, and all on a link of this machine, for
// IPv6 has public addresses there too.
func (e extent) local(a ma.Multiaddr) bool {
	return !isCircuit(a) && (near(a) || e.linked(a))
}

func (e extent) linked(a ma.Multiaddr) bool { return e.onLink != nil && e.onLink(a) }

// mayAccept tells whether connections from an address are let in.
func (g *gate) mayAccept(a ma.Multiaddr) bool {
	if isCircuit(a) {
		return g.beyond.Load()
	}
	return !g.lanOnly || g.local(a)
}

// mayDial tells whether a device may be dialled at an address: on the links of
// this machine, everywhere if that is wanted, and otherwise where a person has
// said that it is. A private address behind a gateway is not on a link: what is
// sent there may go far.
func (g *gate) mayDial(id peer.ID, a ma.Multiaddr) bool {
	if relay, ok := relayOf(a); ok {
		return g.beyond.Load() && relay != id && g.trusted(relay)
	}
	return g.linked(a) || g.beyond.Load() || (!g.lanOnly || near(a)) && ma.Contains(g.askedOf(id), a)
}

func (g *gate) askedOf(id peer.ID) []ma.Multiaddr {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.asked[id])
}

// ask adds addresses that a person has given; the newest displace the oldest.
func (g *gate) ask(id peer.ID, addrs []ma.Multiaddr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.asked[id]
	for _, a := range addrs {
		if !ma.Contains(all, a) {
			all = append(all, a)
		}
	}
	g.asked[id] = all[max(0, len(all)-maxAsked):]
}

// Local tells whether an address counts as one of the local network: a private
// one, or one on a link of this machine, and none that leads through a relay.
func (n *Net) Local(a ma.Multiaddr) bool { return n.gate.local(a) }

// Vouch marks addresses of a device as given by a person, by hand or in a
// ticket: it may be dialled there even if nothing else is dialled beyond the
// local network ([Options.Beyond]), with [Options.LANOnly] if the address is
// private, and it is always looked for there too. What is no address for this host is left out
// silently. A device is vouched for until [Net.Distrust], or, if it has never
// been trusted, until the release of [Net.AllowDial].
func (n *Net) Vouch(id peer.ID, addrs []string) {
	var good []ma.Multiaddr
	for _, s := range addrs {
		if a, err := parseAddr(s, id); err == nil {
			good = append(good, a)
		}
	}
	if len(good) == 0 {
		return
	}
	n.gate.ask(id, good)
	n.newsOf(id)
}
