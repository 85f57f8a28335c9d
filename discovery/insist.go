package discovery

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// insistOnTCP is asked when a dial to a device has succeeded at an address, and
// tells whether to give that up because TCP works too. When a path comes back
// to life, QUIC is often first, for it repeats itself sooner; a connection cannot
// change its transport later, and libp2p makes no second one beside it.
//
// It takes up to 2 seconds, of the goroutine that dialled. It says yes once in 30
// seconds at most, so a path that is odd about TCP is no obstacle.
func (n *Net) insistOnTCP(id peer.ID, reached ma.Multiaddr) bool {
	if isTCP(reached) || isCircuit(reached) {
		return false
	}
	now := time.Now()
	n.mu.Lock()
	d := n.devices[id]
	if d == nil || d.calm > 0 || now.Sub(d.insisted) < tcpInsists {
		n.mu.Unlock()
		return false
	}
	addrs := ma.FilterAddrs(d.book.all(now), isTCP)
	n.mu.Unlock()
	if !n.answers(id, addrs) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	d.insisted, d.tcpOnly = now, true
	d.news(now) // ends the attempt under way
	return true
}

// answers tells whether a device proves to be at one of these addresses. The
// connection that shows it is closed again.
func (n *Net) answers(id peer.ID, addrs []ma.Multiaddr) bool {
	ctx, cancel := context.WithTimeout(context.Background(), tcpProof)
	defer cancel()
	results := make(chan bool, len(addrs))
	for _, a := range addrs {
		go func() {
			ok := false
			if t := n.swarm.TransportForDialing(a); t != nil && n.gate.InterceptAddrDial(id, a) {
				if c, err := t.Dial(ctx, a, id); err == nil {
					ok = true
					_ = c.Close()
				}
			}
			results <- ok
		}()
	}
	found := false
	for range addrs {
		if <-results && !found {
			found = true
			cancel() // the others need not answer
		}
	}
	return found
}
