package discovery

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
)

func TestTrustedDevicesConnectWhenOneKnowsTheOther(t *testing.T) {
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	a.Remember(b.ID(), bare(b.Net))

	e := a.expect(t, Connected, b.ID())
	if e.Route.Transport != TCP || e.Route.Via != ViaLAN || e.Route.Inbound {
		t.Errorf("route %+v, want tcp over lan, outbound", e.Route)
	}
	if e := b.expect(t, Connected, a.ID()); !e.Route.Inbound {
		t.Errorf("route %+v, want inbound", e.Route)
	}
	eventually(t, "b learns where a listens", func() bool { return len(b.Peers()[0].Addrs) == 2 })
	p := a.Peers()[0]
	if !p.Connected || p.Device != b.ID() || p.Route.Addr != e.Route.Addr {
		t.Errorf("peer %+v", p)
	}
}

func TestOnlyQUICIsEnough(t *testing.T) {
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	a.Remember(b.ID(), only(b.Net, "quic-v1"))
	if e := a.expect(t, Connected, b.ID()); e.Route.Transport != QUIC {
		t.Errorf("route %+v", e.Route)
	}
}

// As when a path comes back to life, and QUIC is the first to notice.
func TestQUICGivesWayToTCPThatWorks(t *testing.T) {
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, b.Net, a.Net)
	trust(t, a.Net, b.Net)
	a.mu.Lock()
	d := a.devices[b.ID()]
	d.book.remember(b.listening()) // and no news of it to the keeper
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(network.WithForceDirectDial(t.Context(), "test"), patience)
	defer cancel()
	a.Host().Peerstore().AddAddrs(b.ID(), quicOf(b.Net), peerstore.TempAddrTTL)
	if c, err := a.Host().Network().DialPeer(ctx, b.ID()); err == nil && !isTCP(c.RemoteMultiaddr()) {
		t.Error("QUIC was kept")
	}
	if e := a.expect(t, Connected, b.ID()); e.Route.Transport != TCP {
		t.Errorf("route %+v", e.Route)
	}
	b.expect(t, Connected, a.ID())
	a.quiet(t)
}

func TestTheKeeperReconnectsWhenTheOtherSideRestarts(t *testing.T) {
	t.Parallel()
	a := run(t, start(t, Options{}))
	key := newKey(t)
	b := run(t, start(t, Options{Key: key}))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	a.Remember(b.ID(), bare(b.Net))
	a.expect(t, Connected, b.ID())
	where := bare(b.Net)

	b.stop()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	a.expect(t, Disconnected, b.ID())

	again := run(t, start(t, Options{Key: key, Listen: where}))
	trust(t, again.Net, a.Net)
	a.expect(t, Connected, b.ID())
	again.expect(t, Connected, a.ID())
}

func TestARefusedDeviceIsNeverReportedAndBacksOff(t *testing.T) {
	t.Parallel()
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, a.Net, b.Net) // b does not trust a
	a.Remember(b.ID(), bare(b.Net))
	eventually(t, "three attempts have failed", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.devices[b.ID()].failures >= 3
	})
	a.quiet(t)
	b.quiet(t)

	trust(t, b.Net, a.Net)
	a.expect(t, Connected, b.ID())
	b.expect(t, Connected, a.ID())
}

func TestDistrustDisconnectsAndRefuses(t *testing.T) {
	t.Parallel()
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	a.Remember(b.ID(), bare(b.Net))
	a.expect(t, Connected, b.ID())
	b.expect(t, Connected, a.ID())

	b.Distrust(a.ID())
	b.expect(t, Disconnected, a.ID())
	a.expect(t, Disconnected, b.ID())
	eventually(t, "a tries again and is refused", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.devices[b.ID()].failures >= 2
	})
	if got := len(b.Host().Network().ConnsToPeer(a.ID())); got != 0 {
		t.Errorf("%d connections with a device that is not trusted", got)
	}
	a.quiet(t)
	b.quiet(t)
}

// Both sides dial at the very same time, which makes two connections more often
// than not. Exactly one is left, soon, and it is the same one on both sides.
func TestDialsAtTheSameTimeEndInOneConnection(t *testing.T) {
	t.Parallel()
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	twice := 0
	for round := range 20 {
		var both sync.WaitGroup
		begin := make(chan struct{})
		for _, pair := range [][2]*running{{a, b}, {b, a}} {
			both.Go(func() {
				me, other := pair[0], pair[1]
				me.Host().Peerstore().AddAddrs(other.ID(), other.listening(), peerstore.TempAddrTTL)
				<-begin
				ctx, cancel := context.WithTimeout(network.WithForceDirectDial(t.Context(), "test"), patience)
				defer cancel()
				if _, err := me.Host().Network().DialPeer(ctx, other.ID()); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		close(begin)
		both.Wait()
		from, most := time.Now(), 0
		eventually(t, "one connection, the same on both sides", func() bool {
			ca, cb := a.Host().Network().ConnsToPeer(b.ID()), b.Host().Network().ConnsToPeer(a.ID())
			most = max(most, len(ca), len(cb))
			return len(ca) == 1 && len(cb) == 1 && ca[0].LocalMultiaddr().Equal(cb[0].RemoteMultiaddr())
		})
		if took := time.Since(from); took > 2*time.Second {
			t.Errorf("round %d took %s", round, took)
		}
		if most > 1 {
			twice++
		}
		a.expect(t, Connected, b.ID())
		b.expect(t, Connected, a.ID())
		a.disconnect(t, b)
	}
	t.Logf("%d of 20 rounds made two connections", twice)
}

// disconnect parts two devices for good: neither knows where the other is.
func (r *running) disconnect(t testing.TB, other *running) {
	t.Helper()
	for _, pair := range [][2]*running{{r, other}, {other, r}} {
		pair[0].mu.Lock()
		pair[0].devices[pair[1].ID()].book = book{}
		pair[0].mu.Unlock()
	}
	if err := r.Host().Network().ClosePeer(other.ID()); err != nil {
		t.Fatal(err)
	}
	r.expect(t, Disconnected, other.ID())
	other.expect(t, Disconnected, r.ID())
}

// What the keepers do by themselves when both learn of each other at once.
func TestKeepersThatLearnOfEachOtherAtOnceMakeOneConnection(t *testing.T) {
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	most := 0
	for range 5 {
		a.Remember(b.ID(), bare(b.Net))
		b.Remember(a.ID(), bare(a.Net))
		a.expect(t, Connected, b.ID())
		b.expect(t, Connected, a.ID())
		most = max(most, len(a.Host().Network().ConnsToPeer(b.ID())))
		a.disconnect(t, b)
	}
	if most != 1 {
		t.Errorf("up to %d connections at once, want 1", most)
	}
}

func TestSilentQUICConnectionIsClosed(t *testing.T) {
	n, other := start(t, Options{}), start(t, Options{})
	trust(t, n, other)
	trust(t, other, n)
	n.Host().Peerstore().AddAddrs(other.ID(), other.listening(), peerstore.TempAddrTTL)
	c, err := n.Host().Network().DialPeer(t.Context(), other.ID())
	if err != nil {
		t.Fatal(err)
	}
	if !alive(t.Context(), c) {
		t.Error("a connection with a device that answers is said to be dead")
	}
	// One that accepts streams and says nothing.
	other.swarm.SetStreamHandler(func(network.Stream) {})
	if alive(shortly(t), c) {
		t.Error("a connection with a device that says nothing is said to be alive")
	}
	n.probe(shortly(t), []*link{{conn: c, transport: QUIC}}, pulseWait)
	if !c.IsClosed() {
		t.Error("a dead connection is left open")
	}
}

func shortly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}
