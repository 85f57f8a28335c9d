package storytest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var upFlags = flag.String("flags", "", "give the devices of stories beyond the LAN more flags, like --log-level=debug (see -keep)")

// parted is a laptop and a phone that share a folder, each in a home of its own,
// and a server on the public internet that is paired with both and a member of
// nothing. All names and contents of the folder are secrets.
type parted struct {
	t                     *testing.T
	w                     *world
	home, away, public    *place
	laptop, phone, server *device
	secrets               *secrets
	label                 string
	wire                  *tap // what the server sees
}

// serverPort is where the server listens, as its owner has set.
const serverPort = "4001"

// newParted pairs the three, and has the folder known to the laptop and the phone
// while the phone is still at the laptop's home.
func newParted(t *testing.T, one, two translation, serverFlags ...string) *parted {
	t.Helper()
	a := newStrangers(t, one, two, serverFlags...)
	a.shareOnLAN()
	return a
}

// newStrangers has the laptop and the phone paired with the server, but not with
// each other. The phone is at the laptop's home.
func newStrangers(t *testing.T, one, two translation, serverFlags ...string) *parted {
	t.Helper()
	w := newWorld(t)
	a := &parted{t: t, w: w, home: w.behind(one), away: w.behind(two), public: w.public(), secrets: newSecrets(chance(t, "what is planted"))}
	a.label = a.secrets.word("the label")
	host := func(at *place) *namespace {
		n := w.host()
		at.plug(n)
		return n
	}
	more := strings.Fields(*upFlags)
	mobile := append([]string{"--discovery", "private", "--port-mapping=false"}, more...)
	a.laptop, a.phone = newDevice(t, "laptop", host(a.home), mobile...), newDevice(t, "phone", host(a.home), mobile...)
	serverFlags = append(serverFlags, more...)
	a.server = newDevice(t, "server", host(a.public), append([]string{"--discovery", "private", "--port-mapping=false",
		"--listen", "/ip4/0.0.0.0/tcp/" + serverPort, "--listen", "/ip4/0.0.0.0/udp/" + serverPort + "/quic-v1"}, serverFlags...)...)
	a.wire = a.server.net.tap(t, wholePacket)
	for _, d := range a.all() {
		d.start()
	}
	for _, d := range []*device{a.laptop, a.phone} {
		befriend(t, a.server, d, "--at", a.serverAt())
	}
	return a
}

func (a *parted) all() []*device { return []*device{a.laptop, a.phone, a.server} }

func (a *parted) serverAt() string {
	return "/ip4/" + a.server.net.address + "/udp/" + serverPort + "/quic-v1"
}

// shareOnLAN pairs laptop and phone, which sees the laptop on its own network,
// and has the folder set up on both.
func (a *parted) shareOnLAN() {
	a.t.Helper()
	s := a.show()
	a.phone.do(nil, "pair", s.Code)
	a.set(s)
}

// show has the laptop show what another needs to pair, and offer the folder.
func (a *parted) show(args ...string) *showing {
	a.t.Helper()
	name := a.secrets.word("the first file's name")
	write(a.t, a.laptop.at(name), a.secrets.word("the first file's content"))
	a.laptop.do(nil, "add", a.laptop.files, "--name", a.label)
	return a.laptop.show(append([]string{"--share", a.label}, args...)...)
}

// set ends a pairing, and has the phone take what it was offered.
func (a *parted) set(s *showing) {
	a.t.Helper()
	if e := s.end(); e.code != 0 {
		a.t.Fatalf("pair: %s", e.err)
	}
	regularly(a.t, "the offer", patience, func() error {
		if e := a.phone.ask("accept", a.label, a.phone.files); e.code != 0 {
			return fmt.Errorf("%s", e.err)
		}
		return nil
	})
	sameInTheEnd(a.t, a.phone, a.laptop, time.Minute)
}

// befriend pairs two devices that share nothing.
func befriend(t *testing.T, shower, user *device, args ...string) {
	t.Helper()
	s := shower.show()
	user.do(nil, append([]string{"pair", s.Code}, args...)...)
	if a := s.end(); a.code != 0 {
		t.Fatalf("%s: kith pair ended with exit code %d\n%s", shower.name, a.code, a.err)
	}
}

// route is how a device is connected with another.
type route struct {
	Connected                    bool
	Device, Via, Transport, Addr string
}

// route asks the device how it is connected with another.
func (d *device) route(to *device) route {
	d.t.Helper()
	var all struct{ Devices []route }
	d.do(&all, "devices")
	for _, r := range all.Devices {
		if r.Device == to.ready.Device {
			return r
		}
	}
	return route{}
}

// goes waits until two devices are connected with each other so, one of ways,
// as both of them see it, and tells how long that took.
func (d *device) goes(to *device, within time.Duration, ways ...string) time.Duration {
	d.t.Helper()
	begun := time.Now()
	regularly(d.t, fmt.Sprintf("%s and %s to be connected by %v", d.name, to.name, ways), within, func() error {
		for _, e := range [][2]*device{{d, to}, {to, d}} {
			r := e[0].route(e[1])
			if !r.Connected || !strings.Contains(" "+strings.Join(ways, " ")+" ", " "+r.Via+" ") {
				return fmt.Errorf("%s says %+v", e[0].name, r)
			}
		}
		return nil
	})
	return time.Since(begun)
}

// regularly is like eventually, but spares the machine.
func regularly(t *testing.T, what string, within time.Duration, holds func() error) {
	t.Helper()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(within)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("wait for %s: not within %s: %v", what, within, err)
		}
		<-tick.C
	}
}

// relays waits until the device says that it relays.
func (d *device) relays() {
	d.t.Helper()
	regularly(d.t, d.name+" to relay", patience, func() error {
		log, err := os.ReadFile(d.logFile())
		if err == nil && !strings.Contains(string(log), "relaying for paired devices") {
			err = errors.New("it does not say so")
		}
		return err
	})
}

// plant writes a file on a device whose name and content are secrets. Each piece
// of the content holds the same words, so that any piece tells.
func (a *parted) plant(d *device, bytes int64) (name string) {
	a.t.Helper()
	name = a.secrets.word("a file's name")
	r := chance(a.t, "the content of "+name)
	writeNoise(a.t, r, d.at(name), bytes)
	a.secrets.tree(a.t, d.files, 1000)
	return name
}

// unknownToServer demands that the server holds no secret, and has seen none.
func (a *parted) unknownToServer() {
	a.t.Helper()
	a.secrets.unknownTo(a.t, a.server, a.laptop)
	canary := a.secrets.word("a canary")
	a.laptop.net.talker(a.t, 0).say(addrPort(a.server.net.address, 9), canary)
	let(50 * time.Millisecond)
	found, bytes := a.secrets.inAll(a.wire.payloads())
	switch {
	case len(found) == 0 || found[0] != "a canary":
		a.t.Error("what crosses the server's wire is not seen: ", found)
	case len(found) > 1:
		a.t.Errorf("the server's wire shows %q", found)
	}
	a.t.Logf("%d MB have crossed the server's wire", bytes/1e6)
}

var errConnected = errors.New("they are connected")

// sameInTheEnd waits until both trees are the same, however often the devices
// lose each other meanwhile: what a device says that it has synced is with those
// that are connected.
func sameInTheEnd(t *testing.T, waits, other *device, within time.Duration) {
	t.Helper()
	for end := time.Now().Add(within); ; let(250 * time.Millisecond) {
		left := max(time.Until(end), time.Second).Round(time.Second).String()
		waits.ask("wait", "--for", "connected", "--timeout", left)
		a := waits.ask("wait", "--timeout", left)
		if a.code == 0 && waits.route(other).Connected {
			diff := look(t, waits.files).differences(look(t, other.files))
			if diff == "" {
				return
			}
			a.err = []byte(diff)
		}
		if time.Now().After(end) {
			t.Fatalf("wait for %s and %s to be the same: not within %s: %s\n%s says: %+v", waits.name, other.name, within, a.err, waits.name, waits.status())
		}
	}
}
