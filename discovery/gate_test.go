package discovery

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"
)

const pairID protocol.ID = "/kith/test-pair/1"

// stranger is a libp2p host that is none of ours and has no manners.
func stranger(t testing.TB, o ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append([]libp2p.Option{libp2p.NoListenAddrs, libp2p.DisableMetrics(), libp2p.ForceReachabilityPrivate()}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// knock connects a stranger to n and tells whether the connection survives its
// first stream.
func knock(t testing.TB, h host.Host, n *Net, addrs []ma.Multiaddr) (network.Conn, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	h.Peerstore().AddAddrs(n.ID(), addrs, time.Hour)
	c, err := h.Network().DialPeer(network.WithForceDirectDial(ctx, "knock"), n.ID())
	if err != nil {
		return nil, false
	}
	return c, alive(ctx, c)
}

// speak tells whether protocol id can be agreed on over c.
func speak(t testing.TB, c network.Conn, id protocol.ID) (network.Stream, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := c.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	_ = s.SetDeadline(time.Now().Add(patience))
	return s, msmux.SelectProtoOrFail(id, s)
}

func tcpOf(n *Net) []ma.Multiaddr { return ma.FilterAddrs(n.listening(), isTCP) }
func quicOf(n *Net) []ma.Multiaddr {
	return ma.FilterAddrs(n.listening(), func(a ma.Multiaddr) bool { return !isTCP(a) })
}

func TestAStrangerIsRefusedOnEveryTransport(t *testing.T) {
	n := start(t, Options{})
	h := stranger(t)
	for name, addrs := range map[string][]ma.Multiaddr{"tcp": tcpOf(n), "quic": quicOf(n)} {
		if _, ok := knock(t, h, n, addrs); ok {
			t.Errorf("%s: a stranger was answered", name)
		}
	}
	eventually(t, "no connection is left", func() bool { return len(n.Host().Network().Conns()) == 0 })
}

func TestThroughTheOpenDoorAStrangerReachesPairingAndNothingElse(t *testing.T) {
	n := start(t, Options{})
	n.HandlePairing(pairID, func(s network.Stream) {
		_, _ = s.Write([]byte("hi"))
		_ = s.Close()
	})
	n.Host().SetStreamHandler("/kith/secret/1", func(s network.Stream) { t.Error("a stranger got in"); _ = s.Reset() })
	n.OpenDoor()
	for name, addrs := range map[string][]ma.Multiaddr{"tcp": tcpOf(n), "quic": quicOf(n)} {
		c, ok := knock(t, stranger(t), n, addrs)
		if !ok {
			t.Fatalf("%s: refused at the open door", name)
		}
		for _, id := range []protocol.ID{identify.ID, identify.IDPush, ping.ID, pulseID, "/kith/secret/1"} {
			var refused msmux.ErrNotSupported[protocol.ID]
			if _, err := speak(t, c, id); !errors.As(err, &refused) {
				t.Errorf("%s: %s: %v, want that it is not supported", name, id, err)
			}
		}
		s, err := speak(t, c, pairID)
		if err != nil {
			t.Fatalf("%s: pairing: %v", name, err)
		}
		if said, err := io.ReadAll(s); string(said) != "hi" || err != nil {
			t.Errorf("%s: %q, %v", name, said, err)
		}
	}
}

func TestTheDoorAdmitsAFewAndDropsThemWhenItCloses(t *testing.T) {
	n := run(t, start(t, Options{}))
	n.OpenDoor()
	var in []network.Conn
	for range maxStrangers {
		c, ok := knock(t, stranger(t), n.Net, tcpOf(n.Net))
		if !ok {
			t.Fatalf("stranger %d was refused", len(in)+1)
		}
		in = append(in, c)
	}
	if _, ok := knock(t, stranger(t), n.Net, tcpOf(n.Net)); ok {
		t.Errorf("one more than %d strangers got in", maxStrangers)
	}
	_ = in[0].Close()
	eventually(t, "there is room again", func() bool {
		n.gate.mu.Lock()
		defer n.gate.mu.Unlock()
		return n.gate.roomLocked()
	})
	if _, ok := knock(t, stranger(t), n.Net, quicOf(n.Net)); !ok {
		t.Error("refused though there is room")
	}

	n.CloseDoor()
	eventually(t, "all are dropped", func() bool { return len(n.Host().Network().Conns()) == 0 })
	eventually(t, "they notice", func() bool { return in[1].IsClosed() && in[2].IsClosed() && in[3].IsClosed() })
	if _, ok := knock(t, stranger(t), n.Net, tcpOf(n.Net)); ok {
		t.Error("the closed door let somebody in")
	}
	n.quiet(t)
}

func TestOtherKeysThanEd25519AreRefusedEvenAtTheOpenDoor(t *testing.T) {
	n := start(t, Options{})
	n.OpenDoor()
	for name, make := range map[string]func() (crypto.PrivKey, crypto.PubKey, error){
		"rsa":       func() (crypto.PrivKey, crypto.PubKey, error) { return crypto.GenerateRSAKeyPair(2048, rand.Reader) },
		"secp256k1": func() (crypto.PrivKey, crypto.PubKey, error) { return crypto.GenerateSecp256k1Key(rand.Reader) },
		"ecdsa":     func() (crypto.PrivKey, crypto.PubKey, error) { return crypto.GenerateECDSAKeyPair(rand.Reader) },
	} {
		key, _, err := make()
		if err != nil {
			t.Fatal(err)
		}
		h := stranger(t, libp2p.Identity(key))
		if _, ok := knock(t, h, n, tcpOf(n)); ok {
			t.Errorf("%s: got in", name)
		}
		if err := n.Trust(h.ID()); !errors.Is(err, ErrKey) {
			t.Errorf("%s: trusted: %v", name, err)
		}
		if _, err := n.AllowDial(h.ID()); !errors.Is(err, ErrKey) {
			t.Errorf("%s: dialled: %v", name, err)
		}
		if _, err := New(Options{Key: key, Listen: loopback}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: own key: %v", name, err)
		}
	}
}

func TestAStrangerIsDialledOnlyWhileThatIsAllowed(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	b.OpenDoor()
	dialB := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return a.Host().Connect(network.WithForceDirectDial(ctx, "test"), peer.AddrInfo{ID: b.ID(), Addrs: b.listening()})
	}
	if err := dialB(); err == nil {
		t.Fatal("a stranger was dialled unasked")
	}
	release, err := a.AllowDial(b.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := dialB(); err != nil {
		t.Fatal(err)
	}
	release()
	release() // twice is no harm
	eventually(t, "the connection is closed", func() bool { return len(a.Host().Network().Conns())+len(b.Host().Network().Conns()) == 0 })
	if err := dialB(); err == nil {
		t.Error("a stranger was dialled after the release")
	}
}

// The way two devices get to know each other, from the open door to a
// connection that knows all protocols and both addresses.
func TestPairingLeadsToAFreshConnection(t *testing.T) {
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	b.HandlePairing(pairID, func(s network.Stream) {
		if err := b.Trust(s.Conn().RemotePeer()); err != nil {
			t.Error(err)
		}
		_, _ = s.Write([]byte("paired"))
		_ = s.Close()
	})
	b.OpenDoor()
	release, err := a.AllowDial(b.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Host().Connect(t.Context(), peer.AddrInfo{ID: b.ID(), Addrs: b.listening()}); err != nil {
		t.Fatal(err)
	}
	s, err := a.Host().NewStream(t.Context(), b.ID(), pairID)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(s); string(said) != "paired" || err != nil {
		t.Fatalf("%q, %v", said, err)
	}
	trust(t, a.Net, b.Net)
	a.Remember(b.ID(), bare(b.Net))
	_ = s.Close()
	release()
	b.CloseDoor()

	from := time.Now()
	a.expect(t, Connected, b.ID())
	b.expect(t, Connected, a.ID())
	t.Logf("connected %s after pairing", time.Since(from))
	eventually(t, "one connection that is no visit", func() bool {
		c := a.Host().Network().ConnsToPeer(b.ID())
		return len(c) == 1 && !a.gate.visiting(c[0])
	})
	eventually(t, "each knows where the other is", func() bool { return len(b.Peers()[0].Addrs) > 0 && len(a.Peers()[0].Addrs) > 0 })
}

func TestOnlyWhatIsWantedIsDialledBeyondTheLocalNetwork(t *testing.T) {
	// This machine is 192.168.1.9/24 and 2001:4860:1::9/64.
	onLink := func(a ma.Multiaddr) bool {
		ip, _ := ipOf(a)
		return ip.IsLoopback() || ip.IsLinkLocalUnicast() ||
			netip.MustParsePrefix("192.168.1.0/24").Contains(ip) || netip.MustParsePrefix("2001:4860:1::/64").Contains(ip)
	}
	lan, off, far := newGate(extent{lanOnly: true, onLink: onLink}), newGate(extent{onLink: onLink}), newGate(extent{onLink: onLink})
	far.beyond.Store(true)
	asked := []ma.Multiaddr{ma.StringCast("/ip4/8.8.4.4/tcp/1"), ma.StringCast("/ip4/10.9.9.9/tcp/1")}
	for _, g := range []*gate{lan, off, far} {
		g.paired["p"] = struct{}{}
		g.ask("p", asked)
	}
	for addr, want := range map[string]struct{ lanDials, offDials, lanAccepts bool }{
		"/ip4/192.168.1.2/tcp/1":      {true, true, true},
		"/ip4/127.0.0.1/tcp/1":        {true, true, true},
		"/ip6/fe80::1/tcp/1":          {true, true, true},
		"/ip4/169.254.1.1/tcp/1":      {true, true, true},
		"/ip6/2001:4860:1::1/tcp/1":   {true, true, true}, // public, and on the link
		"/ip4/192.168.2.2/tcp/1":      {false, false, true},
		"/ip4/10.1.2.3/udp/1/quic-v1": {false, false, true},
		"/ip6/fd00::1/tcp/1":          {false, false, true},
		"/ip4/10.9.9.9/tcp/1":         {true, true, true}, // asked for
		"/ip4/8.8.4.4/tcp/1":          {false, true, false},
		"/ip4/8.8.4.4/tcp/2":          {false, false, false},
		"/ip4/8.8.8.8/tcp/1":          {false, false, false},
		"/ip6/2001:4860::1/tcp/1":     {false, false, false},
		"/ip4/8.8.8.8/udp/1/quic-v1":  {false, false, false},
	} {
		a := ma.StringCast(addr)
		if got := lan.InterceptAddrDial("p", a); got != want.lanDials {
			t.Errorf("lan only: dial %s: %t, want %t", addr, got, want.lanDials)
		}
		if got := off.InterceptAddrDial("p", a); got != want.offDials {
			t.Errorf("off: dial %s: %t, want %t", addr, got, want.offDials)
		}
		if !far.InterceptAddrDial("p", a) {
			t.Errorf("beyond: %s is not dialled", addr)
		}
		if got := lan.InterceptAccept(from{a}); got != want.lanAccepts {
			t.Errorf("lan only: accept %s: %t, want %t", addr, got, want.lanAccepts)
		}
		if !off.InterceptAccept(from{a}) {
			t.Errorf("off: %s is refused", addr)
		}
	}
}

// TestAPrivateAddressBehindAGatewayCountsOnTheNetworkWhereItWasTold has a machine
// that leaves a house of two networks, and comes back.
func TestAPrivateAddressBehindAGatewayCountsOnTheNetworkWhereItWasTold(t *testing.T) {
	home, cafe := netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("10.0.0.0/8")
	own := netip.MustParsePrefix("127.0.0.0/8")
	at := []netip.Prefix{own, home}
	g := newGate(extent{lanOnly: true, onLink: func(ma.Multiaddr) bool { return false }, links: func() []netip.Prefix { return at }})
	g.paired["p"], g.paired["q"] = struct{}{}, struct{}{}
	cellar, far := ma.StringCast("/ip4/192.168.2.2/tcp/1"), ma.StringCast("/ip4/8.8.8.8/tcp/1")
	g.tell("p", []ma.Multiaddr{cellar, far})
	for _, c := range []struct {
		at    []netip.Prefix
		dials bool
	}{
		{[]netip.Prefix{own, home}, true},
		{[]netip.Prefix{own, cafe}, false},
		{[]netip.Prefix{own}, false},
		{[]netip.Prefix{own, cafe, home}, true},
	} {
		at = c.at
		if got := g.InterceptAddrDial("p", cellar); got != c.dials {
			t.Errorf("on %v it is dialled: %t", at, got)
		}
		if g.InterceptAddrDial("q", cellar) || g.InterceptAddrDial("p", far) {
			t.Errorf("on %v more is dialled than was told", at)
		}
	}
}

func TestOnlyRelaysOfPairedDevicesAreUsedAndOnlyBeyond(t *testing.T) {
	relay, other := someID(t), someID(t)
	through := ma.StringCast("/ip4/192.168.1.2/tcp/1/p2p/" + relay.String() + "/p2p-circuit")
	for name, c := range map[string]struct {
		lanOnly, beyond, paired bool
		dials, accepts          bool
	}{
		"lan only":              {lanOnly: true, paired: true},
		"off":                   {paired: true},
		"beyond":                {beyond: true, paired: true, dials: true, accepts: true},
		"beyond, by a stranger": {beyond: true, accepts: true}, // whose streams are refused anyway
	} {
		g := newGate(extent{lanOnly: c.lanOnly})
		g.beyond.Store(c.beyond)
		g.trust(other)
		if c.paired {
			g.trust(relay)
		}
		for _, a := range []ma.Multiaddr{through, circuit(relay)} {
			if got := g.InterceptAddrDial(other, a); got != c.dials {
				t.Errorf("%s: dial %s: %t", name, a, got)
			}
		}
		if got := g.InterceptAccept(from{through}); got != c.accepts {
			t.Errorf("%s: accept: %t", name, got)
		}
	}
}

func someID(t *testing.T) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

type from struct{ remote ma.Multiaddr }

func (f from) LocalMultiaddr() ma.Multiaddr  { return f.remote }
func (f from) RemoteMultiaddr() ma.Multiaddr { return f.remote }
