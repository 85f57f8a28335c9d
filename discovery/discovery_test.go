package discovery

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(actorEnv) != "" {
		os.Exit(actor())
	}
	goleak.VerifyTestMain(m)
}

// patience bounds what should happen soon, on a machine that is busy.
const patience = 10 * time.Second

var loopback = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}

func newKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// start makes a Net on loopback without running it.
func start(t testing.TB, o Options) *Net {
	t.Helper()
	if o.Key == nil {
		o.Key = newKey(t)
	}
	if o.Listen == nil {
		o.Listen = loopback
	}
	if os.Getenv("KITH_TEST_LOG") != "" {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// running is a Net whose events are collected.
type running struct {
	*Net
	stop func()
	seen chan Event
}

// run runs n until the test ends or stop is called.
func run(t testing.TB, n *Net) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Net: n, seen: make(chan Event, 4096)}
	done := make(chan error, 1)
	read := make(chan struct{})
	go func() { done <- n.Run(ctx) }()
	go func() {
		defer close(read)
		for e := range n.Events() {
			r.seen <- e
		}
	}()
	ended := false
	r.stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		<-read
	}
	t.Cleanup(r.stop)
	return r
}

// expect waits for the next event of a kind about a device.
func (r *running) expect(t testing.TB, kind EventKind, id peer.ID) Event {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-r.seen:
			if e.Kind == kind && e.Device == id {
				return e
			}
			if e.Device == id && e.Kind != Learned {
				t.Fatalf("got %s, want %s", e.Kind, kind)
			}
		case <-timeout:
			t.Fatalf("no %s event within %s", kind, patience)
		}
	}
}

// quiet fails if something other than Learned has happened.
func (r *running) quiet(t testing.TB) {
	t.Helper()
	for {
		select {
		case e := <-r.seen:
			if e.Kind != Learned {
				t.Fatalf("unexpected %s", e.Kind)
			}
		default:
			return
		}
	}
}

// eventually waits until ok says so.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		<-tick.C
	}
}

func trust(t testing.TB, n *Net, others ...*Net) {
	t.Helper()
	for _, o := range others {
		if err := n.Trust(o.ID()); err != nil {
			t.Fatal(err)
		}
	}
}

// bare are the addresses of n without its ID.
func bare(n *Net) []string { return texts(n.listening()) }

// only are the addresses of n that have a protocol.
func only(n *Net, protocol string) []string { return having(bare(n), protocol) }

func having(addrs []string, protocol string) []string {
	return slices.DeleteFunc(addrs, func(s string) bool { return !slices.Contains(strings.Split(s, "/"), protocol) })
}
