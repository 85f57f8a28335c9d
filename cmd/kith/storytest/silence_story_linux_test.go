package storytest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestNothingLeavesTheLANUnlessItIsAskedTo has two devices pair, sync, lose
// each other, move and wait, in homes with routers that lead on, and looks at
// each packet that they send. Both have a second address, as with a VPN, where
// they must not look for each other; with lan-only not even if a ticket names
// it.
//
// The wait is short here, and minutes with -full; the timers of a whole day are
// a matter of the tests of package discovery.
func TestNothingLeavesTheLANUnlessItIsAskedTo(t *testing.T) {
	t.Parallel()
	t.Run("as it comes", func(t *testing.T) {
		t.Parallel()
		newQuiet(t).live(func(i invitation) string { return i.Code })
	})
	t.Run("lan-only", func(t *testing.T) {
		t.Parallel()
		newQuiet(t, "--lan-only", "--discovery", "private").live(func(i invitation) string { return i.Ticket })
	})
}

// nobody is an address that tests send to, to see that they see it.
const nobody = "11.250.0.9"

// quiet is two devices on a LAN, of which each packet is recorded.
type quiet struct {
	t             *testing.T
	w             *world
	laptop, phone *device
	taps          [2]*tap
}

func newQuiet(t *testing.T, flags ...string) *quiet {
	t.Helper()
	q := &quiet{t: t, w: newWorld(t)}
	home, hosts := q.w.behind(cone), [2]*namespace{q.w.host(), q.w.host()}
	for i, h := range hosts {
		q.taps[i] = h.tap(t, headOnly)
		home.plug(h)
		h.ip(t, "addr", "add", fmt.Sprintf("11.200.0.%d/32", i+1), "dev", "lo")
	}
	q.laptop, q.phone = newDevice(t, "laptop", hosts[0], flags...), newDevice(t, "phone", hosts[1], flags...)
	return q
}

// live is what happens to them. How they pair is told by what the phone is told.
func (q *quiet) live(told func(invitation) string) {
	t, laptop, phone := q.t, q.laptop, q.phone
	t.Helper()
	idle := time.Duration(size(3, 300)) * time.Second
	write(t, laptop.at("a file"), "some content")
	writeNoise(t, chance(t, "the file"), laptop.at("noise"), int64(size(1<<20, 64<<20)))
	laptop.start()
	phone.start()
	laptop.do(nil, "add", laptop.files, "--name", label)
	s := laptop.show("--share", label)
	phone.do(nil, "pair", told(s.invitation))
	if a := s.end(); a.code != 0 {
		t.Fatalf("pair: %s", a.err)
	}
	phone.accept()
	sameInTheEnd(t, phone, laptop, time.Minute)
	write(t, phone.at("another"), "more content")
	sameInTheEnd(t, laptop, phone, time.Minute)
	let(idle)
	for _, d := range []*device{phone, laptop} {
		d.stop()
		let(idle) // the other misses it
		d.start()
		sameInTheEnd(t, laptop, phone, time.Minute)
	}
	for _, c := range []string{"doctor", "devices", "status"} {
		if a := laptop.ask(c); a.code != 0 && a.code != 3 {
			t.Errorf("%s: exit code %d\n%s", a.command, a.code, a.err)
		}
	}
	other := q.w.behind(cone)
	other.plug(laptop.net)
	let(idle)
	other.plug(phone.net)
	sameInTheEnd(t, laptop, phone, time.Minute)
	laptop.stop()
	phone.stop()
	for i, d := range []*device{laptop, phone} {
		d.net.canary(t)
		q.taps[i].staysWithin(t, d.name)
	}
}

// canary sends a packet that leaves the LAN.
func (n *namespace) canary(t *testing.T) {
	t.Helper()
	n.talker(t, 0).say(addrPort(nobody, 9), "canary")
}

// staysWithin demands that nothing was sent to where it would leave the LAN:
// only to addresses on the home networks of the test, to broadcasts, and to
// multicast groups that no router passes on.
func (k *tap) staysWithin(t *testing.T, who string) {
	t.Helper()
	let(50 * time.Millisecond)
	var left []string
	packets, routed, seen := 0, 0, false
	k.each(func(p packet) {
		to := p.to()
		if !p.out || !to.IsValid() {
			return
		}
		packets++
		switch {
		case to.String() == nobody:
			seen = true
		case !onLAN4(to):
			left = append(left, p.String())
		case !p.onLink():
			routed++
			left = append(left, p.String())
		}
	})
	if !seen {
		t.Fatalf("%s: a packet that left the LAN was not seen", who)
	}
	if packets < 100 {
		t.Fatalf("%s: only %d packets were seen", who, packets)
	}
	t.Logf("%s has sent %d packets, %d of them to other private networks", who, packets, routed)
	if len(left) > 0 {
		t.Errorf("%s: %d packets would leave the LAN:\n%s", who, len(left), strings.Join(left[:min(len(left), 30)], "\n"))
	}
}

// onLAN4 tells whether what is sent there stays on the link.
func onLAN4(to netip.Addr) bool {
	return netip.MustParsePrefix("192.168.0.0/16").Contains(to) || to.IsLinkLocalUnicast() || to.IsLinkLocalMulticast() ||
		to == netip.MustParseAddr("255.255.255.255")
}

// onLink tells whether a packet goes to the network that it comes from.
func (p packet) onLink() bool {
	from, to := p.from(), p.to()
	if !to.Is4() || !to.IsPrivate() {
		return true // judged by onLAN4
	}
	net, err := from.Prefix(24)
	return err == nil && net.Contains(to)
}
