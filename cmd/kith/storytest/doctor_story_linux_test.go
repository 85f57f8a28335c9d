package storytest

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// finding is one line of kith doctor.
type finding struct {
	Subject, Code, Message, Hint string
	OK                           bool
}

// examined is what kith doctor says.
type examined struct {
	Findings []finding
	Trials   []struct {
		Subject, What, Result string
		OK                    bool
	}
}

// doctor asks about a device, or about everything for "".
func (d *device) doctor(about string) examined {
	d.t.Helper()
	args := []string{"doctor"}
	if about != "" {
		args = append(args, about)
	}
	begun := time.Now()
	a := d.ask(args...)
	if took := time.Since(begun); took > 30*time.Second {
		d.t.Errorf("kith doctor took %v", took)
	}
	if a.code != 0 && a.code != 3 {
		d.t.Fatalf("%s: exit code %d\n%s%s", a.command, a.code, a.out, a.err)
	}
	var e examined
	a.decode(d.t, &e)
	if wrong := slices.ContainsFunc(e.Findings, func(f finding) bool { return !f.OK }); wrong != (a.code == 3) {
		d.t.Errorf("exit code %d for %+v", a.code, e.Findings)
	}
	for _, f := range e.Findings {
		if !f.OK && f.Hint == "" {
			d.t.Errorf("nothing to do about %q", f.Message)
		}
		for _, raw := range []string{"/ip4/", "/p2p/", "dial tcp", "context ", "i/o timeout", "%!"} {
			if f.Code != "rendezvous_entry" && strings.Contains(f.Message+f.Hint, raw) {
				d.t.Errorf("%q is not in words: %s", raw, f.Message)
			}
		}
	}
	return e
}

// says gives the finding about a subject.
func (e examined) says(subject string) (code, text string) {
	for _, f := range e.Findings {
		if f.Subject == subject {
			return f.Code, f.Message
		}
	}
	return "", "nothing"
}

// has tells whether some finding has this code and is as well as that.
func (e examined) has(code string, ok bool) bool {
	return slices.ContainsFunc(e.Findings, func(f finding) bool { return f.Code == code && f.OK == ok })
}

// diagnoses checks what kith doctor says about a device, within a while: what
// was done may take a moment to show.
func (d *device) diagnoses(other *device, code string) examined {
	d.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		e := d.doctor(other.name)
		got, text := e.says("device " + other.name)
		if got == code {
			d.t.Logf("%s: %s", code, text)
			return e
		}
		if time.Now().After(deadline) {
			d.t.Errorf("%s says of %s: %s (%s), want %s\n%+v", d.name, other.name, got, text, code, e.Trials)
			return e
		}
	}
}

// filter sets the rules of a firewall for what comes in from others; none for
// no rule.
func (n *namespace) filter(t *testing.T, rules ...string) {
	t.Helper()
	script := "add table inet doctor\ndelete table inet doctor\n"
	if len(rules) > 0 {
		script += "add table inet doctor\nadd chain inet doctor in { type filter hook input priority 0; policy accept; }\n"
	}
	for _, r := range rules {
		script += fmt.Sprintf("add rule inet doctor in iif %s %s\n", link, r)
	}
	c := n.command("nft", "-f", "-")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
}

// isolate has nobody on the network find the namespace, as in a Wi-Fi that keeps
// its clients apart, while what is said to all still arrives.
func (n *namespace) isolate(t *testing.T, on bool) {
	t.Helper()
	state := map[bool]string{true: "off", false: "on"}[on]
	n.ip(t, "link", "set", link, "arp", state)
	n.ip(t, "neigh", "flush", "dev", link)
}

// TestTheDoctorSaysWhyADeviceOfTheLANIsNotReached makes each cause real.
func TestTheDoctorSaysWhyADeviceOfTheLANIsNotReached(t *testing.T) {
	t.Parallel()
	net := newLAN(t)
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("a firewall needs the nft command (nftables): ", err)
	}
	ports := func(port string) []string {
		return []string{"--listen", "/ip4/0.0.0.0/tcp/" + port, "--listen", "/ip4/0.0.0.0/udp/" + port + "/quic-v1"}
	}
	laptop := newDevice(t, "laptop", net[0], ports("5484")...)
	phone := newDevice(t, "phone", net[1], ports("5484")...)
	laptop.start()
	phone.start()
	laptop.do(nil, "add", laptop.files, "--name", label)
	pair(t, laptop, phone)
	connected := func() {
		t.Helper()
		laptop.goes(phone, patience, "lan")
	}
	connected()
	if e := laptop.doctor(""); !e.has("connected", true) || !e.has("mdns", true) || slices.ContainsFunc(e.Findings, func(f finding) bool { return !f.OK && f.Subject != "folder "+label }) {
		t.Errorf("all is well, and the doctor says %+v", e.Findings)
	}

	const mdns = "udp dport 5353 accept"
	phone.stop()
	phone.net.filter(t, mdns, "meta l4proto { tcp, udp } drop")
	phone.start()
	laptop.diagnoses(phone, "firewall")
	phone.net.filter(t, mdns, "meta l4proto tcp reject with tcp reset", "meta l4proto udp drop")
	laptop.diagnoses(phone, "firewall")
	phone.net.filter(t)
	phone.net.isolate(t, true)
	laptop.net.ip(t, "neigh", "flush", "dev", link)
	laptop.diagnoses(phone, "isolated")
	phone.net.isolate(t, false)
	connected()

	phone.stop()
	laptop.diagnoses(phone, "not_running")
	var listed struct {
		Devices []struct {
			Why struct{ Code, Message string }
		}
	}
	laptop.do(&listed, "devices")
	if len(listed.Devices) != 1 || listed.Devices[0].Why.Code != "not_running" || listed.Devices[0].Why.Message == "" {
		t.Errorf("kith devices says %+v", listed)
	}
	laptop.net.filter(t, "udp dport 5353 drop")
	if e := laptop.doctor(""); !e.has("mdns_blocked", false) {
		t.Errorf("multicast is filtered here, and the doctor says %+v", e.Findings)
	}
	laptop.net.filter(t)
	phone.net.ip(t, "addr", "flush", "dev", link)
	if e := laptop.diagnoses(phone, "off"); !e.has("mdns_silent", false) {
		t.Errorf("nobody else is there, and the doctor says %+v", e.Findings)
	}

	laptop.net.ip(t, "addr", "flush", "dev", link)
	laptop.diagnoses(phone, "no_network")
	laptop.net.ip(t, "addr", "add", "10.78.0.1/24", "dev", link)
	laptop.diagnoses(phone, "wrong_network")
}

// TestTheDoctorSaysWhatIsWrongWithADeviceItself has a port that is taken, a
// device that was forgotten, and nowhere to meet.
func TestTheDoctorSaysWhatIsWrongWithADeviceItself(t *testing.T) {
	t.Parallel()
	net := newLAN(t)
	laptop := newDevice(t, "laptop", net[0], "--discovery", "private")
	phone := newDevice(t, "phone", net[1])
	laptop.start()
	phone.start()
	laptop.do(nil, "add", laptop.files, "--name", label)
	pair(t, laptop, phone)
	laptop.goes(phone, patience, "lan")
	phone.do(nil, "devices", "revoke", "laptop", "--yes")
	e := laptop.diagnoses(phone, "turned_away")
	if !e.has("rendezvous_empty", false) {
		t.Errorf("nobody is there to meet at, and the doctor says %+v", e.Findings)
	}

	second := newDevice(t, "second", net[0])
	second.start()
	if e := second.doctor(""); !e.has("port_taken", false) {
		t.Errorf("its port is the laptop's, and the doctor says %+v", e.Findings)
	}
}

// TestTheDoctorSaysWhyADeviceFarAwayIsNotReached has the phone leave home.
func TestTheDoctorSaysWhyADeviceFarAwayIsNotReached(t *testing.T) {
	t.Parallel()
	a := newParted(t, symmetric, symmetric)
	a.away.plug(a.phone.net)
	took := a.laptop.goes(a.phone, patience, "relay")
	e := a.laptop.doctor("")
	code, text := e.says("device phone")
	if code != "connected" || !strings.Contains(text, "relay") {
		t.Errorf("%.0f s after the phone has left the doctor says %q", took.Seconds(), text)
	}
	t.Logf("%+v", e.Findings)
	a.server.do(nil, "pause", "phone")
	defer a.server.do(nil, "resume", "phone")
	a.laptop.diagnoses(a.phone, "relay_refused")
}
