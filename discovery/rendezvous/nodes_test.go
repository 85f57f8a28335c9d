package rendezvous

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ds "github.com/ipfs/go-datastore"
	logging "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/zap/zapcore"
)

func node(t testing.TB, i int) peer.AddrInfo {
	t.Helper()
	_, id := deviceOf(t)
	return peer.AddrInfo{ID: id, Addrs: addrs(fmt.Sprintf("/ip4/198.51.100.1/tcp/%d", 1000+i))}
}

func TestNodesAreKeptInAFileAndBounded(t *testing.T) {
	dir := t.TempDir()
	n, err := newNodes(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []peer.AddrInfo
	for i := range maxNodes + 10 {
		all = append(all, node(t, i))
		if !n.add(all[i], i%2 == 0) || n.add(all[i], false) {
			t.Errorf("node %d is no news, or twice", i)
		}
	}
	if err := n.save(); err != nil {
		t.Fatal(err)
	}
	again, err := newNodes(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := again.all()
	if len(got) != maxNodes || !slices.EqualFunc(got, n.all(), func(a, b peer.AddrInfo) bool { return a.ID == b.ID && same(a.Addrs, b.Addrs) }) {
		t.Errorf("%d nodes, before %d", len(got), len(n.all()))
	}
	if info, err := os.Stat(filepath.Join(dir, nodesFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if got[0].ID != all[maxNodes+8].ID {
		t.Error("one that has answered is not the first")
	}
	n.failed(got[0].ID)
	if now := n.all(); now[len(now)-1].ID != got[0].ID {
		t.Error("one that has not answered is not the last")
	}
}

func TestADamagedFileOfNodesIsPassedOver(t *testing.T) {
	dir := t.TempDir()
	good := nodeTexts(node(t, 1))[0]
	for _, content := range []string{"", "\x00\xff", good + "\nnonsense\n", strings.Repeat("x", maxNodeFile+100), strings.Repeat(good+"\n", 1000)} {
		if err := os.WriteFile(filepath.Join(dir, nodesFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := newNodes(dir, nil)
		if err != nil || len(n.all()) > 1 {
			t.Errorf("%.20q: %d nodes, %v", content, len(n.all()), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, identityFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := enact(t, Options{Dir: dir})
	id := a.Health().ID
	a.stop()
	if b := enact(t, Options{Dir: dir}); b.Health().ID != id {
		t.Error("the key that was made is not kept")
	}
}

func TestOnlyPlacesOfNodesAreTakenIn(t *testing.T) {
	a := enact(t, Options{})
	id := someID
	a.Meet([]string{
		"", "nonsense", "/ip4/1.2.3.4/tcp/5", "/dns4/example.org/tcp/1/p2p/" + id, "/ip4/1.2.3.4/tcp/5/ws/p2p/" + id,
		"/ip4/1.2.3.4/tcp/5/p2p/" + a.Health().ID.String(), "/ip4/1.2.3.4/tcp/5/p2p/" + id + "/p2p-circuit",
		strings.Repeat("/ip4/1.2.3.4", 100) + "/p2p/" + id,
	})
	if n := a.known.all(); len(n) != 0 {
		t.Errorf("%v", n)
	}
	var many []string
	for i := range 3 * maxNodes {
		many = append(many, nodeTexts(node(t, i))...)
	}
	a.stop() // and dial none of them
	a.Meet(many)
	if n := len(a.known.all()); n != maxNodes {
		t.Errorf("%d nodes", n)
	}
	if n := a.Nodes(); len(n) > maxTold {
		t.Errorf("%d lines", len(n))
	}
}

func TestOptionsThatAreNoneAreRefused(t *testing.T) {
	key, _ := deviceOf(t)
	for name, c := range map[string]struct {
		o    Options
		want error
	}{
		"no key":          {Options{Mode: Private}, ErrKey},
		"no mode":         {Options{Key: key}, ErrMode},
		"no such node":    {Options{Key: key, Mode: Private, Bootstrap: []string{"/ip4/1.2.3.4/tcp/5"}}, ErrNode},
		"a node by relay": {Options{Key: key, Mode: Private, Bootstrap: []string{"/ip4/1.2.3.4/tcp/5/p2p/" + someID + "/p2p-circuit/p2p/" + someID}}, ErrNode},
	} {
		if _, err := New(c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsToldOfNodesIsReadAsItWasWritten(t *testing.T) {
	var b bytes.Buffer
	want := []string{"/ip4/1.2.3.4/tcp/5/p2p/" + someID, "/ip4/1.2.3.4/tcp/6/p2p/" + someID}
	if err := WriteNodes(&b, want); err != nil {
		t.Fatal(err)
	}
	b.WriteString("not read")
	if got, err := ReadNodes(&b); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for name, text := range map[string]string{"a long line": strings.Repeat("x", maxNodeText+1) + "\n", "many lines": strings.Repeat("x\n", maxTold+1)} {
		if got, err := ReadNodes(strings.NewReader(text)); !errors.Is(err, ErrNode) {
			t.Errorf("%s: %d, %v", name, len(got), err)
		}
	}
}

func FuzzReadNodes(f *testing.F) {
	f.Add("/ip4/1.2.3.4/tcp/5/p2p/"+someID+"\n\n", true)
	f.Add("", false)
	f.Fuzz(func(t *testing.T, text string, names bool) {
		lines, err := ReadNodes(strings.NewReader(text))
		if err != nil && !errors.Is(err, ErrNode) || len(lines) > maxTold {
			t.Fatal(len(lines), err)
		}
		for _, line := range lines {
			n, err := parseNode(line, names)
			if err != nil && !errors.Is(err, ErrNode) {
				t.Fatal(err)
			}
			if err == nil && len(n.Addrs) != 1 {
				t.Fatal(n)
			}
		}
	})
}

func TestADeviceDialsOnlyWhereItMay(t *testing.T) {
	known, err := newNodes("", nil)
	if err != nil {
		t.Fatal(err)
	}
	told := peer.AddrInfo{ID: someID, Addrs: addrs("/ip4/10.99.99.1/tcp/7")}
	known.add(told, false)
	for _, c := range []struct {
		text            string
		public, private bool
	}{
		{"/ip4/8.8.8.8/tcp/4001", true, true},
		{"/ip4/8.8.8.8/udp/4001/quic-v1", true, true},
		{"/ip4/10.99.99.1/tcp/7", false, true}, // told by a paired device
		{"/ip4/10.99.99.1/tcp/22", false, false},
		{"/ip4/192.168.250.250/tcp/80", false, false},
		{"/ip4/127.0.0.1/tcp/80", false, true},
		{"/ip4/0.0.0.0/tcp/80", false, false},
		{"/ip4/8.8.8.8/tcp/4001/p2p/" + someID + "/p2p-circuit", false, false},
		{"/dns4/example.org/tcp/80", false, false},
		{"/ip4/8.8.8.8/tcp/80/ws", false, false},
	} {
		for mode, want := range map[Mode]bool{Public: c.public, Private: c.private} {
			r := &reach{mode: mode, known: known}
			r.look()
			r.links = slices.DeleteFunc(r.links, func(p netip.Prefix) bool { return !p.Addr().IsLoopback() })
			if got := r.may(told.ID, addrs(c.text)[0]); got != want {
				t.Errorf("%s, %s: %t", mode, c.text, got)
			}
		}
	}
}

func TestTheShelfKeepsTheNewest(t *testing.T) {
	ctx := context.Background()
	s := newShelf(3)
	for i := range 5 {
		if err := s.Put(ctx, ds.NewKey(fmt.Sprint(i)), []byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			_ = s.Put(ctx, ds.NewKey("0"), []byte{9})
		}
	}
	for i, want := range []bool{true, false, false, true, true} {
		if has, err := s.Has(ctx, ds.NewKey(fmt.Sprint(i))); has != want || err != nil {
			t.Errorf("%d: %t, %v", i, has, err)
		}
	}
	if v, err := s.Get(ctx, ds.NewKey("0")); err != nil || v[0] != 9 {
		t.Error(v, err)
	}
	if n, err := s.GetSize(ctx, ds.NewKey("4")); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := s.Delete(ctx, ds.NewKey("4")); err != nil || s.len() != 2 {
		t.Error(s.len(), err)
	}
	if _, err := s.Get(ctx, ds.NewKey("4")); !errors.Is(err, ds.ErrNotFound) {
		t.Error(err)
	}
}

func TestTheLibrariesSayNothingOnTheirOwn(t *testing.T) {
	if os.Getenv("GOLOG_LOG_LEVEL") != "" {
		t.Skip("GOLOG_LOG_LEVEL is set")
	}
	enact(t, Options{})
	for _, name := range []string{"dht", "dht.pb", "dht/RtRefreshManager", "table", "providers", "ipns"} {
		if logging.Logger(name).Desugar().Core().Enabled(zapcore.ErrorLevel) {
			t.Errorf("%s writes to the standard error", name)
		}
	}
}

func TestANodeThatAnswersElsewhereComesFirstThere(t *testing.T) {
	n, err := newNodes("", nil)
	if err != nil {
		t.Fatal(err)
	}
	id := node(t, 0).ID
	old, here := ma.StringCast("/ip4/203.0.113.1/tcp/5485"), ma.StringCast("/ip4/203.0.113.2/tcp/5485")
	n.add(peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{old, here, here}}, true)
	if n.add(peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{here}}, false) {
		t.Error("that it is said to be where it is known to be is news")
	}
	if !n.add(peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{here, old}}, true) {
		t.Error("that it has answered at the other address is no news")
	}
	if got := n.all()[0].Addrs; len(got) != 2 || !got[0].Equal(here) {
		t.Errorf("it is at %v", got)
	}
}

// TestABoardTellsWhereItIsNow: libp2p looks at the interfaces once a minute.
func TestABoardTellsWhereItIsNow(t *testing.T) {
	b := enact(t, Options{Mode: Private}).Board
	stale := place(1)[0]
	got := b.addrsFactory([]ma.Multiaddr{stale})
	if len(got) == 0 || ma.Contains(got, stale) {
		t.Errorf("it says that it is at %v", got)
	}
}
