package discovery

import (
	"bufio"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// connected connects two devices that trust each other.
func connected(t *testing.T, o Options) (a, b *running) {
	t.Helper()
	a, b = run(t, start(t, o)), run(t, start(t, o))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	a.Remember(b.ID(), bare(b.Net))
	a.expect(t, Connected, b.ID())
	b.expect(t, Connected, a.ID())
	return a, b
}

func TestAMirrorShowsTheListeningSocketAndLeavesNoTrace(t *testing.T) {
	t.Parallel()
	a, b := connected(t, Options{Beyond: true})
	for range 3 {
		seen, err := a.askMirror(t.Context(), b.ID(), quicOf(b.Net)[0])
		if err != nil {
			t.Fatal(err)
		}
		if want := quicOf(a.Net)[0]; !seen.Equal(want) {
			t.Errorf("seen at %s, want %s", seen, want)
		}
	}
	eventually(t, "one connection is left, by TCP", func() bool {
		c := b.Host().Network().ConnsToPeer(a.ID())
		return len(c) == 1 && isTCP(c[0].RemoteMultiaddr())
	})
	a.quiet(t)
	b.quiet(t)
}

func TestAStrangerSeesNoMirror(t *testing.T) {
	t.Parallel()
	a, b := start(t, Options{Beyond: true}), start(t, Options{Beyond: true})
	trust(t, a, b) // and b does not trust a
	if seen, err := a.askMirror(t.Context(), b.ID(), quicOf(b)[0]); err == nil {
		t.Errorf("a stranger was told that it is at %s", seen)
	}
}

func TestACallGoesToTheAskerAloneAndTellsWhereItIs(t *testing.T) {
	t.Parallel()
	a, b := connected(t, Options{Beyond: true})
	c := a.Host().Network().ConnsToPeer(b.ID())[0]
	asked := append(tcpOf(a.Net), ma.StringCast("/ip4/127.0.0.1/tcp/1"), ma.StringCast("/ip4/127.0.0.2/tcp/9"))
	answered, err := askCall(t.Context(), c, asked)
	if err != nil || !sameAddrs(answered, tcpOf(a.Net)) {
		t.Errorf("reached at %s, %v; want %s", answered, err, tcpOf(a.Net))
	}
	if _, err := askCall(t.Context(), c, asked); err == nil {
		t.Error("a second call at once was answered")
	}
	eventually(t, "one connection is left", func() bool { return len(b.Host().Network().ConnsToPeer(a.ID())) == 1 })
	a.quiet(t)
	b.quiet(t)
}

func TestCallsAreAskedForEverMoreRarely(t *testing.T) {
	for tries, want := range []time.Duration{6 * time.Second, 18 * time.Second, 54 * time.Second, 162 * time.Second} {
		if got := callAgain(tries, 0.5); got != want {
			t.Errorf("after %d: %s, want %s", tries, got, want)
		}
	}
	if got := callAgain(1000, 1); got > mirrorEvery*7/6 {
		t.Errorf("in the end %s", got)
	}
}

func TestWhoCanBeReachedRelaysIfThatIsLeftToIt(t *testing.T) {
	own := here{addrs: []ma.Multiaddr{ma.StringCast("/ip4/198.51.100.7")}}
	elsewhere := here{addrs: []ma.Multiaddr{ma.StringCast("/ip4/10.0.0.7")}}
	for mode, want := range map[RelayMode][3]bool{RelayAuto: {false, true, false}, "": {false, true, false}, RelayOn: {true, true, true}, RelayOff: {}} {
		f := newFar()
		f.wide = &Wide{Relay: mode}
		before := f.wantsRelay(&own)
		ip, _ := ipOf(own.addrs[0])
		f.confirm(ip)
		if got := [3]bool{before, f.wantsRelay(&own), f.wantsRelay(&elsewhere)}; got != want {
			t.Errorf("%q: before, when reached, and elsewhere: %v, want %v", mode, got, want)
		}
	}
	if f := newFar(); f.wantsRelay(&own) {
		t.Error("relays though it looks for nobody beyond the local network")
	}
}

// socket is a connection of which only the ends are known.
type socket struct {
	network.Conn
	local     string
	direction network.Direction
}

func (s socket) LocalMultiaddr() ma.Multiaddr { return ma.StringCast(s.local) }
func (s socket) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Direction: s.direction}}
}

func TestWhoComesInFromBeyondProvesThatOthersCan(t *testing.T) {
	h := &here{addrs: []ma.Multiaddr{ma.StringCast("/ip4/198.51.100.7"), ma.StringCast("/ip4/10.0.0.7"), ma.StringCast("/ip6/2001:db8::7")}}
	tcp, udp, any := "/ip4/198.51.100.7/tcp/1", "/ip4/198.51.100.7/udp/1/quic-v1", "/ip4/0.0.0.0/udp/1/quic-v1"
	for _, c := range []struct {
		name   string
		l      link
		at     socket
		called time.Duration // ago
		want   bool
	}{
		{"by TCP", link{via: ViaDirect, transport: TCP}, socket{local: tcp, direction: network.DirInbound}, 0, true},
		{"this device has dialled", link{via: ViaDirect, transport: TCP}, socket{local: tcp, direction: network.DirOutbound}, 0, false},
		{"on the LAN", link{via: ViaLAN, transport: TCP}, socket{local: tcp, direction: network.DirInbound}, 0, false},
		{"by a relay", link{via: ViaRelay, transport: TCP}, socket{local: tcp, direction: network.DirInbound}, 0, false},
		{"by QUIC, unasked", link{via: ViaDirect, transport: QUIC}, socket{local: udp, direction: network.DirInbound}, time.Hour, true},
		{"by QUIC, on a socket for all", link{via: ViaDirect, transport: QUIC}, socket{local: any, direction: network.DirInbound}, time.Hour, true},
		{"by QUIC, where it was just called", link{via: ViaDirect, transport: QUIC}, socket{local: udp, direction: network.DirInbound}, time.Minute, false},
	} {
		f := newFar()
		f.wide = &Wide{}
		c.l.conn = c.at
		f.cameIn(&c.l, h, noon.Add(-c.called), noon)
		if got := f.wantsRelay(h); got != c.want {
			t.Errorf("%s: reached: %t", c.name, got)
		}
	}
}

func TestAWayIsPunchedThatReplacesTheRelay(t *testing.T) {
	t.Parallel()
	na, nb := start(t, Options{Beyond: true}), start(t, Options{Beyond: true})
	nr := start(t, Options{Beyond: true, Relay: RelayOn})
	trust(t, na, nb, nr)
	trust(t, nb, na, nr)
	trust(t, nr, na, nb)
	na.Remember(nr.ID(), bare(nr))
	nb.Remember(nr.ID(), bare(nr))
	// On loopback there is no way between them that a mirror would show.
	a, b := run(t, na), run(t, nb)
	run(t, nr)
	eventually(t, "a way is punched", func() bool {
		for _, n := range []*Net{na, nb} { // forgotten whenever the network of this machine changes
			n.far.sawAt(mirrored{nr.ID(), quicOf(n)[0].String()}, time.Now())
		}
		return slices.ContainsFunc(na.Peers(), func(p Peer) bool { return p.Route.Punched })
	})
	for _, pair := range [][2]*running{{a, b}, {b, a}} {
		if e := pair[0].expect(t, Connected, pair[1].ID()); e.Route.Via != ViaRelay {
			t.Errorf("route %+v, want by relay", e.Route)
		}
		if e := pair[0].expect(t, Rerouted, pair[1].ID()); !e.Route.Punched || e.Route.Transport != QUIC || e.Route.Relay != "" {
			t.Errorf("route %+v, want punched, by QUIC", e.Route)
		}
	}
	eventually(t, "one connection is left", func() bool {
		return len(na.Host().Network().ConnsToPeer(nb.ID())) == 1 && len(nb.Host().Network().ConnsToPeer(na.ID())) == 1
	})
	a.quiet(t)
	b.quiet(t)
}

func TestNothingIsPunchedTowardsAStranger(t *testing.T) {
	t.Parallel()
	n := run(t, start(t, Options{Beyond: true}))
	n.OpenDoor()
	c, ok := knock(t, stranger(t), n.Net, tcpOf(n.Net))
	if !ok {
		t.Fatal("not let in at the open door")
	}
	for _, id := range []protocol.ID{punchID, mirrorID, callID, drainID} {
		if _, err := speak(t, c, id); err == nil {
			t.Errorf("a stranger may speak %s", id)
		}
	}
}

func FuzzReadAddrs(f *testing.F) {
	f.Add("/ip4/1.2.3.4/udp/1/quic-v1\n\n")
	f.Add("/ip4/1.2.3.4/tcp/1\nnonsense\n/p2p-circuit\n\nrest")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readAddrs(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		if len(got) > maxPunched {
			t.Fatalf("%d addresses", len(got))
		}
		var back strings.Builder
		if err := sendAddrs(&back, got); err != nil {
			t.Fatal(err)
		}
		again, err := readAddrs(bufio.NewReader(strings.NewReader(back.String())))
		if err != nil || !sameAddrs(got, again) {
			t.Fatalf("%q came back as %q, %v", got, again, err)
		}
	})
}

func TestPlacesAreToldBestFirstAndRelaysLast(t *testing.T) {
	n, relay, other := start(t, Options{Beyond: true}), someID(t), someID(t)
	n.far.mappedTo([]ma.Multiaddr{ma.StringCast("/ip4/198.51.100.9/tcp/5484")})
	n.far.sawAt(mirrored{relay, "/ip4/198.51.100.9/udp/41000/quic-v1"}, time.Now())
	n.far.sawAt(mirrored{other, "/ip4/198.51.100.9/udp/41001/quic-v1"}, time.Now().Add(-time.Hour))
	n.far.berths[relay] = &berth{held: true}
	n.far.berths[other] = &berth{}
	want := append(bare(n), "/ip4/198.51.100.9/tcp/5484", "/ip4/198.51.100.9/udp/41000/quic-v1", "/p2p/"+relay.String()+"/p2p-circuit")
	if got := n.Places(); !slices.Equal(got[2:], want[2:]) || len(got) != len(want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
	n.far.elsewhere()
	if got := n.Places(); len(got) != 3 {
		t.Errorf("elsewhere, and still %s", got)
	}
}

func TestWhatADevicePublishesIsTriedForAWhile(t *testing.T) {
	n, far := start(t, Options{}), start(t, Options{Beyond: true})
	id, relay := someID(t), someID(t)
	said := []ma.Multiaddr{
		ma.StringCast("/ip4/198.51.100.9/tcp/5484"), ma.StringCast("/ip4/127.0.0.1/tcp/7"), ma.StringCast("/ip4/198.51.100.9/udp/9/quic-v1/p2p/" + relay.String() + "/p2p-circuit"),
	}
	for _, n := range []*Net{n, far} {
		for _, id := range []peer.ID{id, relay} {
			if err := n.Trust(id); err != nil {
				t.Fatal(err)
			}
		}
		n.learn(id, said)
	}
	now := time.Now()
	if got := n.devices[id].book.all(now); !sameAddrs(got, said[1:2]) {
		t.Errorf("off: tried at %s", got)
	}
	if got := far.devices[id].book.all(now); !sameAddrs(got, said[:2]) {
		t.Errorf("beyond: tried at %s", got)
	}
	if got := far.devices[relay].book.all(now); len(got) != 0 {
		t.Errorf("another device has said that the relay is at %s", got)
	}
	if got := far.devices[id].book.all(now.Add(2 * foundFor)); len(got) != 0 {
		t.Errorf("later: tried at %s", got)
	}
	if got := far.devices[id].book.lasting(); len(got) != 0 {
		t.Errorf("kept: %s", got)
	}
}
