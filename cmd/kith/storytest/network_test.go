package storytest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// namespace is one end of a network that only a test and its devices see. A
// nil namespace is the machine's own network.
type namespace struct {
	name, address string
}

const (
	// namespacePrefix begins the names of all namespaces that tests make; the
	// number of the process that made it follows.
	namespacePrefix = "kithstory-"
	// link is what the interface is called, at both ends.
	link = "lan0"
)

var namespaces atomic.Int64

// newLAN joins two namespaces by a cable. There is no way out of them. It
// skips the test where that cannot be had.
func newLAN(t *testing.T) [2]*namespace {
	t.Helper()
	if err := canHaveLAN(); err != nil {
		t.Skip("no network of its own for this test: ", err)
	}
	n := namespaces.Add(1)
	var l [2]*namespace
	for i := range l {
		l[i] = &namespace{fmt.Sprintf("%s%d-%d%c", namespacePrefix, os.Getpid(), n, 'a'+i), fmt.Sprintf("10.77.0.%d", i+1)}
		if err := ip("netns", "add", l[i].name); err != nil {
			t.Skip("no network of its own for this test: ", err)
		}
		t.Cleanup(func() {
			if err := ip("netns", "del", l[i].name); err != nil {
				t.Error(err)
			}
		})
	}
	must := func(args ...string) {
		if err := ip(args...); err != nil {
			t.Fatal(err)
		}
	}
	must("-n", l[0].name, "link", "add", link, "type", "veth", "peer", "name", link, "netns", l[1].name)
	for _, s := range l {
		must("-n", s.name, "addr", "add", s.address+"/24", "dev", link)
		must("-n", s.name, "link", "set", "lo", "up")
		must("-n", s.name, "link", "set", link, "up")
	}
	return l
}

func canHaveLAN() error {
	if runtime.GOOS != "linux" {
		return errors.New("network namespaces are Linux's")
	}
	if os.Geteuid() != 0 {
		return errors.New("it takes root")
	}
	_, err := exec.LookPath("ip")
	return err
}

// sweepNamespaces removes what tests that were killed have left.
func sweepNamespaces() {
	if canHaveLAN() != nil {
		return
	}
	entries, _ := os.ReadDir("/run/netns")
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), namespacePrefix)
		owner, _, _ := strings.Cut(rest, "-")
		if _, err := strconv.Atoi(owner); !ours || err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + owner); errors.Is(err, os.ErrNotExist) {
			_ = ip("netns", "del", e.Name())
		}
	}
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// command is a program that runs in the namespace, without the settings of the
// user's own device. The ip command becomes the program: its process is that
// of the program.
func (n *namespace) command(name string, args ...string) *exec.Cmd {
	if n != nil {
		name, args = "ip", append([]string{"netns", "exec", n.name, name}, args...)
	}
	c := exec.Command(name, args...)
	c.Env = ownEnvironment()
	return c
}

// crossed is how many bytes have gone over the cable so far, in both
// directions, as the kernel counts them: with the headers of all layers.
func (n *namespace) crossed(t *testing.T) int64 {
	t.Helper()
	dir := "/sys/class/net/" + link + "/statistics/"
	out, err := n.command("cat", dir+"rx_bytes", dir+"tx_bytes").Output()
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, f := range strings.Fields(string(out)) {
		v, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}
