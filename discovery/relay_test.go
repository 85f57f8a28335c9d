package discovery

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	hop "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	ma "github.com/multiformats/go-multiaddr"
)

const bulkID protocol.ID = "/kith/test-bulk/1"

// sever cuts every direct way between a device and another, in both directions,
// until the function it gives is called.
func sever(a, b *Net) (mend func()) {
	cut := make(chan struct{})
	for _, pair := range [][2]*Net{{a, b}, {b, a}} {
		me, other := pair[0], pair[1].ID()
		before := me.gate.severed
		me.gate.severed = func(id peer.ID, addr ma.Multiaddr) bool {
			select {
			case <-cut:
				return before(id, addr)
			default:
				return id == other && !isCircuit(addr) || before(id, addr)
			}
		}
	}
	return func() { close(cut) }
}

// trio are two devices that do not reach each other and one that reaches both and
// relays. None runs yet.
func trio(t *testing.T) (a, b, r *Net, mend func()) {
	t.Helper()
	a, b = start(t, Options{Beyond: true, Relay: RelayOff}), start(t, Options{Beyond: true, Relay: RelayOff})
	r = start(t, Options{Beyond: true, Relay: RelayOn})
	mend = sever(a, b)
	trust(t, a, b, r)
	trust(t, b, a, r)
	trust(t, r, a, b)
	a.Remember(r.ID(), bare(r))
	b.Remember(r.ID(), bare(r))
	return a, b, r, mend
}

func TestTwoDevicesMeetThroughARelay(t *testing.T) {
	t.Parallel()
	na, nb, nr, _ := trio(t)
	a, b := run(t, na), run(t, nb)
	run(t, nr)
	from := time.Now()
	e := a.expect(t, Connected, b.ID())
	if e.Route.Via != ViaRelay || e.Route.Relay != nr.ID() || e.Route.Transport != TCP {
		t.Errorf("route %+v, want by the relay %s", e.Route, nr.ID())
	}
	if e := b.expect(t, Connected, a.ID()); e.Route.Via != ViaRelay || e.Route.Relay != nr.ID() {
		t.Errorf("route %+v, want by the relay", e.Route)
	}
	t.Logf("met after %s", time.Since(from))
	eventually(t, "one connection is left", func() bool {
		return len(na.Host().Network().ConnsToPeer(b.ID())) == 1 && len(nb.Host().Network().ConnsToPeer(a.ID())) == 1
	})
	if far := na.Far(); len(far.Berths) != 1 || !far.Berths[0].Held || far.Berths[0].Relay != nr.ID() {
		t.Errorf("places with relays: %+v", far.Berths)
	}
	if far := nr.Far(); !far.Relaying {
		t.Error("the relay does not say so")
	}
}

// TestTheRelayThatADeviceWasReachedByIsRemembered has the relay end its service,
// take it up again, and go.
func TestTheRelayThatADeviceWasReachedByIsRemembered(t *testing.T) {
	t.Parallel()
	na, nb, nr, _ := trio(t)
	a, b, r := run(t, na), run(t, nb), run(t, nr)
	a.expect(t, Connected, b.ID())
	if w := na.Whereabouts(nb.ID()); w.Relay != "" || w.Relays {
		t.Errorf("connected, and yet %+v", w)
	}
	nr.SetRelay(RelayOff)
	eventually(t, "the relay tells that it is none", func() bool {
		na.mu.Lock()
		defer na.mu.Unlock()
		return !na.devices[nr.ID()].hops
	})
	_ = na.swarm.ClosePeer(nb.ID())
	a.expect(t, Disconnected, b.ID())
	if w := na.Whereabouts(nb.ID()); w.Relay != nr.ID() || w.Relays {
		t.Errorf("it relays no more, and yet %+v", w)
	}
	nr.SetRelay(RelayOn)
	a.expect(t, Connected, b.ID())
	r.stop()
	if err := nr.Host().Close(); err != nil {
		t.Fatal(err)
	}
	a.expect(t, Disconnected, b.ID())
	eventually(t, "it is remembered by which relay b was reached", func() bool {
		w := na.Whereabouts(nb.ID())
		return w.Relay == nr.ID() && !w.Relays
	})
	if w := na.Whereabouts(nr.ID()); w.Relay != "" {
		t.Errorf("the relay itself was not reached by one, and yet %+v", w)
	}
}

// bulk sends what it reads of a source on one stream and gives the sum that the
// other side has made of it.
func bulk(ctx context.Context, n *Net, to peer.ID, source io.Reader) (string, error) {
	s, err := n.Host().NewStream(network.WithNoDial(ctx, "test"), to, bulkID)
	if err != nil {
		return "", err
	}
	defer func() { _ = s.Close() }()
	if _, err := io.Copy(s, source); err != nil {
		return "", err
	}
	if err := s.CloseWrite(); err != nil {
		return "", err
	}
	sum, err := io.ReadAll(s)
	return hex.EncodeToString(sum), err
}

func serveBulk(n *Net) {
	n.Host().SetStreamHandler(bulkID, func(s network.Stream) {
		h := sha256.New()
		if _, err := io.Copy(h, s); err != nil {
			_ = s.Reset()
			return
		}
		_, _ = s.Write(h.Sum(nil))
		_ = s.Close()
	})
}

// hinge calls turn when half of size has gone through it, and sums up.
type hinge struct {
	io.Reader
	size, done int64
	turn       func()
}

func (h *hinge) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	before := h.done
	h.done += int64(n)
	if before < h.size/2 && h.done >= h.size/2 {
		h.turn()
	}
	return n, err
}

func TestADirectConnectionTakesOverInTheMiddleOfATransfer(t *testing.T) {
	t.Parallel()
	na, nb, nr, mend := trio(t)
	serveBulk(nb)
	a, b := run(t, na), run(t, nb)
	run(t, nr)
	a.expect(t, Connected, b.ID())
	b.expect(t, Connected, a.ID())

	const size = 64 << 20
	sum := sha256.New()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	source := &hinge{Reader: io.TeeReader(io.LimitReader(rand.Reader, size), sum), size: size, turn: func() {
		mend()
		a.Remember(b.ID(), bare(nb))
		if e := a.expect(t, Rerouted, b.ID()); e.Route.Via != ViaLAN || e.Route.Relay != "" {
			t.Errorf("route %+v, want a direct one", e.Route)
		}
		b.expect(t, Rerouted, a.ID())
	}}
	got, err := bulk(ctx, na, b.ID(), source)
	if err != nil {
		t.Fatal(err)
	}
	if want := hex.EncodeToString(sum.Sum(nil)); got != want {
		t.Errorf("%s arrived, want %s", got, want)
	}
	from := time.Now()
	eventually(t, "the relay is given up", func() bool {
		c := na.Host().Network().ConnsToPeer(b.ID())
		return len(c) == 1 && !isCircuit(c[0].RemoteMultiaddr())
	})
	t.Logf("given up after %s", time.Since(from))
	a.quiet(t)
	b.quiet(t)
}

func TestARelayServesPairedDevicesAlone(t *testing.T) {
	t.Parallel()
	n := run(t, start(t, Options{Beyond: true, Relay: RelayOn}))
	eventually(t, "it relays", func() bool { return n.Far().Relaying })
	paired := start(t, Options{Beyond: true})
	trust(t, n.Net, paired)
	outsider := stranger(t, libp2p.EnableRelay())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := client.Reserve(ctx, outsider, peer.AddrInfo{ID: n.ID(), Addrs: n.listening()}); err == nil {
		t.Error("a stranger got a place with the relay")
	}
	// Nor while pairing lets strangers in.
	n.OpenDoor()
	c, ok := knock(t, outsider, n.Net, tcpOf(n.Net))
	if !ok {
		t.Fatal("not let in at the open door")
	}
	if _, err := speak(t, c, hop.ProtoIDv2Hop); err == nil {
		t.Error("a stranger may speak to the relay")
	}
	m := members{n.gate}
	if m.AllowReserve(outsider.ID(), nil) || m.AllowConnect(outsider.ID(), nil, paired.ID()) || m.AllowConnect(paired.ID(), nil, outsider.ID()) {
		t.Error("the relay's list lets strangers through")
	}
	if !m.AllowReserve(paired.ID(), nil) {
		t.Error("the relay's list refuses a paired device")
	}
}

// Two devices that are paired with the relay, but not with each other.
func TestThroughARelayAStrangerIsAStranger(t *testing.T) {
	t.Parallel()
	na, nb, nr := start(t, Options{Beyond: true}), start(t, Options{Beyond: true}), start(t, Options{Beyond: true, Relay: RelayOn})
	mend := sever(na, nb)
	defer mend()
	trust(t, nr, na, nb)
	trust(t, nb, nr)
	trust(t, na, nr, nb) // b does not trust a
	na.Remember(nr.ID(), bare(nr))
	nb.Remember(nr.ID(), bare(nr))
	a, b := run(t, na), run(t, nb)
	run(t, nr)
	a.expect(t, Connected, nr.ID())
	b.expect(t, Connected, nr.ID())
	eventually(t, "both have a place", func() bool { return len(na.far.held())+len(nb.far.held()) == 2 })
	eventually(t, "a was refused", func() bool {
		na.mu.Lock()
		defer na.mu.Unlock()
		return na.devices[nb.ID()].failures >= 2
	})
	if got := len(nb.Host().Network().ConnsToPeer(na.ID())); got != 0 {
		t.Errorf("%d connections with a stranger", got)
	}
	a.quiet(t)
	b.quiet(t)
}

func TestWithDiscoveryOffNoRelayIsUsed(t *testing.T) {
	t.Parallel()
	na, nb, nr := start(t, Options{}), start(t, Options{Beyond: true}), start(t, Options{Beyond: true, Relay: RelayOn})
	mend := sever(na, nb)
	defer mend()
	trust(t, na, nb, nr)
	trust(t, nb, na, nr)
	trust(t, nr, na, nb)
	na.Remember(nr.ID(), bare(nr))
	nb.Remember(nr.ID(), bare(nr))
	a, b := run(t, na), run(t, nb)
	run(t, nr)
	a.expect(t, Connected, nr.ID())
	b.expect(t, Connected, nr.ID())
	eventually(t, "b has a place and has tried", func() bool {
		if len(nb.far.held()) != 1 {
			return false
		}
		nb.mu.Lock()
		defer nb.mu.Unlock()
		return nb.devices[na.ID()].failures >= 2
	})
	if far := na.Far(); far.Beyond || len(far.Berths)+len(far.Mirrored)+len(far.Calls) != 0 {
		t.Errorf("off, and yet %+v", far)
	}
	a.quiet(t)
	b.quiet(t)

	a.Widen(Wide{})
	a.expect(t, Connected, nb.ID())
	b.expect(t, Connected, na.ID())
}
