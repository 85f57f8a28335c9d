package discovery

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
)

// How a place with a relay is kept. The relay drops it when the connection goes,
// so it is asked for again on each; and now and then, in case it was forgotten.
const (
	berthRenew = 20 * time.Minute
	berthFirst = 2 * time.Second // to ask again after a refusal, and then twice as long each time
	berthLast  = 5 * time.Minute
	berthFor   = 20 * time.Second // for one answer
)

// berth is a place with a relay: others reach this device through it.
type berth struct {
	conn     network.Conn // it lasts as long as this
	held     bool
	asking   bool
	failures int
	next     time.Time // when to ask again
	err      error     // of the last time
	since    time.Time
}

// berthsChanged has the places with relays looked after. It never blocks.
func (n *Net) berthsChanged() { nudge(n.far.berthNews) }

// keepBerths keeps a place with each device that relays and is connected
// directly, until ctx ends.
func (n *Net) keepBerths(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	for {
		due, wait := n.berthsDue(time.Now())
		for id, conn := range due {
			asking.Go(func() { n.askBerth(ctx, id, conn) })
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-n.far.berthNews:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// berthsDue picks the relays to ask now and tells how long to wait for the next.
func (n *Net) berthsDue(now time.Time) (due map[peer.ID]network.Conn, wait time.Duration) {
	n.mu.Lock()
	relays := map[peer.ID]network.Conn{}
	for id, d := range n.devices {
		if c := d.berthConn(); d.hops && c != nil {
			relays[id] = c
		}
	}
	n.mu.Unlock()
	return n.far.berthsDue(relays, now)
}

func (f *far) berthsDue(relays map[peer.ID]network.Conn, now time.Time) (due map[peer.ID]network.Conn, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, b := range f.berths {
		if relays[id] == nil {
			if b.held {
				nudge(f.moved)
			}
			delete(f.berths, id)
		}
	}
	wait, due = berthRenew, map[peer.ID]network.Conn{}
	for id, c := range relays {
		b := f.berths[id]
		if b == nil || b.conn != c {
			b = &berth{conn: c}
			f.berths[id] = b
		}
		switch {
		case b.asking:
		case !b.next.After(now):
			b.asking = true
			due[id] = c
		default:
			wait = min(wait, b.next.Sub(now))
		}
	}
	return due, wait
}

// askBerth asks one relay for a place.
func (n *Net) askBerth(ctx context.Context, id peer.ID, conn network.Conn) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "the keeper dials"), berthFor)
	defer cancel()
	_, err := client.Reserve(ctx, n.host, peer.AddrInfo{ID: id})
	now := time.Now()
	n.far.mu.Lock()
	defer n.far.mu.Unlock()
	b := n.far.berths[id]
	if b == nil || b.conn != conn {
		return
	}
	was := b.held
	b.asking, b.held, b.err, b.since = false, err == nil, err, now
	if err != nil {
		b.failures++
		wait := min(berthLast, berthFirst<<min(b.failures-1, 16))
		b.next = now.Add(time.Duration(float64(wait) * (0.75 + rand.Float64()/2)))
		n.log.Debug("no place with a relay", "relay", id, "error", err)
	} else {
		b.failures, b.next = 0, now.Add(berthRenew)
	}
	if was != b.held {
		nudge(n.far.moved)
	}
	nudge(n.far.berthNews) // the loop is to sleep until b.next
}
