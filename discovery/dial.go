package discovery

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
)

// dialFor bounds one attempt at all addresses of a device. What is alive on
// any path answers in less; what is not is asked again soon.
const dialFor = 8 * time.Second

// The head start of direct dials before relays: where a direct one is likely, and
// where it was not possible the last time.
const (
	relayAfter    = 2 * time.Second
	relayAfterFar = 300 * time.Millisecond
)

// strayEvery is how many attempts go by for one that tries private addresses on
// no link of this machine too. Most of them belong to other networks.
const strayEvery = 4

// errNowhere is why no direct dial was made.
var errNowhere = errors.New("no address of it is known")

// placesLocked are the addresses at which a device may be dialled.
func (n *Net) placesLocked(d *device, now time.Time) []ma.Multiaddr {
	all := ma.Unique(append(n.gate.askedOf(d.id), d.book.all(now)...))
	return ma.FilterAddrs(all, func(a ma.Multiaddr) bool { return n.gate.mayDial(d.id, a) })
}

// whereLocked are those of them to dial this time.
func (n *Net) whereLocked(d *device, now time.Time) []ma.Multiaddr {
	all, asked := n.placesLocked(d, now), n.gate.askedOf(d.id)
	likely := ma.FilterAddrs(slices.Clone(all), func(a ma.Multiaddr) bool {
		return !near(a) || n.gate.linked(a) || ma.Contains(asked, a) || n.gate.toldHere(d.id, a)
	})
	if d.failures%strayEvery == 0 || len(likely) == 0 {
		return all
	}
	return likely
}

// dial tries all addresses of a device once, and, if there is no connection yet
// and it takes its time, the relays. A direct connection from the other side
// ends it; so do new addresses, which are then tried with the others.
func (n *Net) dial(ctx context.Context, d *device) {
	select {
	case d.line <- struct{}{}:
		defer func() { <-d.line }()
	case <-d.wake:
		return // another dials; decide again
	case <-ctx.Done():
		return
	}
	for _, c := range n.gate.graduates(d.id) {
		_ = c.Close() // or libp2p would take it for the connection wanted
	}
	n.mu.Lock()
	addrs := n.whereLocked(d, time.Now())
	if d.tcpOnly {
		addrs = ma.FilterAddrs(addrs, isTCP)
	}
	d.fresh, d.tcpOnly = false, false
	d.dialledAt = time.Now()
	var relays []peer.ID
	if len(d.links) == 0 && n.gate.beyond.Load() {
		relays = n.relaysLocked(d.id)
	}
	headStart := relayAfter
	if d.far {
		headStart = relayAfterFar
	}
	n.mu.Unlock()
	n.host.Peerstore().ClearAddrs(d.id)
	n.host.Peerstore().AddAddrs(d.id, addrs, peerstore.TempAddrTTL)

	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.dialAll(ctx, d.id, len(addrs) > 0, relays, headStart) }()
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
			over := d.direct() || d.fresh || d.yield > 0
			n.mu.Unlock()
			if over {
				cancel()
			}
		}
	}
}

// dialAll dials a device directly, and by relays if that fails or takes long.
// It ends with the direct dial, unless that has failed: it may be better than the
// relay that was found meanwhile.
func (n *Net) dialAll(ctx context.Context, id peer.ID, direct bool, relays []peer.ID, headStart time.Duration) error {
	results := make(chan error, 1)
	if direct {
		// A forced direct dial is one that libp2p's own back-off, of five
		// seconds and more, does not hold up.
		go func() {
			_, err := n.swarm.DialPeer(network.WithForceDirectDial(ctx, "keeper"), id)
			results <- err
		}()
	} else {
		results <- errNowhere
	}
	if len(relays) == 0 {
		return <-results
	}
	after := time.NewTimer(headStart)
	defer after.Stop()
	select {
	case err := <-results:
		if err == nil {
			return nil
		}
		return errors.Join(err, n.dialThrough(ctx, id, relays))
	case <-after.C:
	}
	relayed := make(chan error, 1)
	go func() { relayed <- n.dialThrough(ctx, id, relays) }()
	err, other := <-results, <-relayed
	if err == nil || other == nil {
		return nil
	}
	return errors.Join(err, other)
}

// dialled notes how an attempt has ended.
func (n *Net) dialled(d *device, err error) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case d.direct() || d.fresh:
		// There is a connection, or a dial is planned already.
	case err == nil && d.nextDial.After(now):
		// Made, and gone again already: that was counted when it went.
	default:
		d.failed(now)
		d.failure, d.failedAt = err, now
		if err != nil && !errors.Is(err, context.Canceled) {
			n.log.Debug("device not reached", "device", d.id, "failures", d.failures, "error", err)
		}
	}
}
