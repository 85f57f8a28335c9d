package discovery

import (
	"context"
	"crypto/rand"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// TestADayOfIdlingStaysOnTheLink has a device whose peers are all away, with
// addresses of every kind that it has learned of them, look for them for a day.
// No dial gets further than being noted, so nothing of it needs a real clock.
func TestADayOfIdlingStaysOnTheLink(t *testing.T) {
	for name, o := range map[string]Options{"off": {}, "lan only": {LANOnly: true}} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { idleForADay(t, o) }) })
	}
}

func idleForADay(t *testing.T, o Options) {
	var err error
	if o.Key, _, err = crypto.GenerateEd25519Key(rand.Reader); err != nil {
		t.Fatal(err)
	}
	n, err := newNet(o)
	if err != nil {
		t.Fatal(err)
	}
	home := netip.MustParsePrefix("192.168.1.0/24")
	n.gate.onLink = func(a ma.Multiaddr) bool {
		ip, _ := ipOf(a)
		return home.Contains(ip)
	}
	n.gate.links = func() []netip.Prefix { return []netip.Prefix{home} }
	var mu sync.Mutex
	tried := map[string]int{}
	n.gate.severed = func(_ peer.ID, a ma.Multiaddr) bool {
		mu.Lock()
		defer mu.Unlock()
		tried[a.String()]++
		return true
	}
	known := []string{
		"/ip4/192.168.1.2/tcp/5484", "/ip4/192.168.7.2/tcp/5484", "/ip4/10.0.0.2/udp/5484/quic-v1", "/ip6/fd00::2/tcp/5484",
		"/ip4/8.8.8.8/tcp/5484", "/ip4/8.8.8.8/udp/5484/quic-v1", "/ip6/2001:4860::2/tcp/5484",
	}
	for range 5 {
		id := someID(t)
		if err := n.Trust(id); err != nil {
			t.Fatal(err)
		}
		n.Remember(id, known)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{n.keepAll, n.probeAll, n.lookFar, n.keepBoard, n.watchIdentities} {
		running.Go(func() { _ = run(ctx) })
	}
	<-time.After(24 * time.Hour)
	cancel()
	running.Wait()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	<-time.After(time.Minute) // for what the libraries have begun to end
	mu.Lock()
	defer mu.Unlock()
	if got := tried[known[0]]; got < 5*24*60 {
		t.Errorf("the address on the link was tried %d times in a day, so they were hardly looked for", got)
	}
	for a, times := range tried {
		if !slices.Contains(known[:1], a) {
			t.Errorf("%s was dialled, %d times", a, times)
		}
	}
}
