package discovery

import (
	"fmt"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

func tcpFrom(a, b int) ma.Multiaddr {
	return ma.StringCast(fmt.Sprintf("/ip4/10.1.%d.%d/tcp/4000", a, b))
}

func TestAStrangerHasABurstAndThenATrickle(t *testing.T) {
	d := newDoorman()
	got := 0
	for range 1000 {
		if d.admit(tcpFrom(0, 1), noon) {
			got++
		}
	}
	if got != strangerBurst {
		t.Errorf("%d at once, want %d", got, strangerBurst)
	}
	got = 0
	for i := range 1000 {
		if d.admit(tcpFrom(0, 1), noon.Add(time.Duration(i)*10*time.Millisecond)) {
			got++
		}
	}
	if got < 9 || got > 11 {
		t.Errorf("%d in ten seconds, want about 10", got)
	}
	if !d.admit(tcpFrom(0, 2), noon) {
		t.Error("a neighbour is refused")
	}
	if !d.admit(ma.StringCast("/ip4/10.1.0.1/udp/4000/quic-v1"), noon) {
		t.Error("QUIC pays for TCP")
	}
}

func TestPairedDevicesPayNothing(t *testing.T) {
	d := newDoorman()
	for i := range 1000 {
		if !d.admit(tcpFrom(0, 1), noon) {
			t.Fatalf("connection %d of a paired device is refused", i)
		}
		d.vouch(tcpFrom(0, 1), noon)
	}
}

func TestAFloodFromEverywhereDoesNotShutPairedDevicesOut(t *testing.T) {
	d := newDoorman()
	home := tcpFrom(200, 200)
	if !d.admit(home, noon) {
		t.Fatal("refused")
	}
	d.vouch(home, noon)
	in := 0
	for i := range 20_000 { // in 100 seconds
		if d.admit(tcpFrom(i/250, i%250), noon.Add(time.Duration(i)*5*time.Millisecond)) {
			in++
		}
	}
	if most := commonBurst + 100*commonRate; float64(in) > most+1 {
		t.Errorf("%d strangers, want at most %.0f", in, most)
	}
	if len(d.sources) > maxSources {
		t.Errorf("%d sources are remembered", len(d.sources))
	}
	later := noon.Add(100 * time.Second)
	if !d.admit(home, later) {
		t.Error("a paired device is refused")
	}
	// A stranger behind the same address as a paired device has its share,
	// and no more.
	in = 0
	for range 1000 {
		if d.admit(home, later) {
			in++
		}
	}
	if in > vouchedBurst {
		t.Errorf("%d at once from a good address", in)
	}
	if !d.admit(home, later.Add(time.Second)) {
		t.Error("a good address is refused a second later")
	}
}

func TestIPv6SourcesAreCountedByNetwork(t *testing.T) {
	d := newDoorman()
	in := 0
	for i := range 1000 {
		if d.admit(ma.StringCast(fmt.Sprintf("/ip6/2001:db8::%x/tcp/1", i+1)), noon) {
			in++
		}
	}
	if in != strangerBurst {
		t.Errorf("%d, want %d", in, strangerBurst)
	}
}

func TestAStrangerCannotHammerTheHost(t *testing.T) {
	n := start(t, Options{})
	refused := func() int {
		n.gate.mu.Lock()
		defer n.gate.mu.Unlock()
		return len(n.gate.visitors)
	}
	h := stranger(t)
	for range 3 * strangerBurst {
		if _, ok := knock(t, h, n, tcpOf(n)); ok {
			t.Fatal("got in")
		}
	}
	if refused() != 0 {
		t.Error("strangers are remembered")
	}
	other := start(t, Options{})
	trust(t, n, other)
	trust(t, other, n)
	r, s := run(t, n), run(t, other)
	n.Remember(other.ID(), bare(other))
	s.Remember(n.ID(), bare(n))
	r.expect(t, Connected, other.ID())
}
