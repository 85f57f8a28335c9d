package discovery

import (
	"net/netip"
	"slices"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	maxLasting = 16              // addresses of a device that are kept
	maxHeard   = 8               // addresses of a device that the LAN told of
	heardFor   = 5 * time.Minute // how long those are tried

	maxPublished = 16               // addresses of a device that it has published
	foundFor     = 10 * time.Minute // how long those are tried
)

// book is what is known of where one device is. Lasting addresses come from the
// device itself or from having reached it there; heard ones from whoever speaks
// on the local network, and are only for trying.
type book struct {
	last []ma.Multiaddr // where it was reached, said to listen, or remembered
	lan  []heardAddr

	found []ma.Multiaddr // what it has published
	until time.Time
}

type heardAddr struct {
	addr  ma.Multiaddr
	until time.Time
}

func (b *book) lasting() []ma.Multiaddr { return b.last }

// remember adds lasting addresses behind those that are known, and tells
// whether any is new.
func (b *book) remember(addrs []ma.Multiaddr) bool {
	before := len(b.last)
	for _, a := range addrs {
		if !ma.Contains(b.last, a) && len(b.last) < maxLasting {
			b.last = append(b.last, a)
		}
	}
	return len(b.last) > before
}

// settle replaces the lasting addresses by those that the device says it
// listens at and the one at which it was reached, if it was dialled. Addresses
// that mean another machine elsewhere are left out: loopback, unless the device
// is on this machine. It tells whether anything changed.
func (b *book) settle(says []ma.Multiaddr, reached ma.Multiaddr, sameMachine bool) bool {
	var next []ma.Multiaddr
	add := func(a ma.Multiaddr) {
		if dialable(a) && (sameMachine || !manet.IsIPLoopback(a)) && !ma.Contains(next, a) && len(next) < maxLasting {
			next = append(next, a)
		}
	}
	if reached != nil {
		add(reached)
	}
	for _, a := range says {
		add(a)
	}
	if len(next) == 0 || sameAddrs(next, b.last) {
		return false
	}
	b.last = next
	return true
}

func sameAddrs(a, b []ma.Multiaddr) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(x ma.Multiaddr) bool { return !ma.Contains(b, x) })
}

// hear adds what the local network told at a time, and tells whether any of it
// is new. The newest displace the oldest.
func (b *book) hear(addrs []ma.Multiaddr, now time.Time) bool {
	fresh := false
	for _, a := range addrs {
		i := slices.IndexFunc(b.lan, func(h heardAddr) bool { return h.addr.Equal(a) })
		if i >= 0 {
			fresh = fresh || b.lan[i].until.Before(now)
			b.lan[i].until = now.Add(heardFor)
			continue
		}
		fresh = fresh || !ma.Contains(b.last, a)
		b.lan = append(b.lan, heardAddr{addr: a, until: now.Add(heardFor)})
		if len(b.lan) > maxHeard {
			b.lan = slices.Delete(b.lan, 0, 1)
		}
	}
	return fresh
}

// find replaces what the device had published before, and tells whether any of
// it is new.
func (b *book) find(addrs []ma.Multiaddr, now time.Time) bool {
	known := b.all(now)
	b.found = slices.Clone(addrs[:min(maxPublished, len(addrs))])
	b.until = now.Add(foundFor)
	return slices.ContainsFunc(b.found, func(a ma.Multiaddr) bool { return !ma.Contains(known, a) })
}

// all are the addresses to try at a time.
func (b *book) all(now time.Time) []ma.Multiaddr {
	out := slices.Clone(b.last)
	for _, h := range b.lan {
		if h.until.After(now) && !ma.Contains(out, h.addr) {
			out = append(out, h.addr)
		}
	}
	for _, a := range b.found {
		if b.until.After(now) && !ma.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// believable picks the addresses in what somebody on the link said that can be
// on this link: private ones, and the very source of the packet. So nobody here
// can make this device knock at doors elsewhere.
func believable(said []string, from netip.Addr) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, s := range said {
		a, err := parseAddr(s, "")
		if err != nil || len(out) == maxHeard {
			continue
		}
		ip, ok := ipOf(a)
		if !ok || (ip.IsLoopback() && !from.IsLoopback()) {
			continue
		}
		if ip == from || near(a) {
			out = append(out, a)
		}
	}
	return out
}
