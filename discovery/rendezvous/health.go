package rendezvous

import (
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Health is how a board is.
type Health struct {
	Mode        Mode
	ID          peer.ID  // of the node, not of the device
	Addrs       []string // where others reach the node, with its ID; of a public board none
	Nodes       int      // of the DHT that are known to answer; with 0 the board is alone
	Known       int      // where the DHT may be entered
	Connections int
	Stored      int    // records, most of them for others
	Sent        uint64 // messages

	Bootstrap string // why the DHT could not be entered the last time; empty once it was

	Published    time.Time // when a notice was last stored
	PublishError string    // of the last notice; empty if it was stored
	Looked       time.Time // when a device was last looked for
	LookError    string    // of the last search; that there was nothing is none
	Found        time.Time // when something was last found
	Refused      int       // searches that found only what is not believed
	RefusedWhy   string    // the last time
}

// Health tells how the board is.
func (b *Board) Health() Health {
	b.mu.Lock()
	h := b.health
	b.mu.Unlock()
	h.Mode, h.ID = b.o.Mode, b.host.ID()
	if b.o.Mode == Private {
		h.Addrs = nodeTexts(peer.AddrInfo{ID: b.host.ID(), Addrs: b.host.Addrs()})
	}
	h.Nodes = b.dht.RoutingTable().Size()
	h.Known = len(b.known.all())
	h.Connections = len(b.swarm.Conns())
	h.Stored = b.shelf.len()
	h.Sent = b.courier.sent.Load()
	return h
}

func (b *Board) noted(change func(*Health)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.health)
}

// outcome is when something last went well, and why it did not now.
func outcome(before time.Time, err error) (time.Time, string) {
	if err != nil {
		return before, err.Error()
	}
	return time.Now(), ""
}
