package storytest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// world is an internet of a test's own: a router that knows the way to public
// networks, and homes behind routers that translate addresses. It has no way
// out, so addresses that programs take for public can be used: they are of a
// range (11.0.0.0/8) that nobody announces, but which is not reserved either.
type world struct {
	t      *testing.T
	prefix string
	router *namespace
	spaces int
	places int
	cables int
}

// place is a network that devices can be plugged into: a switch, and at it a
// router with the address .1 that leads on.
type place struct {
	world  *world
	at     *namespace // the router
	bridge string
	subnet string // the first three numbers of its addresses
	hosts  int    // addresses given so far
	rate   string // of each host's cable, both ways, as tc takes it; "" is no limit
	home   *home  // nil if it is public
}

// translation is how a home's router translates addresses of UDP.
type translation string

const (
	// open: one mapping for all destinations, and anybody may send to it: a full
	// cone.
	open translation = "open cone"
	// cone: one mapping for all destinations, and only whom something was sent
	// to may answer: a cone restricted by port, which is what most homes have.
	cone translation = "cone"
	// symmetric: a mapping of its own, at random, for each destination.
	symmetric translation = "symmetric"
)

// home is a router that translates addresses.
type home struct {
	kind    translation
	net     *namespace
	outside *place // where it is plugged in
	turns   int    // how often its mappings have been changed
}

// newWorld makes a world with nothing in it but a router. It skips the test
// where that cannot be had.
func newWorld(t *testing.T) *world {
	t.Helper()
	if err := canHaveLAN(); err != nil {
		t.Skip("no network of its own for this test: ", err)
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("routers that translate addresses need the nft command (nftables): ", err)
	}
	w := &world{t: t, prefix: fmt.Sprintf("%s%d-%d", namespacePrefix, os.Getpid(), namespaces.Add(1))}
	w.router = w.space("router")
	w.router.forwards(t)
	return w
}

// space makes a namespace with nothing in it but its own loopback.
func (w *world) space(what string) *namespace {
	w.t.Helper()
	w.spaces++
	n := &namespace{name: fmt.Sprintf("%s%s%d", w.prefix, what, w.spaces)}
	if err := ip("netns", "add", n.name); err != nil {
		w.t.Skip("no network of its own for this test: ", err)
	}
	w.t.Cleanup(func() {
		if err := ip("netns", "del", n.name); err != nil {
			w.t.Error(err)
		}
	})
	n.ip(w.t, "link", "set", "lo", "up")
	return n
}

// host is a namespace for a device, plugged in nowhere yet.
func (w *world) host() *namespace {
	w.t.Helper()
	return w.space("host")
}

// public is one more network at the router of the world.
func (w *world) public() *place {
	w.t.Helper()
	w.places++
	return w.newPlace(w.router, fmt.Sprintf("11.7.%d", w.places))
}

// behind is a home network behind a router that translates so. The router gets
// a public address on a public network of its own.
func (w *world) behind(kind translation) *place {
	w.t.Helper()
	h := &home{kind: kind, net: w.space("home"), outside: w.public()}
	h.net.forwards(w.t)
	h.outside.plug(h.net)
	w.places++
	p := w.newPlace(h.net, fmt.Sprintf("192.168.%d", w.places))
	p.home = h
	h.translate(w.t)
	return p
}

func (w *world) newPlace(at *namespace, subnet string) *place {
	w.t.Helper()
	p := &place{world: w, at: at, bridge: fmt.Sprintf("br%d", w.places), subnet: subnet, hosts: 1}
	at.ip(w.t, "link", "add", p.bridge, "type", "bridge")
	at.ip(w.t, "addr", "add", p.gateway()+"/24", "dev", p.bridge)
	at.ip(w.t, "link", "set", p.bridge, "up")
	return p
}

func (p *place) gateway() string { return p.subnet + ".1" }

// plug takes a host out of where it is and plugs it in here, at an address that
// nobody has had.
func (p *place) plug(n *namespace) {
	t := p.world.t
	t.Helper()
	n.unplug(t)
	p.world.cables++
	port := fmt.Sprintf("port%d", p.world.cables)
	p.at.ip(t, "link", "add", port, "type", "veth", "peer", "name", link, "netns", n.name)
	p.at.ip(t, "link", "set", port, "master", p.bridge, "up")
	n.ip(t, "link", "set", link, "up")
	p.readdress(n)
	if p.rate != "" {
		limit(t, n, link, p.rate)
		limit(t, p.at, port, p.rate)
	}
}

// limit lets so much through an interface at most, like 50mbit.
func limit(t *testing.T, n *namespace, name, rate string) {
	t.Helper()
	out, err := exec.Command("tc", "-n", n.name, "qdisc", "add", "dev", name, "root", "tbf", "rate", rate, "burst", "64kb", "latency", "50ms").CombinedOutput()
	if err != nil {
		t.Skipf("networks cannot be slow here: tc: %v: %s", err, out)
	}
}

// readdress gives a host that is plugged in here another address.
func (p *place) readdress(n *namespace) {
	t := p.world.t
	t.Helper()
	p.hosts++
	n.ip(t, "addr", "flush", "dev", link, "scope", "global")
	n.address = fmt.Sprintf("%s.%d", p.subnet, p.hosts)
	n.ip(t, "addr", "add", n.address+"/24", "dev", link)
	p.lead(n)
}

// lead tells a host that is plugged in here that the router leads on.
func (p *place) lead(n *namespace) {
	p.world.t.Helper()
	n.ip(p.world.t, "route", "replace", "default", "via", p.gateway())
}

// flap takes the host's link down and up again, with what hangs on it.
func (p *place) flap(n *namespace, between func()) {
	t := p.world.t
	t.Helper()
	n.ip(t, "link", "set", link, "down")
	between()
	n.ip(t, "link", "set", link, "up")
	p.lead(n)
}

// unplug pulls the cable out.
func (n *namespace) unplug(t *testing.T) {
	t.Helper()
	if n.address != "" {
		n.ip(t, "link", "del", link)
		n.address = ""
	}
}

// ip runs the ip command in the namespace.
func (n *namespace) ip(t *testing.T, args ...string) {
	t.Helper()
	if err := ip(append([]string{"-n", n.name}, args...)...); err != nil {
		t.Fatal(err)
	}
}

// forwards makes a router of the namespace.
func (n *namespace) forwards(t *testing.T) {
	t.Helper()
	err := n.inside(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) })
	if err != nil {
		t.Fatal(err)
	}
}

// inside does something within the namespace: sockets that it opens, and what
// it reads and writes below /proc/sys/net, are of the namespace.
func (n *namespace) inside(do func() error) error {
	// The thread must come back, and not end: devices that were started from it
	// would end with it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer func() { _ = here.Close() }()
	there, err := os.Open(filepath.Join("/run/netns", n.name))
	if err != nil {
		return err
	}
	defer func() { _ = there.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", n.name, err)
	}
	defer func() {
		if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("a thread is lost in namespace %s: %v", n.name, err))
		}
	}()
	return do()
}

// address is the public one of the home.
func (h *home) address() string { return h.net.address }

// translate lays down how the router translates. What is not asked for from
// inside is dropped without a word, as homes do.
func (h *home) translate(t *testing.T) {
	t.Helper()
	var before, mapped, masquerade string
	switch h.kind {
	case symmetric:
		masquerade = "masquerade fully-random"
	case open:
		mapped = "map mapped { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 2m; }"
		before = fmt.Sprintf("iif %q dnat to udp dport map @mapped", link)
		masquerade = "ip protocol udp update @mapped { udp sport : ip saddr }; masquerade"
	case cone:
		// Ports of its own, others after each turn.
		low := 20000 + 1000*(h.turns%20)
		masquerade = fmt.Sprintf("meta l4proto { tcp, udp } masquerade to :%d-%d", low, low+999)
	}
	rules := fmt.Sprintf(`
table ip home
delete table ip home
table ip home {
	%[2]s
	chain before { type nat hook prerouting priority dstnat; %[3]s
	}
	chain after { type nat hook postrouting priority srcnat; oif %[1]q goto out
	}
	chain out {
		%[4]s
		masquerade
	}
	chain to { type filter hook input priority filter; iif %[1]q ct state new drop
	}
	chain through { type filter hook forward priority filter; iif %[1]q ct state new ct status & dnat == 0 drop
	}
}`, link, mapped, before, strings.ReplaceAll(masquerade, ";", "\n\t\t"))
	c := h.net.command("nft", "-f", "-")
	c.Stdin = strings.NewReader(rules)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s%s", err, out, rules)
	}
}

// rebind has the router forget all that it has mapped, and map anew to other
// ports, as routers do that are started anew or are short of memory.
func (h *home) rebind(t *testing.T) {
	t.Helper()
	h.turns++
	h.translate(t)
	h.forget(t)
}

// forget clears the router's table of connections.
func (h *home) forget(t *testing.T) {
	t.Helper()
	if err := h.net.inside(flushConnections); err != nil {
		t.Fatal("forget the connections of a router: ", err)
	}
}

// flushConnections asks the kernel to forget all connections that it tracks
// (IPCTNL_MSG_CT_DELETE without a selection).
func flushConnections() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	const subsystem, remove = 1, 2 // NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
	message := []byte{20, 0, 0, 0, remove, subsystem, unix.NLM_F_REQUEST | unix.NLM_F_ACK, 0, 1, 0, 0, 0, 0, 0, 0, 0, unix.AF_UNSPEC, 0, 0, 0}
	if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < 20 || answer[16]|answer[17]|answer[18]|answer[19] != 0 {
		return fmt.Errorf("it answers % x", answer[:n])
	}
	return nil
}
