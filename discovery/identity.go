package discovery

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"
)

// watchIdentities listens to what identify finds out, until ctx ends: that the
// other side answers, and where it says it listens.
func (n *Net) watchIdentities(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-n.identities.Out():
			if !ok {
				return nil
			}
			if id, ok := e.(event.EvtPeerIdentificationCompleted); ok {
				n.identified(id)
			}
		}
	}
}

func (n *Net) identified(e event.EvtPeerIdentificationCompleted) {
	c := e.Conn
	if c == nil || c.IsClosed() || n.gate.visiting(c) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[e.Peer]
	if d == nil {
		return
	}
	n.confirmLocked(d, c)
	remote := c.RemoteMultiaddr()
	reached := remote
	if c.Stat().Direction == network.DirInbound {
		reached = nil // the port is that of an outgoing connection
	}
	if d.book.settle(e.ListenAddrs, reached, manet.IsIPLoopback(remote)) {
		n.events.add(Event{Kind: Learned, Device: d.id, Addrs: texts(d.book.lasting())})
	}
}

// seek looks for missing devices on the local network.
func (n *Net) seek() {
	n.mu.Lock()
	search := n.search
	n.mu.Unlock()
	if search != nil {
		search.Ask()
	}
}

// searching tells whether any trusted device is missing that is looked for.
func (n *Net) searching() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.devices {
		if !d.up && !d.guest {
			return true
		}
	}
	return false
}

// linksChanged is called when the interfaces of this machine or their addresses
// have changed: everything may be reachable now, and what is connected may be
// dead.
func (n *Net) linksChanged() {
	n.log.Debug("the network of this machine has changed")
	n.look()
	if n.speech != nil {
		n.renew()
	}
	n.mu.Lock()
	now := time.Now()
	for _, d := range n.devices {
		d.news(now)
	}
	n.mu.Unlock()
	nudge(n.doubt)
}

// probeAll asks for a sign of life on all connections whenever there is doubt,
// until ctx ends.
func (n *Net) probeAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.doubt:
		}
		var links []*link
		n.mu.Lock()
		for _, d := range n.devices {
			links = append(links, d.links...)
		}
		n.mu.Unlock()
		n.probe(ctx, links)
	}
}
