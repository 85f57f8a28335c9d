package rendezvous

import (
	"context"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// The public DHT of libp2p cannot be had here; these are nodes as it has them,
// with its protocol, its validators and its parameters, in one process.
func TestThePublicDHTTakesNoticesFromABoardThatIsOnlyAClient(t *testing.T) {
	first := observe(t, nil)
	entry := nodeTexts(peer.AddrInfo{ID: first.host.ID(), Addrs: first.host.Addrs()})[:1]
	nodes := []*observer{first}
	for range 24 {
		nodes = append(nodes, observe(t, entry))
	}
	eventually(t, "they know of each other", func() bool { return first.dht.RoutingTable().Size() >= 20 })
	a := enact(t, Options{Mode: Public, Bootstrap: entry, everywhere: true})
	b := enact(t, Options{Mode: Public, Bootstrap: entry, everywhere: true})
	if err := a.Publish(within(t), b.id, place(7)); err != nil {
		t.Fatal(err)
	}
	if got, err := last(t, b, a.id); err != nil || !same(got, place(7)) {
		t.Errorf("found %v, %v", got, err)
	}
	if err := a.PublishPlate(within(t), 123456789, peer.AddrInfo{ID: a.id, Addrs: place(8)}); err != nil {
		t.Fatal(err)
	}
	var waits []peer.AddrInfo
	if err := b.FindPlate(within(t), 123456789, func(i peer.AddrInfo) { waits = append(waits, i) }); err != nil || len(waits) != 1 || waits[0].ID != a.id {
		t.Errorf("found %v, %v", waits, err)
	}

	stored := 0
	for _, n := range nodes {
		n.mu.Lock()
		stored += n.given
		leaks(t, n.seen.Bytes(), []peer.ID{a.id, b.id}, place(7))
		n.mu.Unlock()
		for _, board := range []*actor{a, b} {
			if n.dht.RoutingTable().Find(board.host.ID()) != "" {
				t.Error("a client is in a table")
			}
			if at := n.host.Peerstore().Addrs(board.host.ID()); len(at) > 1 {
				t.Errorf("a client says where it is: %v", at)
			}
		}
	}
	h := a.Health()
	t.Logf("stored %d times; %d messages, %d nodes in the table, %d connections", stored, h.Sent, h.Nodes, h.Connections)
	if len(a.swarm.ListenAddresses()) > 0 || len(a.Nodes()) > 0 || len(h.Addrs) > 0 {
		t.Error("a public board listens")
	}
}

func TestAPublicBoardIsSomebodyElseAtEachStart(t *testing.T) {
	dir := t.TempDir()
	key, _ := deviceOf(t)
	var ids [2]peer.ID
	for i := range ids {
		b := enact(t, Options{Key: key, Mode: Public, Dir: dir, Bootstrap: []string{"/ip4/127.0.0.1/tcp/1/p2p/" + someID}})
		ids[i] = b.Health().ID
		b.stop()
		if _, err := b.host.NewStream(context.Background(), b.id); err == nil {
			t.Error("the host is still there")
		}
	}
	if ids[0] == ids[1] {
		t.Error("the same node twice")
	}
}

const someID = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"
