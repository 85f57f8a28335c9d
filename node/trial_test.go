package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/pair"
)

// pairer is a device of which only what pairing takes is there.
func pairer(t *testing.T, name string) *Device { return pairerOn(t, name, nil) }

// pairerOn is one that is on a DHT too, or on none.
func pairerOn(t *testing.T, name string, board *discovery.BoardOptions) *Device {
	t.Helper()
	dir := t.TempDir()
	d := &Device{
		Options: Options{Log: slog.New(slog.DiscardHandler)}, name: name, gate: pair.NewGate(time.Now, rand.Reader),
		shares: map[entry.FolderID]*share{}, links: map[entry.DeviceID]*link{}, changed: newNotice(),
	}
	var err error
	if d.id, err = identity.LoadOrCreate(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	if d.store, err = membership.Open(filepath.Join(dir, "membership")); err != nil {
		t.Fatal(err)
	}
	d.net = newNet(t, d.id.Key(), board)
	d.net.HandlePairing(protocol.ID(pair.Protocol), d.showTo)
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	d.tasks.begin(ctx, g)
	t.Cleanup(func() { cancel(); _ = g.Wait() })
	return d
}

func newNet(t *testing.T, key crypto.PrivKey, board *discovery.BoardOptions) *discovery.Net {
	t.Helper()
	if key == nil {
		var err error
		if key, _, err = crypto.GenerateEd25519Key(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	n, err := discovery.New(discovery.Options{
		Key: key, Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, Beyond: board != nil, Board: board, Relay: discovery.RelayOn,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// stranger is a device that answers pairing in its own way.
func stranger(t *testing.T, answer network.StreamHandler) *discovery.Net {
	t.Helper()
	n := newNet(t, nil, nil)
	n.HandlePairing(protocol.ID(pair.Protocol), answer)
	n.OpenDoor()
	return n
}

// shows opens a window, and the door with it.
func (d *Device) shows(t *testing.T) *pair.Window {
	t.Helper()
	w, err := d.gate.Open(pair.Far)
	if err != nil {
		t.Fatal(err)
	}
	d.net.OpenDoor()
	return w
}

func whereIs(n *discovery.Net) peer.AddrInfo {
	i := peer.AddrInfo{ID: n.ID()}
	for _, a := range n.Addrs() {
		bare, _ := peer.SplitAddr(multiaddr.StringCast(a))
		i.Addrs = append(i.Addrs, bare)
	}
	return i
}

// finding finds these, and nothing more.
func finding(all ...peer.AddrInfo) search {
	return search{
		find: func(_ context.Context, found func(peer.AddrInfo)) error {
			for _, i := range all {
				found(i)
			}
			return nil
		},
		believes: func(multiaddr.Multiaddr) bool { return true },
	}
}

// refused makes up a device where nobody listens.
func refused(t *testing.T) peer.AddrInfo {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return madeUp(t, l.Addr())
}

// madeUp is a device that there is not, at an address.
func madeUp(t *testing.T, at net.Addr) peer.AddrInfo {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a := multiaddr.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", at.(*net.TCPAddr).Port))
	return peer.AddrInfo{ID: id, Addrs: []multiaddr.Multiaddr{a}}
}

func (d *Device) knows(other *Device) bool {
	_, ok := d.store.Peer(other.id.ID())
	return ok && d.net.Trusted(other.net.ID())
}

func strangers(t *testing.T, a, b *Device) {
	t.Helper()
	if a.knows(b) || b.knows(a) {
		t.Errorf("paired: %v, %v", a.knows(b), b.knows(a))
	}
}

func TestTheSearchGoesOnPastThoseWhoSquatANumber(t *testing.T) {
	phone, laptop, other := pairer(t, "phone"), pairer(t, "laptop"), pairer(t, "other")
	w := laptop.shows(t)
	other.shows(t) // under another number
	silent := stranger(t, func(s network.Stream) { _, _ = io.Copy(io.Discard, s) })
	chatter := stranger(t, func(s network.Stream) { _, _ = s.Write([]byte("\x05hello")); _ = s.Close() })
	hangsUp := stranger(t, func(s network.Stream) { _ = s.Reset() })
	x := newTrial(phone, w.Code().Secret(), 20*time.Second)
	x.asking = 300 * time.Millisecond
	closed := newNet(t, nil, nil)
	paired, err := x.run(t.Context(), []search{finding(
		refused(t), whereIs(silent), whereIs(chatter), whereIs(hangsUp), whereIs(closed), whereIs(phone.net), whereIs(other.net),
		peer.AddrInfo{ID: laptop.net.ID()}, whereIs(laptop.net),
	)})
	if err != nil || paired.ID != laptop.id.ID() || !phone.knows(laptop) || !laptop.knows(phone) {
		t.Fatalf("%+v, %v", paired, err)
	}
	if p, err := w.Result(); err != nil || p.ID != phone.id.ID() {
		t.Errorf("the window ended with %v, %v", p, err)
	}
	if p, _ := phone.store.Peer(laptop.id.ID()); len(p.Asked) > 0 {
		t.Errorf("nobody has said that it is at %q", p.Asked)
	}
}

// TestAGuessOfASquatterBurnsNothingOfTheShowers: the squatter, who has the number
// and not the words, gets the one proof of the enterer; the device that shows
// the code is left alone.
func TestAGuessOfASquatterBurnsNothingOfTheShowers(t *testing.T) {
	phone, laptop, squatter := pairer(t, "phone"), pairer(t, "laptop"), pairer(t, "squatter")
	w := laptop.shows(t)
	squatter.gate = pair.NewGate(time.Now, rand.Reader)
	decoy := squatter.shows(t)
	words, err := pair.ParseCode(fmt.Sprintf("%d-acid-bonnet-lunchbox", decoy.Code().Plate()))
	if err != nil {
		t.Fatal(err)
	}
	// The phone's code has the squatter's number, so that it gets that far.
	x := newTrial(phone, words.Secret(), 20*time.Second)
	_, err = x.run(t.Context(), []search{finding(whereIs(squatter.net)), {
		after: time.Second, find: finding(whereIs(laptop.net)).find, believes: finding().believes,
	}})
	if !errors.Is(err, pair.ErrWrongCode) || !x.secret.Spent() {
		t.Errorf("the squatter was believed: %v", err)
	}
	if p, err := w.Result(); err != nil || p.ID != "" {
		t.Errorf("the window of the device that shows a code: %v, %v", p, err)
	}
	strangers(t, phone, squatter)
	strangers(t, phone, laptop)
}

func TestOneDeviceFoundInTwoWaysIsSpokenToOnce(t *testing.T) {
	for range 5 {
		phone, laptop := pairer(t, "phone"), pairer(t, "laptop")
		w := laptop.shows(t)
		here, there := whereIs(laptop.net), whereIs(laptop.net)
		here.Addrs, there.Addrs = here.Addrs[:1], there.Addrs[1:]
		x := newTrial(phone, w.Code().Secret(), 20*time.Second)
		if _, err := x.run(t.Context(), []search{finding(here), finding(there)}); err != nil {
			t.Fatal(err)
		}
		if p, err := w.Result(); err != nil || p.ID != phone.id.ID() || !phone.knows(laptop) {
			t.Errorf("the window ended with %v, %v", p, err)
		}
	}
}

// TestTwoThatShowOneNumberAreNotBothSpent: were both spoken to at once, the
// second would burn for a proof that the secret has given already.
func TestTwoThatShowOneNumberAreNotBothSpent(t *testing.T) {
	phone, squatter, one := pairer(t, "phone"), pairer(t, "squatter"), pairer(t, "one")
	draws := make([]byte, 1<<10)
	_, _ = rand.Read(draws) // never fails
	for _, d := range []*Device{squatter, one} {
		d.gate = pair.NewGate(time.Now, bytes.NewReader(draws)) // so that both show one number
	}
	squatter.shows(t)
	w := one.shows(t)
	code, err := pair.ParseCode(fmt.Sprintf("%d-acid-bonnet-lunchbox", w.Code().Plate()))
	if err != nil {
		t.Fatal(err)
	}
	thinks := stranger(t, func(s network.Stream) { <-time.After(400 * time.Millisecond); squatter.showTo(s) })
	slow := stranger(t, func(s network.Stream) { one.showTo(&slowStream{Stream: s}) })
	x := newTrial(phone, code.Secret(), 20*time.Second)
	_, err = x.run(t.Context(), []search{finding(whereIs(thinks)), {
		after: 100 * time.Millisecond, find: finding(whereIs(slow)).find, believes: finding().believes,
	}})
	if !errors.Is(err, pair.ErrWrongCode) {
		t.Errorf("the squatter was believed: %v", err)
	}
	if _, err := w.Result(); err != nil {
		t.Errorf("the other window: %v", err)
	}
}

// slowStream takes its time over all that is written but the first message.
type slowStream struct {
	network.Stream
	begun bool
}

func (s *slowStream) Write(b []byte) (int, error) {
	if s.begun {
		<-time.After(600 * time.Millisecond)
	}
	s.begun = true
	return s.Stream.Write(b)
}

func TestWhoeverRelaysBetweenTheTwoIsFoundOutAndNobodyStored(t *testing.T) {
	phone, laptop := pairer(t, "phone"), pairer(t, "laptop")
	w := laptop.shows(t)
	var middle *discovery.Net
	middle = stranger(t, func(near network.Stream) {
		release, err := middle.AllowDial(laptop.net.ID())
		if err != nil {
			t.Error(err)
			return
		}
		defer release()
		h := middle.Host()
		if err := h.Connect(context.Background(), whereIs(laptop.net)); err != nil {
			t.Error(err)
			return
		}
		far, err := h.NewStream(context.Background(), laptop.net.ID(), protocol.ID(pair.Protocol))
		if err != nil {
			t.Error(err)
			return
		}
		both := make(chan struct{})
		go func() { _, _ = io.Copy(far, near); _ = far.CloseWrite(); close(both) }()
		_, _ = io.Copy(near, far)
		_ = near.Close()
		<-both
	})
	x := newTrial(phone, w.Code().Secret(), 20*time.Second)
	_, err := x.run(t.Context(), []search{finding(whereIs(middle))})
	if !errors.Is(pairingError(err), control.ErrWrongCode) {
		t.Errorf("the phone is told %v", err)
	}
	<-w.Done()
	if _, err := w.Result(); !errors.Is(pairingError(err), control.ErrCodeBurnt) {
		t.Errorf("the laptop is told %v", err)
	}
	strangers(t, phone, laptop)
	if len(phone.store.Peers())+len(laptop.store.Peers()) > 0 {
		t.Error("somebody was stored")
	}
}

func TestAFloodOfCandidatesIsBounded(t *testing.T) {
	phone := pairer(t, "phone")
	knocks, door := countKnocks(t)
	var flood []peer.AddrInfo
	for range 3 * maxCandidates {
		flood = append(flood, madeUp(t, door))
	}
	many := madeUp(t, door)
	for i := range 3 * maxTold {
		many.Addrs = append(many.Addrs, multiaddr.StringCast(fmt.Sprintf("/ip4/127.0.0.%d/tcp/%d", 2+i, door.(*net.TCPAddr).Port)))
	}
	x := newTrial(phone, someSecret(t), 20*time.Second)
	if _, err := x.run(t.Context(), []search{finding(append([]peer.AddrInfo{many}, flood...)...)}); err == nil || x.secret.Spent() {
		t.Errorf("paired with nobody: %v", err)
	}
	if n := knocks.Load(); n == 0 || n > maxCandidates {
		t.Errorf("%d doors were knocked at, %d allowed", n, maxCandidates)
	}
}

func someSecret(t *testing.T) *pair.Secret {
	t.Helper()
	c, err := pair.ParseCode("482-913-506-acid-bonnet-lunchbox")
	if err != nil {
		t.Fatal(err)
	}
	return c.Secret()
}

// countKnocks listens, hangs up at once, and counts.
func countKnocks(t *testing.T) (*atomic.Int32, net.Addr) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return &n, l.Addr()
}
