package discovery

import (
	"net/netip"
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
	links   func() []netip.Prefix   // the networks of its interfaces
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
// sent there may go far. It counts while this machine is on the network on which
// the device, or another that is connected, has told it, and on no other.
func (g *gate) mayDial(id peer.ID, a ma.Multiaddr) bool {
	if relay, ok := relayOf(a); ok {
		return g.beyond.Load() && relay != id && g.trusted(relay)
	}
	return g.linked(a) || g.beyond.Load() || (!g.lanOnly || near(a)) && ma.Contains(g.askedOf(id), a) || near(a) && g.toldHere(id, a)
}

// site is an address of a device.
type site struct {
	id   peer.ID
	addr string
}

// maxSites bounds the private addresses behind gateways that are remembered with
// the networks on which they were told.
const maxSites = 4096

// tell notes on which networks private addresses behind gateways were told.
func (g *gate) tell(id peer.ID, addrs []ma.Multiaddr) {
	for _, a := range addrs {
		if !near(a) || g.linked(a) {
			continue
		}
		g.mu.Lock()
		if len(g.sites) >= maxSites {
			clear(g.sites) // they are told again
		}
		g.sites[site{id, string(a.Bytes())}] = g.networks()
		g.mu.Unlock()
	}
}

// toldHere tells whether an address was told on a network that this machine is
// on still.
func (g *gate) toldHere(id peer.ID, a ma.Multiaddr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.networks()
	return slices.ContainsFunc(g.sites[site{id, string(a.Bytes())}], func(p netip.Prefix) bool { return slices.Contains(now, p) })
}

// networks are those that this machine is on, but for its own.
func (g *gate) networks() []netip.Prefix {
	if g.links == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.links()), func(p netip.Prefix) bool {
		return p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast()
	})
}

// Introduce is [Net.Remember] for what a connected device has just told of
// another. It may be dialled at private addresses behind a gateway, too, while
// this machine stays on its network.
func (n *Net) Introduce(id peer.ID, addrs []string) {
	var good []ma.Multiaddr
	for _, s := range addrs {
		if a, err := parseAddr(s, id); err == nil {
			good = append(good, a)
		}
	}
	n.gate.tell(id, good)
	n.Remember(id, addrs)
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
