package rendezvous

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what takes a moment.
const patience = 20 * time.Second

// actor is a device with its board.
type actor struct {
	*Board
	id   peer.ID
	stop func()
}

func deviceOf(t testing.TB) (crypto.PrivKey, peer.ID) {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, id
}

// enact makes and runs a board on loopback.
func enact(t testing.TB, o Options) *actor {
	t.Helper()
	if o.Key == nil {
		o.Key, _ = deviceOf(t)
	}
	if o.Mode == "" {
		o.Mode = Private
	}
	if o.Listen == nil {
		o.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(o.Key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- b.Run(ctx) }()
	a := &actor{Board: b, id: id}
	stopped := false
	a.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(a.stop)
	return a
}

// within bounds what a test does.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func addrs(texts ...string) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, t := range texts {
		out = append(out, ma.StringCast(t))
	}
	return out
}

// place is an address that no test dials.
func place(i int) []ma.Multiaddr {
	return addrs(fmt.Sprintf("/ip4/198.51.100.%d/udp/%d/quic-v1", 1+i%250, 2000+i))
}

// last is the newest of what a device has told.
func last(t testing.TB, by *actor, of peer.ID) ([]ma.Multiaddr, error) {
	t.Helper()
	var out []ma.Multiaddr
	err := by.Find(within(t), of, func(a []ma.Multiaddr) { out = a })
	return out, err
}

// eventually asks again until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not so in %s: %s", patience, what)
		case <-tick.C:
		}
	}
}

func same(a, b []ma.Multiaddr) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
