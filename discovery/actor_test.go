package discovery

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// actorEnv makes the test binary one device: "SEED OTHER", where the device
// has the key of SEED and trusts that of OTHER, each one letter.
const actorEnv = "KITH_TEST_DEVICE"

func keyOf(letter string) (crypto.PrivKey, error) {
	key, _, err := crypto.GenerateEd25519Key(strings.NewReader(strings.Repeat(letter, 64)))
	return key, err
}

// actor is a device with the default options that prints what happens until its
// standard input is closed.
func actor() int {
	if err := act(strings.Fields(os.Getenv(actorEnv))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func act(letters []string) error {
	key, err := keyOf(letters[0])
	if err != nil {
		return err
	}
	other, err := keyOf(letters[1])
	if err != nil {
		return err
	}
	id, err := peer.IDFromPrivateKey(other)
	if err != nil {
		return err
	}
	n, err := New(Options{Key: key, MDNS: true, LANOnly: true})
	if err != nil {
		return err
	}
	if err := n.Trust(id); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		cancel()
	}()
	fmt.Println("listen", n.Addrs())
	go func() {
		for e := range n.Events() {
			fmt.Println(e.Kind, e.Route.Transport, e.Route.Via, e.Route.Addr)
		}
	}()
	if err := n.Run(ctx); err != nil {
		return err
	}
	return n.Close()
}

// machine is a network namespace with one device in it.
type machine struct {
	name  string
	lines chan string
	errs  bytes.Buffer
}

// ip runs ip(8).
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// twoMachines are two namespaces joined by a cable, with an address each and
// nothing else: no route, no loopback.
func twoMachines(t *testing.T, tag string) (a, b *machine) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("network namespaces need Linux and root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("network namespaces need ip(8)")
	}
	prefix := fmt.Sprintf("kd%s%d", tag, os.Getpid())
	a = &machine{name: prefix + "a", lines: make(chan string, 1024)}
	b = &machine{name: prefix + "b", lines: make(chan string, 1024)}
	for _, m := range []*machine{a, b} {
		if out, err := exec.Command("ip", "netns", "add", m.name).CombinedOutput(); err != nil {
			t.Skipf("network namespaces cannot be made: %s", out)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", m.name).Run() })
	}
	ip(t, "-n", a.name, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", b.name)
	for i, m := range []*machine{a, b} {
		ip(t, "-n", m.name, "addr", "add", fmt.Sprintf("10.99.7.%d/24", i+1), "dev", "v0")
		ip(t, "-n", m.name, "link", "set", "v0", "up")
	}
	return a, b
}

// device starts a device in a machine.
func (m *machine) device(t *testing.T, letters string) (stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", m.name, self)
	cmd.Env = append(os.Environ(), actorEnv+"="+letters)
	cmd.Stderr = &m.errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			m.lines <- s.Text()
		}
	}()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = in.Close()
		<-read
		if err := cmd.Wait(); err != nil || m.errs.Len() > 0 {
			t.Errorf("%s: %v: %s", m.name, err, m.errs.String())
		}
	}
	t.Cleanup(stop)
	return stop
}

// says waits for a line that begins with a word and gives it.
func (m *machine) says(t *testing.T, word string, within time.Duration) string {
	t.Helper()
	timeout := time.After(within)
	for {
		select {
		case line := <-m.lines:
			if strings.HasPrefix(line, word+" ") {
				return line
			}
		case <-timeout:
			t.Fatalf("%s: not %s within %s; %s", m.name, word, within, m.errs.String())
		}
	}
}

func TestTwoMachinesFindEachOtherByMDNS(t *testing.T) {
	t.Parallel()
	a, b := twoMachines(t, "f")
	stop := a.device(t, "a b")
	if got, want := a.says(t, "listen", patience), "/ip4/10.99.7.1/tcp/5484/p2p/"; !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	b.device(t, "b a")
	b.says(t, "listen", patience)
	from := time.Now()
	if got := b.says(t, "connected", patience); !strings.HasPrefix(got, "connected tcp lan ") {
		t.Error(got)
	}
	a.says(t, "connected", patience)
	t.Logf("found after %s", time.Since(from))

	stop()
	b.says(t, "disconnected", patience)
	from = time.Now()
	a.device(t, "a b")
	b.says(t, "connected", patience)
	t.Logf("found after a restart in %s, with the process", time.Since(from))
}

func TestALooseCableIsMended(t *testing.T) {
	t.Parallel()
	a, b := twoMachines(t, "w")
	ip(t, "-n", b.name, "link", "set", "v0", "down")
	a.device(t, "a b")
	b.device(t, "b a")
	a.says(t, "listen", patience)
	b.says(t, "listen", patience)
	ip(t, "-n", b.name, "link", "set", "v0", "up")
	from := time.Now()
	a.says(t, "connected", patience)
	b.says(t, "connected", patience)
	t.Logf("plugged in %s before", time.Since(from))
}

func TestACutCableIsNoticedAndMended(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 seconds")
	}
	t.Parallel()
	a, b := twoMachines(t, "c")
	a.device(t, "a b")
	b.device(t, "b a")
	a.says(t, "connected", patience)
	b.says(t, "connected", patience)
	from := time.Now()
	ip(t, "-n", a.name, "link", "set", "v0", "down")
	a.says(t, "disconnected", 17*time.Second)
	b.says(t, "disconnected", 17*time.Second)
	t.Logf("noticed after %s", time.Since(from))
	ip(t, "-n", a.name, "link", "set", "v0", "up")
	from = time.Now()
	a.says(t, "connected", patience)
	b.says(t, "connected", patience)
	t.Logf("mended after %s", time.Since(from))
}
