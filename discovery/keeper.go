package discovery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
)

// dialFor bounds one attempt at all addresses of a device. What is alive on
// any path answers in less; what is not is asked again soon.
const dialFor = 8 * time.Second

// keepAll runs a keeper for each trusted device until ctx ends, and waits for
// them.
func (n *Net) keepAll(ctx context.Context) error {
	var keepers sync.WaitGroup
	defer keepers.Wait()
	for {
		n.mu.Lock()
		for _, d := range n.devices {
			if !d.kept {
				d.kept = true
				keepers.Go(func() { n.keep(ctx, d) })
			}
		}
		n.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-n.arrived:
		}
	}
}

// keep sees to it that there is one good connection with a device, until ctx
// ends or the device is no longer trusted.
func (n *Net) keep(ctx context.Context, d *device) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.retire(ctx, d)
	for {
		n.mu.Lock()
		next, wait := decide(d.position(time.Now()))
		n.mu.Unlock()
		switch next {
		case dial:
			n.dial(ctx, d)
		case confirm:
			n.confirmOpen(d)
		case prune:
			n.prune(d)
		case pulse:
			n.pulseAll(ctx, d)
		case rest:
			n.rest(ctx, d, wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.gone:
			return
		default:
		}
	}
}

// rest waits for news, at most for wait if that is not negative.
func (n *Net) rest(ctx context.Context, d *device, wait time.Duration) {
	var over <-chan time.Time
	if wait >= 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
	case <-d.gone:
	case <-d.wake:
	case <-over:
	}
}

// dial tries all addresses of a device once. A connection from the other side
// ends it; so do new addresses, which are then tried with the others.
func (n *Net) dial(ctx context.Context, d *device) {
	for _, c := range n.gate.graduates(d.id) {
		_ = c.Close() // or libp2p would take it for the connection wanted
	}
	n.mu.Lock()
	addrs := d.book.all(time.Now())
	if d.tcpOnly {
		addrs = ma.FilterAddrs(addrs, isTCP)
	}
	d.fresh, d.tcpOnly = false, false
	n.mu.Unlock()
	n.host.Peerstore().ClearAddrs(d.id)
	n.host.Peerstore().AddAddrs(d.id, addrs, peerstore.TempAddrTTL)

	// A forced direct dial is one that libp2p's own back-off, of five
	// seconds and more, does not hold up.
	ctx, cancel := context.WithTimeout(network.WithForceDirectDial(ctx, "keeper"), dialFor)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := n.swarm.DialPeer(ctx, d.id)
		done <- err
	}()
	gone := d.gone
	for {
		select {
		case err := <-done:
			n.dialled(d, err)
			return
		case <-gone:
			gone = nil
			cancel()
		case <-d.wake:
			n.mu.Lock()
			over := len(d.links) > 0 || d.fresh
			n.mu.Unlock()
			if over {
				cancel()
			}
		}
	}
}

// dialled notes how an attempt has ended.
func (n *Net) dialled(d *device, err error) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case len(d.links) > 0 || d.fresh:
		// There is a connection, or a dial is planned already.
	case err == nil && d.nextDial.After(now):
		// Made, and gone again already: that was counted when it went.
	default:
		d.failed(now)
		if err != nil && !errors.Is(err, context.Canceled) {
			n.log.Debug("device not reached", "device", d.id, "failures", d.failures, "error", err)
		}
	}
}

// confirmOpen counts connections as good on which nothing was said, but which
// are still open.
func (n *Net) confirmOpen(d *device) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for _, l := range d.links {
		if !l.confirmed && now.Sub(l.opened) >= confirmBy {
			n.confirmLocked(d, l.conn)
		}
	}
}

// confirmLocked notes an answer on a connection.
func (n *Net) confirmLocked(d *device, c network.Conn) {
	if !d.confirm(c) {
		return
	}
	for _, l := range d.links {
		if l.conn == c {
			n.events.add(Event{Kind: Connected, Device: d.id, Route: l.route()})
		}
	}
	nudge(d.wake)
}

// prune closes superfluous connections.
func (n *Net) prune(d *device) {
	n.mu.Lock()
	drop := superfluous(d.links, d.larger)
	for _, l := range drop {
		d.detach(l.conn, time.Now()) // now, so that nobody counts on it
	}
	n.mu.Unlock()
	for _, l := range drop {
		n.log.Debug("superfluous connection closed", "device", d.id, "addr", l.conn.RemoteMultiaddr(), "transport", l.transport)
		_ = l.conn.Close()
	}
}

// connected is called by libp2p for each new connection, before any stream.
func (n *Net) connected(c network.Conn) {
	paired, welcome := n.gate.arrived(c)
	if !welcome {
		_ = c.Close()
		return
	}
	if !paired {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := n.devices[c.RemotePeer()]; d != nil {
		now := time.Now()
		d.attach(newLink(c, now), now)
	}
}

// disconnected is called by libp2p for each connection that is closed, after
// connected.
func (n *Net) disconnected(c network.Conn) {
	n.gate.left(c)
	n.mu.Lock()
	d := n.devices[c.RemotePeer()]
	down := d != nil && d.detach(c, time.Now())
	if down {
		n.events.add(Event{Kind: Disconnected, Device: d.id})
	}
	n.mu.Unlock()
	if down {
		n.seek()
	}
}

// retire closes the connections from before a device was trusted, when nothing
// has happened on them for a moment or the linger is over. Not at once when their
// streams have ended: to close a connection loses what is still on its way.
func (n *Net) retire(ctx context.Context, d *device) {
	old := n.gate.graduates(d.id)
	over := time.Now().Add(pairedLinger)
	busy := time.Now()
	for len(old) > 0 && ctx.Err() == nil {
		now := time.Now()
		for _, c := range old {
			if !c.IsClosed() && len(c.GetStreams()) > 0 {
				busy = now
			}
		}
		if now.After(over) || now.Sub(busy) >= pairedQuiet {
			break
		}
		n.rest(ctx, d, retireStep)
	}
	for _, c := range old {
		_ = c.Close()
	}
}
