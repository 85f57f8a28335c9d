package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// EventKind is what an [Event] tells.
type EventKind uint8

// The kinds of events.
const (
	// Connected: a device answers, where it did not before. Route says how.
	Connected EventKind = iota + 1
	// Disconnected: the last connection to it is gone.
	Disconnected
	// Rerouted: a device that is connected is reached in another way now; Route
	// says how. New streams take it at once. When a direct way has taken the
	// place of a relay, streams on the old one may go on for a minute.
	Rerouted
	// Learned: its lasting addresses are now Addrs, all of them; store them
	// and give them to [Net.Remember] after a restart.
	Learned
)

func (k EventKind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Rerouted:
		return "rerouted"
	case Learned:
		return "learned"
	}
	return "invalid"
}

// Event is something that happened to a trusted device. For one device,
// Connected and Disconnected alternate, beginning with Connected.
type Event struct {
	Kind   EventKind
	Device peer.ID
	Route  Route    // of Connected and Rerouted
	Addrs  []string // of Learned, without /p2p
}

// Via is what lies between two devices.
type Via string

// The values of [Via].
const (
	ViaLAN    Via = "lan"    // the local network
	ViaDirect Via = "direct" // beyond it, and nobody in between
	ViaRelay  Via = "relay"  // another paired device, which sees sealed bytes only
)

// Transport is what carries a connection.
type Transport string

// The values of [Transport].
const (
	TCP  Transport = "tcp"
	QUIC Transport = "quic"
)

// Route is how a device is connected.
type Route struct {
	Via       Via
	Transport Transport
	Addr      string  // of the other side, a multiaddr
	Relay     peer.ID // whose relay, with ViaRelay; Transport and Addr are of the way there
	Punched   bool    // through NATs that both sides had to open at once
	Inbound   bool    // the other side dialled
	Since     time.Time
}

// Peer is a trusted device as [Net.Peers] tells.
type Peer struct {
	Device    peer.ID
	Connected bool
	Route     Route    // if Connected
	Addrs     []string // its lasting addresses, without /p2p
}

// queue holds events until they are read, without a bound: only trusted devices
// cause them, and losing one would be a lie about state.
type queue struct {
	out  chan Event
	wake chan struct{}

	mu      sync.Mutex
	waiting []Event
}

func newQueue() *queue {
	return &queue{out: make(chan Event), wake: make(chan struct{}, 1)}
}

func (q *queue) add(e Event) {
	q.mu.Lock()
	q.waiting = append(q.waiting, e)
	q.mu.Unlock()
	nudge(q.wake)
}

// run hands events out until ctx ends, then closes the channel.
func (q *queue) run(ctx context.Context) error {
	defer close(q.out)
	for {
		q.mu.Lock()
		batch := q.waiting
		q.waiting = nil
		q.mu.Unlock()
		for _, e := range batch {
			select {
			case q.out <- e:
			case <-ctx.Done():
				return nil
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// nudge wakes whoever waits on c, once.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
