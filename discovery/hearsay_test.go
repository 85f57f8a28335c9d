package discovery

import (
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func TestANoticeTellsNothingOfOtherDevices(t *testing.T) {
	t.Parallel()
	n, x, r := start(t, Options{Beyond: true}), start(t, Options{}), start(t, Options{})
	trust(t, n, x, r)
	n.learn(x.ID(), addrs("/ip4/8.8.8.8/tcp/25/p2p/"+r.ID().String()+"/p2p-circuit"))
	n.mu.Lock()
	defer n.mu.Unlock()
	if got := n.devices[r.ID()].book.all(time.Now()); len(got) > 0 {
		t.Errorf("one device has another one looked for at %s", got)
	}
}

func TestAMirrorShowsNoAddressThatItCannotSee(t *testing.T) {
	for _, c := range []struct {
		at, seen string
		want     bool
	}{
		{"/ip4/8.8.8.8/udp/5484/quic-v1", "/ip4/9.9.9.9/udp/41000/quic-v1", true},
		{"/ip4/8.8.8.8/udp/5484/quic-v1", "/ip4/192.168.1.1/udp/53/quic-v1", false},
		{"/ip4/8.8.8.8/udp/5484/quic-v1", "/ip4/127.0.0.1/udp/53/quic-v1", false},
		{"/ip4/8.8.8.8/udp/5484/quic-v1", "/ip6/2a00::1/udp/41000/quic-v1", false},
		{"/ip4/8.8.8.8/udp/5484/quic-v1", "/ip4/9.9.9.9/tcp/80", false},
		{"/ip4/10.9.0.1/udp/5484/quic-v1", "/ip4/10.8.0.7/udp/5484/quic-v1", true},
	} {
		if got := mayShow(ma.StringCast(c.at), ma.StringCast(c.seen)); got != c.want {
			t.Errorf("asked at %s, seen at %s: %t, want %t", c.at, c.seen, got, c.want)
		}
	}
}
