package storytest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTwoDevicesBehindRoutersReachEachOther has a phone leave home. Where the
// routers let them, the two devices reach each other directly, elsewhere by a
// server that is paired with both, and which learns nothing of what they share.
func TestTwoDevicesBehindRoutersReachEachOther(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		one, two translation
		way      string
		always   bool // not with -full only
	}{
		{cone, cone, "direct", true}, {symmetric, symmetric, "relay", true}, {cone, symmetric, "relay", false},
		{symmetric, open, "direct", false},
	} {
		t.Run(fmt.Sprintf("%s and %s", c.one, c.two), func(t *testing.T) {
			if !c.always && !*full {
				t.Skip("one of each outcome will do: the others with -full")
			}
			t.Parallel()
			a := newParted(t, c.one, c.two)
			a.plant(a.laptop, 1<<20)
			sameTrees(t, a.laptop, a.phone, time.Minute)
			if r := a.laptop.route(a.phone); r.Via != "lan" {
				t.Errorf("on one network they are connected by %+v", r)
			}

			a.away.plug(a.phone.net)
			t.Logf("found again, by any way, %.1f s after the move", a.laptop.goes(a.phone, patience, "relay", "direct").Seconds())
			a.plant(a.laptop, int64(size(16<<20, 256<<20)))
			a.plant(a.phone, 100<<10)
			begun := time.Now()
			sameInTheEnd(t, a.laptop, a.phone, 10*time.Minute)
			t.Logf("the same again after %.1f s", time.Since(begun).Seconds())
			t.Logf("by %s %.1f s later", c.way, a.laptop.goes(a.phone, patience, c.way).Seconds())
			a.plant(a.phone, 1<<20)
			sameTrees(t, a.phone, a.laptop, time.Minute)
			if r := a.laptop.route(a.phone); r.Via != c.way {
				t.Errorf("in the end they are connected by %+v, want %s", r, c.way)
			}
			nothingLeft(t, a.laptop, a.phone)
			a.unknownToServer()
		})
	}
}

// TestADeviceThatComesHomeIsReachedOnTheLANAgain moves the phone away and back.
func TestADeviceThatComesHomeIsReachedOnTheLANAgain(t *testing.T) {
	t.Parallel()
	a := newParted(t, cone, cone)
	for i := range size(1, 5) {
		a.away.plug(a.phone.net)
		took := a.laptop.goes(a.phone, patience, "relay", "direct")
		write(t, a.phone.at("from away"), fmt.Sprintf("the phone was away %d times", i+1))
		sameInTheEnd(t, a.phone, a.laptop, time.Minute)
		a.home.plug(a.phone.net)
		back := a.laptop.goes(a.phone, patience, "lan")
		write(t, a.laptop.at("from home"), fmt.Sprintf("the phone was at home %d times", i+1))
		sameInTheEnd(t, a.laptop, a.phone, time.Minute)
		t.Logf("found %.1f s after it had left, and %.1f s after it had come back", took.Seconds(), back.Seconds())
	}
}

// TestTheServerMayMoveAndStartAnew has what all go through change.
func TestTheServerMayMoveAndStartAnew(t *testing.T) {
	t.Parallel()
	a := newParted(t, symmetric, symmetric)
	a.away.plug(a.phone.net)
	a.laptop.goes(a.phone, patience, "relay")
	for _, c := range []struct {
		what string
		do   func()
	}{
		{"started anew", func() { a.server.kill(); a.server.start() }},
		{"away for a while", func() { a.server.stop(); let(5 * time.Second); a.server.start() }},
	} {
		c.do()
		write(t, a.phone.at(c.what), c.what)
		begun := time.Now()
		sameInTheEnd(t, a.phone, a.laptop, 2*time.Minute)
		t.Logf("the server was %s: in sync after %.1f s", c.what, time.Since(begun).Seconds())
		a.laptop.goes(a.phone, patience, "relay")
	}
}

// TestAServerThatMayNotRelayDoesNot has the devices say so.
func TestAServerThatMayNotRelayDoesNot(t *testing.T) {
	t.Parallel()
	a := newParted(t, symmetric, symmetric, "--relay", "off")
	a.away.plug(a.phone.net)
	a.laptop.goes(a.server, patience, "direct")
	a.phone.goes(a.server, patience, "direct")
	regularly(t, "the laptop to miss the phone", patience, func() error {
		if a.laptop.route(a.phone).Connected {
			return errConnected
		}
		return nil
	})
	let(time.Duration(size(2, 60)) * time.Second)
	if r := a.laptop.route(a.phone); r.Connected {
		t.Errorf("there is no way, but they are connected by %+v", r)
	}
	d := a.laptop.askPlainly("doctor")
	if d.code != 3 || !strings.Contains(string(d.out), "no connected device relays") {
		t.Errorf("doctor does not say, with exit code %d, that nobody relays:\n%s", d.code, d.out)
	}
}

// TestDevicesThatHaveBothMovedFindEachOther has laptop and phone, which are on
// public networks, move to others while neither of them runs. None of them has
// heard of the other's new address but by the private DHT, of which the server
// is all there is besides them. It relays nothing.
func TestDevicesThatHaveBothMovedFindEachOther(t *testing.T) {
	t.Parallel()
	a := newParted(t, cone, cone, "--relay", "off")
	movers := []*device{a.laptop, a.phone}
	for range size(1, 3) {
		for _, d := range movers {
			d.stop()
		}
		for _, d := range movers {
			a.w.public().plug(d.net)
			d.start()
		}
		t.Logf("found %.1f s after both were started elsewhere", a.laptop.goes(a.phone, patience, "direct").Seconds())
		a.plant(a.phone, 1<<20)
		sameInTheEnd(t, a.laptop, a.phone, time.Minute)
	}
	a.unknownToServer()
}
