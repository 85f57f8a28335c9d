package discovery

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	ma "github.com/multiformats/go-multiaddr"
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
			switch e := e.(type) {
			case event.EvtPeerIdentificationCompleted:
				n.identified(e)
			case event.EvtPeerProtocolsUpdated:
				n.speaks(e.Peer)
			}
		}
	}
}

func (n *Net) identified(e event.EvtPeerIdentificationCompleted) {
	c := e.Conn
	if c == nil || c.IsClosed() || n.gate.visiting(c) {
		return
	}
	n.speaks(e.Peer)
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[e.Peer]
	if d == nil {
		return
	}
	n.confirmLocked(d, c)
	remote := c.RemoteMultiaddr()
	reached := remote
	if c.Stat().Direction == network.DirInbound || d.punchedAt(c) {
		reached = nil // the port is that of an outgoing connection, or good for this one only
	}
	sameMachine := !isCircuit(remote) && manet.IsIPLoopback(remote)
	n.gate.tell(d.id, e.ListenAddrs)
	if d.book.settle(e.ListenAddrs, reached, sameMachine) {
		n.events.add(Event{Kind: Learned, Device: d.id, Addrs: texts(d.book.lasting())})
		if !d.direct() {
			d.news(time.Now())
		}
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
	n.far.elsewhere()
	n.networkChanged()
	if n.speech != nil {
		n.renew()
	}
	n.dropStranded()
	n.mu.Lock()
	now := time.Now()
	for _, d := range n.devices {
		d.punches, d.nextPunch = 0, time.Time{}
		d.news(now)
		d.nextDial = d.nextDial.Add(stagedBy(len(n.devices), rand.Float64()))
	}
	n.mu.Unlock()
	nudge(n.changed)
}

// stagedBy is how much later one of many devices is dialled when all are to be at
// once: at all from eight on, up to 3 s. random is within 0 and 1.
func stagedBy(devices int, random float64) time.Duration {
	most := min(time.Duration(devices/8)*spreadStep, nearRetry)
	return time.Duration(float64(most) * random)
}

// dropStranded closes the connections whose own address is on no interface any
// more: nothing can arrive on them. Those that begin at no address in particular,
// by QUIC, are asked for a sign of life.
func (n *Net) dropStranded() {
	own := n.here.Load().addrs
	var drop []network.Conn
	n.mu.Lock()
	for _, d := range n.devices {
		for _, l := range d.links {
			ip, ok := ipOf(l.conn.LocalMultiaddr())
			if ok && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast() && l.via != ViaRelay &&
				!slices.ContainsFunc(own, func(a ma.Multiaddr) bool { o, ok := ipOf(a); return ok && o == ip }) {
				drop = append(drop, l.conn)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range drop {
		n.log.Debug("the address of a connection is gone", "device", c.RemotePeer(), "addr", c.LocalMultiaddr())
		_ = c.Close()
	}
}

// probeAll asks for a sign of life on all connections when the network has
// changed, and on single ones when there is doubt, until ctx ends.
func (n *Net) probeAll(ctx context.Context) error {
	var probes sync.WaitGroup
	defer probes.Wait()
	for {
		var links []*link
		select {
		case <-ctx.Done():
			return nil
		case <-n.doubt:
			n.mu.Lock()
			links, n.doubted = n.doubted, nil
			n.mu.Unlock()
			probes.Go(func() { n.probe(ctx, links, doubtWait) })
			continue
		case <-n.changed:
		}
		n.mu.Lock()
		for _, d := range n.devices {
			links = append(links, d.links...)
		}
		n.mu.Unlock()
		for wait, some := range byWait(links) {
			probes.Go(func() { n.probe(ctx, some, wait) })
		}
	}
}

// byWait sorts connections by how long to wait for a sign of life after the
// network has changed. A ping by TCP may wait behind what fills a slow upstream,
// and QUIC has streams that do not wait for each other.
func byWait(links []*link) map[time.Duration][]*link {
	out := map[time.Duration][]*link{}
	for _, l := range links {
		wait := pulseWait
		if l.transport == QUIC {
			wait = doubtWait
		}
		out[wait] = append(out[wait], l)
	}
	return out
}
