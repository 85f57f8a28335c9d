package discovery

import (
	"fmt"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"
)

// TestWhatComesThroughARelayDoesNotShutTheRelayOut has a device that is paired
// with the relay alone knock through it, as fast as it likes.
func TestWhatComesThroughARelayDoesNotShutTheRelayOut(t *testing.T) {
	t.Parallel()
	d, now := newDoorman(), time.Now()
	at := tcpFrom(7, 7)
	through := ma.StringCast(fmt.Sprintf("%s/p2p/%s/p2p-circuit", at, someID(t)))
	for range 1000 {
		d.admit(through, now)
	}
	if !d.admit(at, now) {
		t.Error("the relay itself is turned away")
	}
	d.vouch(at, now)
	for range 1000 {
		d.admit(through, now)
	}
	if !d.admit(at, now) {
		t.Error("the relay itself is turned away, though a paired device has come from there")
	}
}

func TestNobodyTakesAllPlacesOfARelay(t *testing.T) {
	t.Parallel()
	n := start(t, Options{})
	x, y, z := start(t, Options{}), start(t, Options{}), start(t, Options{})
	trust(t, n, x, y, z)
	m, got := members{n.gate}, 0
	for range relayCircuits {
		if m.AllowConnect(x.ID(), nil, y.ID()) {
			got++
		}
	}
	if got >= relayCircuits {
		t.Errorf("one device has all %d places of another", got)
	}
	if !m.AllowConnect(z.ID(), nil, y.ID()) || !m.AllowConnect(x.ID(), nil, z.ID()) {
		t.Error("others are refused for it")
	}
}
