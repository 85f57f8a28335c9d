package storytest

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// wantList is how many bytes one request for blocks asks for.
const wantList = 4 << 20

// blow is something that befalls the way between two devices.
type blow struct {
	name string
	fall func()
}

// TestPathsThatBreakInMidTransferLoseNothing breaks the way, again and again, in
// the midst of a large file. Every time the devices find another way, and send
// less again than one want-list.
func TestPathsThatBreakInMidTransferLoseNothing(t *testing.T) {
	t.Parallel()
	t.Run("on a LAN", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		home := w.behind(cone)
		home.rate = pathRate
		other := w.behind(cone)
		other.rate = pathRate
		hosts := [2]*namespace{w.host(), w.host()}
		home.plug(hosts[0])
		home.plug(hosts[1])
		laptop, phone := newDevice(t, "laptop", hosts[0]), newDevice(t, "phone", hosts[1])
		share(t, laptop, phone)
		underBlows(t, laptop, phone, []blow{
			{"the phone's address changes", func() { home.readdress(hosts[1]) }},
			{"the laptop's link flaps", func() { home.flap(hosts[0], func() { let(100 * time.Millisecond) }) }},
			{"the laptop's address changes", func() { home.readdress(hosts[0]) }},
			{"the phone is plugged out and in", func() { home.plug(hosts[1]) }},
			{"the phone's link flaps", func() { home.flap(hosts[1], func() { let(time.Second) }) }},
			{"both move to another network", func() {
				home, other = other, home
				home.plug(hosts[0])
				home.plug(hosts[1])
			}},
		})
	})
	t.Run("between homes", func(t *testing.T) {
		t.Parallel()
		a := newParted(t, cone, cone)
		hosts, third := []*namespace{a.laptop.net, a.phone.net}, a.w.behind(cone)
		for _, p := range []*place{a.home, a.away, third} {
			p.rate = pathRate
		}
		a.home.plug(hosts[0])
		a.away.plug(hosts[1])
		a.laptop.goes(a.phone, patience, "direct")
		underBlows(t, a.laptop, a.phone, []blow{
			{"the phone's address changes", func() { a.away.readdress(hosts[1]) }},
			{"the laptop's router forgets", func() { a.home.home.rebind(t) }},
			{"the laptop's link flaps", func() { a.home.flap(hosts[0], func() { let(200 * time.Millisecond) }) }},
			{"the phone moves to another network", func() {
				a.away, third = third, a.away
				a.away.plug(hosts[1])
			}},
			{"the phone's router forgets", func() { a.away.home.rebind(t) }},
		})
	})
	t.Run("by a relay", func(t *testing.T) {
		t.Parallel()
		a := newParted(t, symmetric, symmetric)
		hosts := []*namespace{a.laptop.net, a.phone.net}
		a.home.rate, a.away.rate = pathRate, pathRate
		a.home.plug(hosts[0])
		a.away.plug(hosts[1])
		a.laptop.goes(a.phone, patience, "relay")
		underBlows(t, a.laptop, a.phone, []blow{
			{"the relay is killed", func() { a.server.kill(); a.server.start() }},
			{"the laptop's address changes", func() { a.home.readdress(hosts[0]) }},
			{"the phone's router forgets", func() { a.away.home.rebind(t) }},
			{"the phone's link flaps", func() { a.away.flap(hosts[1], func() { let(200 * time.Millisecond) }) }},
			{"the relay's cable is pulled for a moment", func() { a.public.flap(a.server.net, func() { let(300 * time.Millisecond) }) }},
		})
	})
}

const (
	pathRate = "50mbit"
	// storm is more attempts to connect than a device may make in ten seconds.
	storm = 60
	// tempest is the same while ways are punched through routers under a blow
	// each second or so: a dozen packets to each address, several times.
	tempest = 300
)

// underBlows has the phone fetch a large file of the laptop's while the blows
// fall, one after the other, each when the file is on its way again after the
// one before.
func underBlows(t *testing.T, laptop, phone *device, blows []blow) {
	t.Helper()
	r := chance(t, "the files, and the moments")
	calm := noise(r, 8<<20)
	sender, receiver := laptop.net.tap(t, headOnly), phone.net.tap(t, headOnly)
	write(t, laptop.at("calm"), string(calm))
	sameTrees(t, laptop, phone, time.Minute)
	each := float64(sender.out.Load()) / float64(len(calm)) // with all heads

	before, begun := sender.out.Load(), time.Now()
	n, bytes := size(len(blows), 20), int64(size(80<<20, 256<<20))
	writeNoise(t, r, laptop.at("large"), bytes)
	goesOn := func() error {
		since := receiver.in.Load()
		regularly(t, "the file to go on", patience, func() error {
			if _, err := os.Stat(phone.at("large")); err == nil {
				return nil // all of it has come
			}
			if came := receiver.in.Load() - since; came < 512<<10 {
				return fmt.Errorf("only %d bytes more have come; the laptop says %+v", came, laptop.route(phone))
			}
			return nil
		})
		_, err := os.Stat(phone.at("large"))
		return err
	}
	for i := range n {
		if goesOn() == nil {
			t.Fatalf("the file arrived before blow %d of %d", i+1, n)
		}
		let(between(r, 0, 300*time.Millisecond))
		b, was := blows[i%len(blows)], time.Now()
		b.fall()
		fell := time.Since(was)
		_ = goesOn()
		t.Logf("%5.1f s: %s (%.1f s): goes on after %.1f s, %s", was.Sub(begun).Seconds(), b.name, fell.Seconds(), (time.Since(was) - fell).Seconds(), laptop.route(phone).Addr)
	}
	sameInTheEnd(t, laptop, phone, 10*time.Minute)
	took := time.Since(begun)
	nothingLeft(t, laptop, phone)
	sent := sender.out.Load() - before
	again := (sent - int64(each*float64(bytes))) / int64(n)
	ours, theirs := sender.knocks(), receiver.knocks()
	t.Logf("%d bytes of payload and %d sent in %.1f s; %.3f for each is what it takes without blows: %d more for each of %d blows\n%s\n%s",
		bytes, sent, took.Seconds(), each, again, n, ours, theirs)
	if ours.most > tempest || theirs.most > tempest {
		t.Error("that is a storm")
	}
	if again >= wantList {
		t.Errorf("each blow costs %d bytes, a want-list or more", again)
	}
}

// TestABurstOfFlapsMakesNoStorm has the link go down and up ten times, with a
// transfer under way and without.
func TestABurstOfFlapsMakesNoStorm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := w.behind(cone)
	hosts := [2]*namespace{w.host(), w.host()}
	home.plug(hosts[0])
	home.plug(hosts[1])
	laptop, phone := newDevice(t, "laptop", hosts[0]), newDevice(t, "phone", hosts[1])
	share(t, laptop, phone)
	sameTrees(t, laptop, phone, time.Minute)
	r := chance(t, "the flaps")
	taps := [2]*tap{hosts[0].tap(t, headOnly), hosts[1].tap(t, headOnly)}
	for i := range 10 {
		home.flap(hosts[1], func() { let(between(r, 50*time.Millisecond, 400*time.Millisecond)) })
		if i%2 == 1 {
			home.readdress(hosts[1])
		}
		let(between(r, 100*time.Millisecond, 600*time.Millisecond))
		if i == 5 {
			write(t, phone.at("amid"), "the flaps")
		}
	}
	begun := time.Now()
	sameInTheEnd(t, phone, laptop, time.Minute)
	t.Logf("in sync %.1f s after the last flap", time.Since(begun).Seconds())
	let(3 * time.Second)
	for i, tap := range taps {
		knocks := tap.knocks()
		t.Logf("%s: %s", []string{"laptop", "phone"}[i], knocks)
		if knocks.most > storm {
			t.Error("that is a storm")
		}
	}
}

// TestASleepLosesNothing stops a device for longer than connections live, in
// the midst of a transfer.
func TestASleepLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := w.behind(cone)
	home.rate = pathRate
	hosts := [2]*namespace{w.host(), w.host()}
	home.plug(hosts[0])
	home.plug(hosts[1])
	laptop, phone := newDevice(t, "laptop", hosts[0]), newDevice(t, "phone", hosts[1])
	share(t, laptop, phone)
	r := chance(t, "the file")
	meter := laptop.net.tap(t, headOnly)
	bytes := int64(size(24<<20, 256<<20))
	writeNoise(t, r, laptop.at("large"), bytes)
	let(1500 * time.Millisecond)
	if _, err := os.Stat(phone.at("large")); err == nil {
		t.Fatal("the file arrived before the sleep")
	}
	signal := func(s syscall.Signal) {
		if err := phone.process.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	let(time.Duration(size(16, 90)) * time.Second)
	signal(syscall.SIGCONT)
	begun := time.Now()
	sameInTheEnd(t, laptop, phone, 2*time.Minute)
	sent, knocks := meter.out.Load(), meter.knocks()
	t.Logf("in sync %.1f s after waking up; %d bytes sent for %d; %s", time.Since(begun).Seconds(), sent, bytes, knocks)
	if sent > bytes*108/100+wantList {
		t.Errorf("a sleep costs %d bytes, a want-list or more", sent-bytes*108/100)
	}
	if knocks.all > 20 {
		t.Error("so often, to a device that sleeps")
	}
}
