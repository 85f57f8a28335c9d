package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

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
		next, wait := decide(n.positionLocked(d))
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
		case punch:
			n.punch(ctx, d)
		case drain:
			n.drain(ctx, d)
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

// positionLocked is what is known of a device.
func (n *Net) positionLocked(d *device) position {
	p := d.position(time.Now())
	wide := n.gate.beyond.Load()
	p.punches = d.larger && wide
	p.known = len(n.placesLocked(d, p.now)) > 0 || wide && len(d.links) == 0 && len(n.relaysLocked(d.id)) > 0
	return p
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
	before := d.up
	d.confirm(c)
	if !d.up {
		return
	}
	n.doubtOlderLocked(d, c)
	if b := best(d.links); b.conn == c && !d.serves {
		if b.via == ViaDirect {
			nudge(n.far.lookNews)
		}
		n.relaysNewLocked(d)
	}
	d.serves = d.berthConn() != nil
	if !before {
		d.shown = best(d.links)
		n.events.add(Event{Kind: Connected, Device: d.id, Route: d.shown.route()})
		n.metChanged()
	}
	n.weighLocked(d)
	nudge(d.wake)
}

// doubtOlderLocked has it looked at once whether the other connections are alive
// when the other side has made a new one: it does not while it has one.
func (n *Net) doubtOlderLocked(d *device, c network.Conn) {
	if c.Stat().Direction != network.DirInbound {
		return
	}
	for _, l := range d.links {
		if l.conn != c && l.via != ViaRelay && l.opened.Before(c.Stat().Opened) {
			n.doubted = append(n.doubted, l)
			nudge(n.doubt)
		}
	}
}

// weighLocked sees which connections of a device are of use, after one has come
// or gone, and tells if that is another one now.
func (n *Net) weighLocked(d *device) {
	now := time.Now()
	good := false
	for _, l := range d.links {
		good = good || l.confirmed && l.via != ViaRelay
	}
	for _, l := range d.links {
		switch {
		case l.via != ViaRelay || !good:
			l.spent = time.Time{}
		case l.spent.IsZero():
			l.spent = now
		}
	}
	d.serves = d.serves && d.berthConn() != nil
	n.berthsChanged()
	to := best(d.links)
	if !d.up || to == nil || !to.confirmed || to == d.shown {
		return
	}
	from := d.shown
	d.shown = to
	if to.via == ViaRelay && from.via != ViaRelay {
		n.doubted = append(n.doubted, to) // which tells the other side
		nudge(n.doubt)
	}
	if from.via == ViaRelay || to.via == ViaRelay {
		n.events.add(Event{Kind: Rerouted, Device: d.id, Route: to.route()})
	}
}

// prune closes superfluous connections.
func (n *Net) prune(d *device) {
	n.mu.Lock()
	drop := superfluous(d.links, d.larger)
	for _, l := range drop {
		d.detach(l.conn, time.Now()) // now, so that nobody counts on it
	}
	n.weighLocked(d)
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
		l := newLink(c, now, n.gate.local)
		l.punched = d.punching > 0 && l.via != ViaRelay && l.transport == QUIC
		d.attach(l, now)
		n.weighLocked(d)
		n.far.cameIn(l, n.here.Load(), d.dialledAt, now)
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
		n.metChanged()
	}
	if d != nil {
		n.weighLocked(d)
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
