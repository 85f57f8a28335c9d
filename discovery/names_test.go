package discovery

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// TestNoNameIsLookedUpThatAStrangerTells has a device that shows a code say by
// identify that it listens at a name, and hang up: to look that up would leave
// the local network, and tell whoever serves the name who is asking.
func TestNoNameIsLookedUpThatAStrangerTells(t *testing.T) {
	var asked atomic.Int32
	preferGo, dial := net.DefaultResolver.PreferGo, net.DefaultResolver.Dial
	net.DefaultResolver.PreferGo = true
	net.DefaultResolver.Dial = func(context.Context, string, string) (net.Conn, error) {
		asked.Add(1)
		return nil, errors.New("names are not to be looked up")
	}
	t.Cleanup(func() { net.DefaultResolver.PreferGo, net.DefaultResolver.Dial = preferGo, dial })
	n := start(t, Options{})
	h := stranger(t, libp2p.AddrsFactory(func(a []ma.Multiaddr) []ma.Multiaddr {
		return append(a, ma.StringCast("/dns4/canary.kith.test/tcp/4001"))
	}))
	if err := h.Network().Listen(ma.StringCast("/ip4/127.0.0.1/tcp/0")); err != nil {
		t.Fatal(err)
	}
	release, err := n.AllowDial(h.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	at := h.Network().ListenAddresses()
	if err := n.Host().Connect(t.Context(), peer.AddrInfo{ID: h.ID(), Addrs: at}); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has hung up", func() bool { return len(n.Host().Network().ConnsToPeer(h.ID())) == 0 })
	if _, err := n.Host().NewStream(t.Context(), h.ID(), "/kith/pair/1"); err == nil {
		t.Fatal("a stream to nobody")
	}
	if got := asked.Load(); got > 0 {
		t.Errorf("%d questions were sent to a name server", got)
	}
}
