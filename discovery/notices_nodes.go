package discovery

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kithmesh/kith/discovery/rendezvous"
)

// boardID is a protocol between trusted devices: the one that opens the stream
// tells which nodes of the private DHT it knows, a line each and an empty line
// at the end, and the other answers in the same way. So whoever has met one
// device of a DHT finds the DHT, and again when the one that it entered by is
// gone.
const boardID protocol.ID = "/kith/board/1"

const (
	tellFor  = 10 * time.Second
	askAgain = 15 * time.Second // while the board knows no node
)

// serveTelling answers others, and tells those who come, until ctx ends.
func (n *Net) serveTelling(ctx context.Context, b *rendezvous.Board) {
	var telling sync.WaitGroup
	defer telling.Wait()
	if b.Health().Mode == BoardPublic {
		return // there everybody knows where to begin
	}
	var mu sync.Mutex
	over := false
	n.host.SetStreamHandler(boardID, func(s network.Stream) {
		mu.Lock()
		if over {
			mu.Unlock()
			_ = s.Reset()
			return
		}
		telling.Add(1)
		mu.Unlock()
		defer telling.Done()
		n.exchangeNodes(ctx, b, s, false)
	})
	defer n.host.RemoveStreamHandler(boardID)
	told := map[peer.ID]time.Time{} // by when the connection was made
	for {
		fresh := n.notices.elsewhere()
		here := n.metHere()
		for id, since := range here {
			if !told[id].Equal(since) { // both do: the other may have no board yet
				telling.Go(func() { n.tellNodes(ctx, b, id) })
			}
		}
		told = here
		var again <-chan time.Time
		if len(here) > 0 && b.Health().Nodes == 0 {
			again = time.After(spread(askAgain)) // somebody may have found the others by then
		}
		select {
		case <-ctx.Done():
			mu.Lock()
			over = true
			mu.Unlock()
			return
		case <-n.notices.met:
		case <-fresh:
			told = nil
		case <-again:
			told = nil
		}
	}
}

// metHere are the devices that are connected, and since when.
func (n *Net) metHere() map[peer.ID]time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[peer.ID]time.Time{}
	for id, d := range n.devices {
		if l := best(d.links); l != nil && d.up {
			out[id] = l.opened
		}
	}
	return out
}

// tellNodes tells a device that is connected, if it has such a board too.
func (n *Net) tellNodes(ctx context.Context, b *rendezvous.Board, id peer.ID) {
	ctx, cancel := context.WithTimeout(ctx, tellFor)
	defer cancel()
	s, err := n.host.NewStream(network.WithNoDial(ctx, "board"), id, boardID)
	if err != nil {
		return // it has none, or is gone
	}
	n.exchangeNodes(ctx, b, s, true)
}

// exchangeNodes tells and is told.
func (n *Net) exchangeNodes(ctx context.Context, b *rendezvous.Board, s network.Stream, first bool) {
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	err := s.SetDeadline(time.Now().Add(tellFor))
	if err == nil && first {
		err = rendezvous.WriteNodes(s, b.Nodes())
	}
	var nodes []string
	if err == nil {
		nodes, err = rendezvous.ReadNodes(s)
	}
	if err == nil && !first {
		err = rendezvous.WriteNodes(s, b.Nodes())
	}
	if err != nil {
		_ = s.Reset()
		n.log.Debug("nodes of the board not told", "device", s.Conn().RemotePeer(), "error", err)
		return
	}
	_ = s.Close() // all has been said; with QUIC, the other side may have closed both ways
	b.Meet(nodes)
	nudge(n.notices.wake)
}
