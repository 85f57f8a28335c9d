package discovery

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// atOnce tries every address that n knows of other, for a second at most.
func atOnce(t *testing.T, n, other *Net) map[string]Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	out := map[string]Outcome{}
	n.TryEach(ctx, other.ID(), func(a Attempt) {
		if a.Place != PlaceHere {
			t.Errorf("%s is %s, want here", a.Addr, a.Place)
		}
		out[string(a.Transport)] = a.Outcome
	})
	return out
}

func TestADeviceThatTakesThisOneInAnswersEveryTransport(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	trust(t, a, b)
	trust(t, b, a)
	a.Remember(b.ID(), bare(b))
	if got := atOnce(t, a, b); got["tcp"] != Answers || got["quic"] != Answers {
		t.Errorf("got %v, want answers on both", got)
	}
}

func TestADeviceThatDoesNotKnowThisOneTurnsItAway(t *testing.T) {
	a, b := start(t, Options{}), start(t, Options{})
	trust(t, a, b)
	a.Remember(b.ID(), bare(b))
	if got := atOnce(t, a, b); got["tcp"] != TurnedAway || got["quic"] != TurnedAway {
		t.Errorf("got %v, want turned away on both", got)
	}
	b.OpenDoor() // a stranger is let in now, but for pairing alone
	defer b.CloseDoor()
	if got := atOnce(t, a, b); got["tcp"] != TurnedAway || got["quic"] != TurnedAway {
		t.Errorf("got %v while the door is open, want turned away on both", got)
	}
}

func TestAnAddressThatAnotherDeviceHasIsTold(t *testing.T) {
	a, b, c := start(t, Options{}), start(t, Options{}), start(t, Options{})
	trust(t, a, b)
	a.Remember(b.ID(), bare(c))
	found := 0
	a.TryEach(t.Context(), b.ID(), func(at Attempt) {
		if at.Outcome != OtherDevice || at.Other != c.ID() {
			t.Errorf("%s: %s by %s, want the other device", at.Addr, at.Outcome, at.Other)
		}
		found++
	})
	if found != 2 {
		t.Errorf("%d addresses were tried, want 2", found)
	}
}

// TestWhatIsNoDeviceIsToldApart has a port where nothing listens, one that
// hangs up, one that says something else, and one that says nothing.
func TestWhatIsNoDeviceIsToldApart(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  Outcome
	}{
		"nobody":    {nil, Refused},
		"hangs up":  {func(c net.Conn) { _ = c.Close() }, HungUp},
		"is silent": {func(net.Conn) {}, NotKith},
		"is a web server": {func(c net.Conn) {
			_, _ = fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request")
		}, NotKith},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := start(t, Options{}), start(t, Options{})
			trust(t, a, b)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if c.serve == nil {
				_ = l.Close()
			}
			served := make(chan struct{})
			go func() {
				defer close(served)
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					defer conn.Close()
					c.serve(conn)
				}
			}()
			defer func() { _ = l.Close(); <-served }()
			a.Remember(b.ID(), []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)})
			if got := atOnce(t, a, b)["tcp"]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWhatTheSettingsForbidIsNotTried(t *testing.T) {
	a, b := start(t, Options{LANOnly: true}), start(t, Options{})
	trust(t, a, b)
	a.Remember(b.ID(), []string{"/ip4/198.51.100.7/tcp/5484"})
	a.TryEach(t.Context(), b.ID(), func(at Attempt) {
		if at.Outcome != NotTried || at.Place != PlacePublic || at.Took != 0 {
			t.Errorf("got %+v, want that it was not tried", at)
		}
	})
}

func TestADeviceThatIsFoundByTryingIsConnectedSoon(t *testing.T) {
	a, b := run(t, start(t, Options{})), run(t, start(t, Options{}))
	trust(t, a.Net, b.Net)
	a.Remember(b.ID(), bare(b.Net))
	eventually(t, "a is turned away", func() bool {
		last, at := a.LastAttempts(b.ID())
		return !at.IsZero() && len(last) == 1 && last[0].Outcome == TurnedAway
	})
	trust(t, b.Net, a.Net)
	a.TryEach(t.Context(), b.ID(), func(Attempt) {})
	a.expect(t, Connected, b.ID())
	if last, at := a.LastAttempts(b.ID()); last != nil || !at.IsZero() {
		t.Errorf("connected, and still the last attempts are %v", last)
	}
	trips := a.RoundTrips(t.Context())
	if rtt := trips[b.ID()]; rtt <= 0 || rtt > time.Second {
		t.Errorf("the way there and back takes %v", rtt)
	}
}

func TestPlacesAreSeenFromTheNetworksOfThisMachine(t *testing.T) {
	n := start(t, Options{})
	h := here{addrs: []ma.Multiaddr{ma.StringCast("/ip4/192.168.7.2")}}
	h.prefixes = append(h.prefixes, netip.MustParsePrefix("192.168.7.0/24"))
	n.here.Store(&h)
	for addr, want := range map[string]Place{
		"/ip4/192.168.7.2/tcp/1":                   PlaceHere,
		"/ip4/127.0.0.1/tcp/1":                     PlaceHere,
		"/ip4/192.168.7.9/udp/1/quic-v1":           PlaceNear,
		"/ip4/192.168.8.9/tcp/1":                   PlaceAway,
		"/ip6/fdb3:4f1c:77a0::1/tcp/1":             PlaceAway,
		"/ip4/198.51.100.1/tcp/1":                  PlacePublic,
		"/ip6/2001:db8::1/udp/1/quic-v1":           PlacePublic,
		"/p2p/" + n.ID().String() + "/p2p-circuit": PlaceRelay,
	} {
		if got := n.place(ma.StringCast(addr)); got != want {
			t.Errorf("%s is %s, want %s", addr, got, want)
		}
	}
}

// TestTheLocalNetworkIsListenedTo hears at least itself, where multicast works.
func TestTheLocalNetworkIsListenedTo(t *testing.T) {
	n := run(t, start(t, Options{MDNS: true}))
	lan := n.ExamineLAN(t.Context(), func(l LAN) bool { return l.Own > 0 })
	if !lan.MDNS {
		t.Errorf("got %+v, want that it is looked for devices", lan)
	}
	if lan.Joined && lan.Own == 0 {
		t.Skip("no multicast here")
	}
	off := start(t, Options{})
	if got := off.ExamineLAN(t.Context(), func(LAN) bool { return false }); got.MDNS || got.Joined {
		t.Errorf("without mDNS got %+v", got)
	}
	if slices.ContainsFunc(lan.Networks, func(p netip.Prefix) bool { return p.Addr().IsLoopback() }) {
		t.Errorf("loopback is among the networks %v", lan.Networks)
	}
}
