package discovery

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery/rendezvous"
)

// onBoard are the options of a device that is found on a private DHT.
func onBoard(dir string, bootstrap ...string) Options {
	return Options{Beyond: true, Relay: RelayOff, Board: &BoardOptions{
		Mode: BoardPrivate, Dir: dir, Bootstrap: bootstrap, Listen: []string{"/ip4/127.0.0.1/tcp/0"},
	}}
}

// nodesOf waits until a device's board is in a DHT of so many others.
func nodesOf(t testing.TB, n *Net, others int) []string {
	t.Helper()
	var h BoardHealth
	eventually(t, "the board is in the DHT", func() bool {
		h, _ = n.Board()
		return h.Nodes >= others && len(h.Addrs) > 0
	})
	return h.Addrs
}

func TestDevicesThatKnowNoAddressMeetByTheBoard(t *testing.T) {
	t.Parallel()
	entry := run(t, start(t, onBoard("")))
	where := nodesOf(t, entry.Net, 0)
	var all []*running
	for range 4 {
		all = append(all, run(t, start(t, onBoard("", where...))))
	}
	begun := time.Now()
	for i, a := range all {
		for _, b := range all[:i] {
			trust(t, a.Net, b.Net)
			trust(t, b.Net, a.Net)
		}
	}
	for _, a := range all {
		for _, b := range all {
			if a != b {
				eventually(t, "all are connected", func() bool { return connectedTo(a.Net, b.ID()) })
			}
		}
	}
	t.Logf("all met after %s", time.Since(begun))
}

func connectedTo(n *Net, id peer.ID) bool {
	for _, p := range n.Peers() {
		if p.Device == id {
			return p.Connected
		}
	}
	return false
}

// The DHT on which they find each other is told of by a device that they both
// know, and which then goes. A fourth one is in the DHT and stores for them.
func TestDevicesThatShareAnAcquaintanceMeetThoughItIsGone(t *testing.T) {
	t.Parallel()
	third := run(t, start(t, onBoard("")))
	others := [2]*running{run(t, start(t, onBoard(""))), run(t, start(t, onBoard("")))}
	witness := run(t, start(t, onBoard("")))
	for _, n := range append(others[:], witness) {
		trust(t, n.Net, third.Net)
		trust(t, third.Net, n.Net)
		n.Remember(third.ID(), bare(third.Net))
		nodesOf(t, n.Net, 1)
	}
	a, b := others[0], others[1]
	a.expect(t, Connected, third.ID())
	third.stop()
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	eventually(t, "they are connected", func() bool { return connectedTo(a.Net, b.ID()) && connectedTo(b.Net, a.ID()) })
	t.Logf("met after %s", time.Since(begun))
}

func TestADeviceThatComesBackElsewhereIsFound(t *testing.T) {
	t.Parallel()
	dir, key := t.TempDir(), newKey(t)
	entry := run(t, start(t, onBoard("")))
	where := nodesOf(t, entry.Net, 0)
	a := run(t, start(t, onBoard("", where...)))
	o := onBoard(dir, where...)
	o.Key = key
	b := run(t, start(t, o))
	trust(t, a.Net, b.Net)
	trust(t, b.Net, a.Net)
	a.expect(t, Connected, b.ID())
	eventually(t, "the nodes are kept", func() bool { h, _ := b.Board(); return h.Known >= 3 })

	b.stop()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	entry.stop()
	a.expect(t, Disconnected, b.ID())

	o = onBoard(dir) // without a bootstrap, and knowing nothing of a but its ID
	o.Key = key
	back := run(t, start(t, o))
	begun := time.Now()
	trust(t, back.Net, a.Net)
	back.expect(t, Connected, a.ID())
	a.expect(t, Connected, b.ID())
	t.Logf("found after %s", time.Since(begun))
	if n, err := back.LookUp(t.Context(), a.ID()); err != nil || n == 0 {
		t.Errorf("%d addresses, %v", n, err)
	}
}

func TestWithoutDiscoveryThereIsNoBoard(t *testing.T) {
	t.Parallel()
	lan := onBoard("")
	lan.LANOnly = true
	for name, o := range map[string]Options{"off": {}, "off, though one is described": {Board: onBoard("").Board}, "lan only": lan} {
		n := run(t, start(t, o))
		if h, ok := n.Board(); ok || h.Sent != 0 {
			t.Errorf("%s: %+v", name, h)
		}
		if err := n.AnnouncePlate(t.Context(), 1, func() {}); !errors.Is(err, ErrNoBoard) {
			t.Errorf("%s: %v", name, err)
		}
		if err := n.FindPlate(t.Context(), 1, func(peer.AddrInfo) {}); !errors.Is(err, ErrNoBoard) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := n.LookUp(t.Context(), n.ID()); !errors.Is(err, ErrNoBoard) {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range n.Host().Mux().Protocols() {
			if p == boardID {
				t.Errorf("%s: others are told of nodes", name)
			}
		}
	}
}

func TestADeviceIsFoundByTheNumberOfItsPlate(t *testing.T) {
	t.Parallel()
	entry := run(t, start(t, onBoard("")))
	where := nodesOf(t, entry.Net, 0)
	a, b := run(t, start(t, onBoard("", where...))), run(t, start(t, onBoard("", where...)))
	ctx, cancel := context.WithCancel(t.Context())
	published, over := make(chan struct{}, 1), make(chan error, 1)
	go func() { over <- a.AnnouncePlate(ctx, 123456789, func() { nudge(published) }) }()
	select {
	case <-published:
	case <-time.After(patience):
		t.Fatal("not published")
	}
	var found []peer.AddrInfo
	if err := b.FindPlate(t.Context(), 123456789, func(i peer.AddrInfo) { found = append(found, i) }); err != nil || len(found) != 1 || found[0].ID != a.ID() || len(found[0].Addrs) != 2 {
		t.Errorf("%v, %v", found, err)
	}
	if err := b.FindPlate(t.Context(), 123456780, func(i peer.AddrInfo) { t.Error("under another number:", i) }); !errors.Is(err, ErrNothing) {
		t.Error(err)
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
}

func TestAPlateThatNobodyCanSeeSaysWhy(t *testing.T) {
	t.Parallel()
	a := run(t, start(t, onBoard("")))
	nodesOf(t, a.Net, 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := a.AnnouncePlate(ctx, 123456789, func() { t.Error("published, to nobody") }); !errors.Is(err, ErrAlone) {
		t.Error(err)
	}
}

func TestNoticesArePublishedWhenTheyAreDue(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	noon := day.Add(12 * time.Hour)
	told := tidings{told: "here", toldDay: dayOf(noon), toldAt: noon}
	late := tidings{told: "here", toldDay: dayOf(noon), toldAt: day.Add(22 * time.Hour)}
	failed := tidings{nextTell: noon.Add(time.Minute)}
	for name, c := range map[string]struct {
		book tidings
		s    situation
		want time.Time
		ever bool
	}{
		"never told":                        {tidings{}, situation{say: "here", saidAt: noon}, noon.Add(tellSettle), true},
		"told, and nothing new":             {told, situation{say: "here"}, noon.Add(tellEvery), true},
		"told late, so the day comes first": {late, situation{say: "here", lag: time.Minute}, day.Add(24*time.Hour + time.Minute), true},
		"elsewhere":                         {told, situation{say: "there", saidAt: noon.Add(time.Hour)}, noon.Add(time.Hour + tellSettle), true},
		"nowhere":                           {told, situation{}, time.Time{}, false},
		"at it already":                     {tidings{telling: true}, situation{say: "here"}, time.Time{}, false},
		"failed":                            {failed, situation{say: "here", saidAt: noon}, noon.Add(time.Minute), true},
	} {
		if at, ever := c.book.tellDue(c.s); ever != c.ever || ever && !at.Equal(c.want) {
			t.Errorf("%s: %s, %t; want %s, %t", name, at, ever, c.want, c.ever)
		}
	}
}

func TestAMissingDeviceIsLookedForAtOnceAndThenEverLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b tidings
		if _, ever := b.lookDue(); ever {
			t.Error("one that is not missing is looked for")
		}
		gone := time.Now()
		b.update(situation{now: gone, missing: true})
		var looks []time.Duration
		for now := gone; now.Sub(gone) < 24*time.Hour; {
			at, ever := b.lookDue()
			if !ever {
				t.Fatal("given up")
			}
			now = at
			looks = append(looks, now.Sub(gone))
			b.looked(now)
		}
		if looks[0] != 0 || looks[1] > 3*time.Second || looks[2] > 8*time.Second {
			t.Errorf("the first looks: %v", looks[:3])
		}
		hour := 0
		for i, at := range looks {
			if at < time.Hour {
				hour++
			}
			if i > 0 && at-looks[i-1] > lookRare*5/4 {
				t.Errorf("%s between two", at-looks[i-1])
			}
		}
		if hour > 25 || len(looks) > 150 {
			t.Errorf("%d looks in an hour, %d in a day", hour, len(looks))
		}
		t.Logf("%d looks in an hour, %d in a day", hour, len(looks))
		b.restart(gone.Add(24 * time.Hour))
		if at, _ := b.lookDue(); at.After(gone.Add(24 * time.Hour)) {
			t.Error("not at once on another network")
		}
		b.update(situation{missing: false})
		if _, ever := b.lookDue(); ever {
			t.Error("one that is back is looked for")
		}
	})
}

func TestWhatHasFailedIsToldAgainBeforeLong(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var b tidings
	for i := range 30 {
		b.toldIt("here", now, now, false)
		wait := b.nextTell.Sub(now)
		if wait < time.Second || wait > tellLast*5/4 {
			t.Fatalf("after %d failures: %s", i+1, wait)
		}
		now = b.nextTell
	}
	b.toldIt("here", now, now, true)
	if at, ever := b.tellDue(situation{now: now, say: "here"}); !ever || at.Before(now.Add(time.Hour)) {
		t.Error(at, ever)
	}
}

// The answer of one that cannot reach the other is all that the other learns.
func TestNodesAreToldOverEveryTransport(t *testing.T) {
	t.Parallel()
	for _, listen := range loopback {
		o := onBoard("")
		o.Listen = []string{listen}
		a, b := run(t, start(t, o)), run(t, start(t, o))
		trust(t, a.Net, b.Net)
		trust(t, b.Net, a.Net)
		where := nodesOf(t, a.Net, 0)
		nodesOf(t, b.Net, 0)
		told := make(chan []string, 8)
		a.Host().SetStreamHandler(boardID, func(s network.Stream) { // a answers only, and closes at once
			_, _ = rendezvous.ReadNodes(s)
			_ = rendezvous.WriteNodes(s, where)
			_ = s.Close()
			told <- where
		})
		a.Remember(b.ID(), bare(b.Net))
		a.expect(t, Connected, b.ID())
		<-told
		nodesOf(t, b.Net, 1)
	}
}
