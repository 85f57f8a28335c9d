package discovery

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func addrs(all ...string) []ma.Multiaddr {
	out := make([]ma.Multiaddr, len(all))
	for i, s := range all {
		out[i] = ma.StringCast(s)
	}
	return out
}

func TestTheBookKeepsWhereADeviceWasAndSaysItIs(t *testing.T) {
	var b book
	if !b.remember(addrs("/ip4/10.0.0.1/tcp/1")) || b.remember(addrs("/ip4/10.0.0.1/tcp/1")) {
		t.Error("an address is new once")
	}
	says := addrs("/ip4/10.0.0.2/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip6/fe80::1/tcp/1", "/ip4/10.0.0.3/tcp/1/ws", "/ip4/0.0.0.0/tcp/1", "/ip4/10.0.0.2/udp/1/quic-v1")
	if !b.settle(says, ma.StringCast("/ip4/1.2.3.4/tcp/9"), false) {
		t.Error("nothing changed")
	}
	want := []string{"/ip4/1.2.3.4/tcp/9", "/ip4/10.0.0.2/tcp/1", "/ip4/10.0.0.2/udp/1/quic-v1"}
	if got := texts(b.lasting()); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if b.settle(says, ma.StringCast("/ip4/1.2.3.4/tcp/9"), false) {
		t.Error("the same again is a change")
	}
	if b.settle(nil, nil, false) || len(b.lasting()) != 3 {
		t.Error("a device that says nothing is forgotten")
	}
	b.settle(says, nil, true)
	if got := texts(b.lasting()); !slices.Contains(got, "/ip4/127.0.0.1/tcp/1") {
		t.Errorf("%q: loopback is missing for a device on this machine", got)
	}
}

func TestTheBookIsBounded(t *testing.T) {
	var b book
	var many []ma.Multiaddr
	for i := range 100 {
		many = append(many, ma.StringCast("/ip4/10.0.0.1/tcp/"+string(rune('1'+i%9))+string(rune('0'+i/10))))
	}
	b.remember(many)
	b.settle(many, nil, false)
	b.hear(many, noon)
	if len(b.last) > maxLasting || len(b.lan) > maxHeard {
		t.Errorf("%d lasting, %d heard", len(b.last), len(b.lan))
	}
}

func TestWhatTheLANSaysIsForgotten(t *testing.T) {
	var b book
	a := addrs("/ip4/10.0.0.1/tcp/1")
	if !b.hear(a, noon) || b.hear(a, noon.Add(time.Minute)) {
		t.Error("an address is news once")
	}
	if got := b.all(noon.Add(time.Minute)); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got := b.all(noon.Add(time.Hour)); len(got) != 0 {
		t.Errorf("after an hour: %v", got)
	}
	if !b.hear(a, noon.Add(time.Hour)) {
		t.Error("no news though it had been forgotten")
	}
	if len(b.lasting()) != 0 {
		t.Error("a rumour lasts")
	}
}

func TestOnlyAddressesOfTheLinkAreBelieved(t *testing.T) {
	said := []string{"/ip4/192.168.1.5/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip6/2001:db8::1/tcp/1", "/ip6/fe80::1/tcp/1", "/dns4/x/tcp/1", "x", "/ip4/192.168.1.5/udp/1/quic-v1"}
	for from, want := range map[string][]string{
		"192.168.1.5": {"/ip4/192.168.1.5/tcp/1", "/ip4/192.168.1.5/udp/1/quic-v1"},
		"127.0.0.1":   {"/ip4/192.168.1.5/tcp/1", "/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.5/udp/1/quic-v1"},
		"8.8.8.8":     {"/ip4/192.168.1.5/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip4/192.168.1.5/udp/1/quic-v1"},
		"2001:db8::1": {"/ip4/192.168.1.5/tcp/1", "/ip6/2001:db8::1/tcp/1", "/ip4/192.168.1.5/udp/1/quic-v1"},
	} {
		if got := texts(believable(said, netip.MustParseAddr(from))); !slices.Equal(got, want) {
			t.Errorf("from %s: %q, want %q", from, got, want)
		}
	}
}

func TestRankPrefersTCPAndTheSameNetwork(t *testing.T) {
	local := []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("fd00:1::/64")}
	in := addrs("/ip4/8.8.8.8/tcp/1", "/ip4/192.168.1.5/udp/1/quic-v1", "/ip4/10.0.0.1/tcp/1", "/ip4/192.168.1.5/tcp/1", "/ip6/fd00:1::5/tcp/1", "/ip4/8.8.8.8/udp/1/quic-v1")
	want := []struct {
		addr  string
		delay time.Duration
	}{
		{"/ip4/192.168.1.5/tcp/1", 0}, {"/ip6/fd00:1::5/tcp/1", nextTCP}, {"/ip4/10.0.0.1/tcp/1", 2 * nextTCP}, {"/ip4/8.8.8.8/tcp/1", 3 * nextTCP},
		{"/ip4/192.168.1.5/udp/1/quic-v1", quicAfter}, {"/ip4/8.8.8.8/udp/1/quic-v1", quicAfter + nextTCP},
	}
	got := map[string]time.Duration{}
	for _, d := range rank(in, local) {
		got[d.Addr.String()] = d.Delay
	}
	for _, w := range want {
		if d, ok := got[w.addr]; !ok || d != w.delay {
			t.Errorf("%s after %s, want %s", w.addr, d, w.delay)
		}
	}
	if d := rank(in[1:2], local); d[0].Delay != 0 {
		t.Errorf("QUIC alone waits %s", d[0].Delay)
	}
}
