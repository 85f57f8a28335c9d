package discovery

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	ma "github.com/multiformats/go-multiaddr"
)

func TestListenAddressesThatCannotBe(t *testing.T) {
	for _, addr := range []string{"x", "/ip4/127.0.0.1", "/dns4/localhost/tcp/1", "/ip4/127.0.0.1/tcp/0/ws", "/ip4/127.0.0.1/udp/1"} {
		if n, err := New(Options{Key: newKey(t), Listen: []string{addr}}); err == nil {
			t.Errorf("%s: listens at %s", addr, n.Addrs())
		}
	}
	if _, err := New(Options{Listen: loopback}); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

func TestATakenPortIsLeftOutOrReplaced(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	taken := "/ip4/127.0.0.1/tcp/" + port
	if _, err := New(Options{Key: newKey(t), Listen: []string{taken}}); !errors.Is(err, ErrListen) {
		t.Errorf("all taken: %v", err)
	}
	if n := start(t, Options{Listen: append([]string{taken}, loopback...)}); len(n.Addrs()) != 2 {
		t.Errorf("one taken: listens at %s", n.Addrs())
	}
	n := start(t, Options{})
	if err := n.listen([]place{{addr: ma.StringCast(taken), fallback: ma.StringCast("/ip4/127.0.0.1/tcp/0")}}); err != nil {
		t.Errorf("with a fallback: %v", err)
	}
	if got := having(bare(n), "tcp"); len(got) != 2 {
		t.Errorf("with a fallback: listens at %s", got)
	}
}

// Two devices with default options on one machine, whatever else runs there.
func TestTwoDevicesOnOneMachineListenByDefault(t *testing.T) {
	a, err := New(Options{Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{Key: newKey(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []*Net{a, b} {
		got := n.Addrs()
		if len(got) < 2 || !strings.HasSuffix(got[0], "/p2p/"+n.ID().String()) {
			t.Errorf("addresses %s", got)
		}
	}
	if suffix := "/tcp/" + strconv.Itoa(DefaultPort); strings.HasSuffix(bare(a)[0], suffix) && strings.HasSuffix(bare(b)[0], suffix) {
		t.Error("both have the default port")
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
}

func TestEventsKeepTheirOrder(t *testing.T) {
	n := run(t, start(t, Options{}))
	other := start(t, Options{}).ID()
	for range 1000 {
		n.events.add(Event{Kind: Connected, Device: other})
		n.events.add(Event{Kind: Disconnected, Device: other})
	}
	for range 1000 {
		n.expect(t, Connected, other)
		n.expect(t, Disconnected, other)
	}
}
