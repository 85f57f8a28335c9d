package storytest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

// talker is a UDP socket within a namespace.
type talker struct {
	t    *testing.T
	conn *net.UDPConn
}

func (n *namespace) talker(t *testing.T, port int) *talker {
	t.Helper()
	k := &talker{t: t}
	err := n.inside(func() (err error) {
		k.conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.conn.Close() })
	return k
}

func (k *talker) say(to netip.AddrPort, text string) {
	k.t.Helper()
	if _, err := k.conn.WriteToUDPAddrPort([]byte(text), to); err != nil {
		k.t.Fatal(err)
	}
}

// hears is what comes next and from where, or nothing if nothing comes.
func (k *talker) hears() (string, netip.AddrPort) {
	k.t.Helper()
	if err := k.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		k.t.Fatal(err)
	}
	b := make([]byte, 1500)
	n, from, err := k.conn.ReadFromUDPAddrPort(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", from
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return string(b[:n]), from
}

func addrPort(address string, port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(address), uint16(port))
}

// TestTheLabIsAWorldOfHomesAndPublicHosts shows that what the stories beyond
// the LAN take for granted is so.
func TestTheLabIsAWorldOfHomesAndPublicHosts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		one, other translation
		punches    bool
	}{
		{cone, cone, true}, {cone, open, true}, {open, symmetric, true}, {cone, symmetric, false}, {symmetric, symmetric, false},
	} {
		t.Run(fmt.Sprintf("%s and %s", c.one, c.other), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a, b, p := w.host(), w.host(), w.host()
			w.behind(c.one).plug(a)
			w.behind(c.other).plug(b)
			w.public().plug(p)
			ka, kb, kp := a.talker(t, 4001), b.talker(t, 4002), p.talker(t, 4003)
			seenAs := func(k *talker) netip.AddrPort {
				k.say(addrPort(p.address, 4003), "where am I?")
				text, from := kp.hears()
				if text == "" {
					t.Fatal("a host behind a router does not reach a public one")
				}
				return from
			}
			fromA, fromB := seenAs(ka), seenAs(kb)
			if fromA.Addr().String() == a.address || fromA.Addr() == fromB.Addr() {
				t.Fatalf("seen as %s and %s: no address is translated", fromA, fromB)
			}
			if again := seenAs(ka); again != fromA {
				t.Errorf("seen as %s, then as %s", fromA, again)
			}
			stranger := w.host()
			w.public().plug(stranger)
			stranger.talker(t, 4004).say(fromA, "unasked")
			if text, _ := ka.hears(); (text != "") != (c.one == open) {
				t.Errorf("%s: of a stranger it hears %q", c.one, text)
			}
			// Twice: the first of the one that is early is lost, and that must not
			// spoil what follows. Who hears something answers to where it is from.
			heard := false
			for range 2 {
				ka.say(fromB, "knock")
				kb.say(fromA, "knock")
				text, of := ka.hears()
				if text != "" {
					ka.say(of, "answer")
				}
				other, _ := kb.hears()
				heard = heard || text != "" && other != ""
			}
			if heard != c.punches {
				t.Errorf("punched: %t, want %t", heard, c.punches)
			}
		})
	}
}

func TestARouterOfTheLabForgetsAndAHostMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, p := w.host(), w.host(), w.host()
	one, two := w.behind(cone), w.behind(cone)
	one.plug(a)
	two.plug(b)
	w.public().plug(p)
	kp := p.talker(t, 4003)
	seen := func(n *namespace) netip.AddrPort {
		t.Helper()
		k := n.talker(t, 4001)
		defer func() { _ = k.conn.Close() }()
		k.say(addrPort(p.address, 4003), "here")
		text, from := kp.hears()
		if text == "" {
			t.Fatal("nothing comes")
		}
		return from
	}
	before := seen(a)
	one.home.rebind(t)
	after := seen(a)
	if before.Addr() != after.Addr() || before.Port() == after.Port() {
		t.Errorf("seen as %s before the router forgot, as %s after", before, after)
	}
	two.plug(a)
	if from := seen(a); from.Addr().String() != two.home.address() {
		t.Errorf("after the move seen as %s, not as %s", from, two.home.address())
	}
	// On one network now, they need no router.
	kb := b.talker(t, 4005)
	a.talker(t, 4006).say(addrPort(b.address, 4005), "neighbour")
	if text, from := kb.hears(); text != "neighbour" || from.Addr().String() != a.address {
		t.Errorf("hears %q of %s", text, from)
	}
	two.flap(a, func() {})
	if from := seen(a); from.Addr().String() != two.home.address() {
		t.Errorf("after a flap seen as %s", from)
	}
	two.readdress(a)
	if from := seen(a); from.Addr().String() != two.home.address() {
		t.Errorf("with another address seen as %s", from)
	}
}
