package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	entryWidth = 8 // nodes that are tried at once
	entryGoal  = 3 // that are enough to begin with
	tableWait  = 3 * time.Second
	tableStep  = 10 * time.Millisecond
	meetPause  = 10 * time.Second
)

// alone tells whether this node knows no other that it could ask.
func (b *Board) alone() bool { return b.dht.RoutingTable().Size() == 0 }

// ready sees to it that there is a node to ask.
func (b *Board) ready(ctx context.Context) error {
	if !b.alone() {
		return nil
	}
	return b.enter(ctx)
}

// enter connects to known nodes until some have answered, and has the DHT make
// itself known to those near it. It wraps [ErrAlone] if none answers.
func (b *Board) enter(ctx context.Context) error {
	err := b.tryEntry(ctx)
	b.noted(func(h *Health) { _, h.Bootstrap = outcome(time.Time{}, err) })
	return err
}

func (b *Board) tryEntry(ctx context.Context) error {
	select {
	case b.entry <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("enter the DHT: %w", ctx.Err())
	}
	defer func() { <-b.entry }()
	if !b.alone() {
		return nil // somebody else has done it
	}
	all := b.known.all()
	if len(all) == 0 {
		return fmt.Errorf("enter the DHT: %w: none is known", ErrAlone)
	}
	reached, err := b.reachSome(ctx, all, entryGoal)
	if reached > 0 && b.settled(ctx) {
		b.showUp()
		return nil
	}
	switch {
	case b.foreign(all):
		err = errForeign
	case reached > 0:
		err = errors.New("those reached do not answer")
	}
	return fmt.Errorf("enter the DHT: %w: %w", ErrAlone, err)
}

// errForeign: another program, or a node of another DHT, is where nodes were.
var errForeign = errors.New("those reached are no nodes of this DHT")

// foreign tells whether a node has said what it speaks, and it is not this.
func (b *Board) foreign(all []peer.AddrInfo) bool {
	return slices.ContainsFunc(all, func(n peer.AddrInfo) bool {
		speaks, err := b.host.Peerstore().GetProtocols(n.ID)
		return err == nil && b.connected(n.ID) && len(speaks) > 0 && !slices.ContainsFunc(speaks, func(p protocol.ID) bool {
			return strings.HasPrefix(string(p), string(b.prefix())+"/kad/")
		})
	})
}

// prefix begins the names of the protocols of this DHT.
func (b *Board) prefix() protocol.ID {
	if b.o.Mode == Private {
		return privatePrefix
	}
	return dht.DefaultPrefix
}

// reachSome connects to nodes, in their order, until enough are reached, and
// tells how many were. A node that is not reached goes behind the others.
func (b *Board) reachSome(ctx context.Context, all []peer.AddrInfo, enough int) (int, error) {
	b.reach.look()
	var mu sync.Mutex
	var last error
	reached := 0
	for wave := range slices.Chunk(all, entryWidth) {
		var tries sync.WaitGroup
		for _, n := range wave {
			tries.Go(func() {
				err := b.dial(ctx, n)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					reached++
					return
				}
				last = err
			})
		}
		tries.Wait()
		if reached >= enough || ctx.Err() != nil {
			break
		}
	}
	return reached, last
}

func (b *Board) dial(ctx context.Context, n peer.AddrInfo) error {
	dialing, cancel := context.WithTimeout(network.WithForceDirectDial(ctx, "enter"), dialFor)
	defer cancel()
	b.swarm.Backoff().Clear(n.ID)
	err := b.host.Connect(dialing, n)
	if err != nil && ctx.Err() == nil {
		b.known.failed(n.ID)
		b.log.Debug("node of the board not reached", "node", n.ID, "error", err)
	}
	return err
}

// showUp has those near this node learn of it, if it serves others.
func (b *Board) showUp() {
	if b.o.Mode == Private {
		b.dht.RefreshRoutingTable()
	}
}

// settled waits until a node that was reached is in the table, which takes it
// a question and an answer.
func (b *Board) settled(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, tableWait)
	defer cancel()
	step := time.NewTicker(tableStep)
	defer step.Stop()
	for b.alone() {
		select {
		case <-ctx.Done():
			return !b.alone()
		case <-step.C:
		}
	}
	return true
}

// Nodes tells where this node is and where others are, as lines for
// [Board.Meet] on another device: multiaddrs that end in /p2p/ID, 64 at most.
// Those of a public board are none.
func (b *Board) Nodes() []string {
	if b.o.Mode == Public {
		return nil
	}
	own := peer.AddrInfo{ID: b.host.ID(), Addrs: b.addrsFactory(b.host.Addrs())}
	if len(own.Addrs) > 2*maxNodeAddrs {
		own.Addrs = own.Addrs[:2*maxNodeAddrs]
	}
	out := nodeTexts(own)
	for _, n := range b.known.all() {
		out = append(out, nodeTexts(n)...)
	}
	return out[:min(len(out), maxTold)]
}

// Meet takes in where other nodes are, as a paired device tells: only what such
// a one says is to be given here. What is no such place is left out. A public
// board has no use for it.
func (b *Board) Meet(nodes []string) {
	if b.o.Mode == Public {
		return
	}
	news := map[peer.ID]bool{}
	for _, text := range nodes[:min(len(nodes), maxTold)] {
		n, err := parseNode(text, false)
		if err != nil || n.ID == b.host.ID() {
			continue
		}
		if b.known.add(n, false) || b.dht.RoutingTable().Find(n.ID) == "" {
			news[n.ID] = true
		}
	}
	b.mu.Lock()
	for _, n := range b.known.all() {
		if news[n.ID] && len(b.told) < maxNodes && !slices.ContainsFunc(b.told, func(t peer.AddrInfo) bool { return t.ID == n.ID }) {
			b.told = append(b.told, n)
		}
	}
	b.mu.Unlock()
	nudge(b.wake)
}

// meetTold connects to nodes that were told of and are not in the table: they
// may be in a part of the DHT that this one has not found. It does so every ten
// seconds at most, whatever is told, and says how long it puts that off; a
// negative time is not at all.
func (b *Board) meetTold(ctx context.Context, now time.Time) time.Duration {
	b.mu.Lock()
	if wait := b.meet.Sub(now); wait > 0 && len(b.told) > 0 {
		b.mu.Unlock()
		return wait
	}
	told := b.told
	b.told = nil
	b.mu.Unlock()
	told = slices.DeleteFunc(told, func(n peer.AddrInfo) bool { return b.dht.RoutingTable().Find(n.ID) != "" })
	if len(told) == 0 {
		return -1
	}
	before := b.alone()
	reached, _ := b.reachSome(ctx, told, len(told))
	b.mu.Lock()
	b.meet = time.Now().Add(meetPause)
	b.mu.Unlock()
	if reached > 0 && before && b.settled(ctx) {
		b.showUp()
	}
	return -1
}

// learn remembers the nodes that have answered, for when this one is started
// again.
func (b *Board) learn() {
	if b.o.Mode == Public {
		return
	}
	for _, id := range b.dht.RoutingTable().ListPeers() {
		info := b.host.Peerstore().PeerInfo(id)
		info.Addrs = append(b.reachedAt(id), info.Addrs...)
		info.Addrs = ma.FilterAddrs(info.Addrs, func(a ma.Multiaddr) bool { return b.reach.may(id, a) })
		b.known.add(info, true)
	}
	if err := b.known.save(); err != nil {
		b.log.Warn("the known nodes of the board are not kept", "error", err)
	}
}

// reachedAt is where this node is connected with another that it has called.
func (b *Board) reachedAt(id peer.ID) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, c := range b.swarm.ConnsToPeer(id) {
		if c.Stat().Direction == network.DirOutbound {
			out = append(out, c.RemoteMultiaddr())
		}
	}
	return out
}

// sooner is the shorter of two times, of which the first may have no end.
func sooner(a, b time.Duration) time.Duration {
	if a < 0 {
		return b
	}
	return min(a, b)
}

// jittered spreads a time by a quarter either way, so that devices that lost the
// same thing do not all ask at once.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}
