package node

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/pair"
)

// runs has a net run until the test ends.
func runs(t *testing.T, n *discovery.Net) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for range n.Events() {
		}
	}()
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		<-read
	})
}

// board is a private DHT on this machine, which is entered there.
func board(enter ...string) *discovery.BoardOptions {
	return &discovery.BoardOptions{Mode: discovery.BoardPrivate, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootstrap: enter}
}

// hub is a device that is there already, and where its DHT is entered.
func hub(t *testing.T) []string {
	t.Helper()
	n := newNet(t, nil, board())
	runs(t, n)
	return boardUp(t, n).Addrs
}

func boardUp(t *testing.T, n *discovery.Net) discovery.BoardHealth {
	t.Helper()
	var h discovery.BoardHealth
	wait(t, "a board", func() (ok bool) {
		h, ok = n.Board()
		return ok && len(h.Addrs) > 0
	})
	return h
}

// onBoard is a device on a private DHT.
func onBoard(t *testing.T, name string, enter []string) *Device {
	t.Helper()
	d := pairerOn(t, name, board(enter...))
	d.Settings.Discovery = config.DiscoveryPrivate
	runs(t, d.net)
	boardUp(t, d.net)
	return d
}

// showsAnywhere shows a code that is found on the DHT; the answer comes when it
// has been used.
func (d *Device) showsAnywhere(t *testing.T) (control.Invitation, <-chan error) {
	t.Helper()
	shown, ended := make(chan control.Invitation, 1), make(chan error, 1)
	go func() {
		_, err := d.ShowCode(t.Context(), control.ShowCodeRequest{Anywhere: true}, func(i control.Invitation) error {
			shown <- i
			return nil
		})
		ended <- err
	}()
	select {
	case i := <-shown:
		return i, ended
	case err := <-ended:
		t.Fatalf("no code: %v", err)
	}
	return control.Invitation{}, nil
}

func TestACodeIsFoundOnTheDHT(t *testing.T) {
	enter := hub(t)
	phone, laptop := onBoard(t, "phone", enter), onBoard(t, "laptop", enter)
	i, used := laptop.showsAnywhere(t)
	c, err := pair.ParseCode(i.Code)
	if err != nil || c.Plate().Reach() != pair.Far || !i.Anywhere {
		t.Fatalf("%+v, %v", i, err)
	}
	// Somebody has seen the number, and says that it is there, too.
	squatter := newNet(t, nil, board(enter...))
	squatter.HandlePairing(protocol.ID(pair.Protocol), func(s network.Stream) { _, _ = io.Copy(io.Discard, s) })
	squatter.OpenDoor()
	runs(t, squatter)
	puts(t, squatter, c.Plate())
	puts(t, laptop.net, c.Plate()) // as it does again and again
	p, err := phone.UseCode(t.Context(), control.UseCodeRequest{Code: i.Code})
	if err != nil || p.ID != laptop.id.ID() {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := <-used; err != nil || !laptop.knows(phone) || !phone.knows(laptop) {
		t.Errorf("the laptop: %v", err)
	}
	// What a DHT tells is not what a person says.
	if rec, _ := phone.store.Peer(laptop.id.ID()); len(rec.Asked) > 0 || len(rec.Addresses) == 0 {
		t.Errorf("kept: %q, said by a person: %q", rec.Addresses, rec.Asked)
	}
}

// puts has a number point to a device, whoever it pointed to before.
func puts(t *testing.T, n *discovery.Net, plate pair.Plate) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := false
	err := n.AnnouncePlate(ctx, uint32(plate), func() { done = true; cancel() })
	if !done {
		t.Fatalf("not published: %v", err)
	}
}

// TestAYesIsKept runs no network: nothing is to be seen of this test.
func TestAYesIsKept(t *testing.T) {
	d := pairer(t, "laptop")
	d.Settings.Discovery = config.DiscoveryOff
	d.Places.Config = filepath.Join(t.TempDir(), "config.toml")
	for _, typo := range []string{"foo", "482-913-506-acid-bonnet-lunchbux", "kith:nothing"} {
		if _, err := d.Widen(t.Context(), true, typo); !errors.Is(err, control.ErrInvalid) || d.discovery() != config.DiscoveryOff {
			t.Errorf("for %q: %v, %v", typo, d.discovery(), err)
		}
	}
	for i, want := range []control.Discovery{{Mode: "public", Changed: true}, {Mode: "public"}} {
		if got, err := d.Widen(t.Context(), true, ""); err != nil || got != want || d.discovery() != config.DiscoveryPublic {
			t.Errorf("yes number %d: %+v, %v", i+1, got, err)
		}
	}
	if text, err := os.ReadFile(d.Places.Config); err != nil || !strings.Contains(string(text), "\ndiscovery = 'public'\n") {
		t.Errorf("the settings are %q, %v", text, err)
	}
	private := pairer(t, "nas")
	private.Settings.Discovery = config.DiscoveryPrivate
	if got, err := private.Widen(t.Context(), true, ""); err != nil || got != (control.Discovery{Mode: "private"}) {
		t.Errorf("a private DHT: %+v, %v", got, err)
	}
}

func TestACodeThatNoDHTTakesIsNotShown(t *testing.T) {
	alone := onBoard(t, "alone", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := alone.ShowCode(ctx, control.ShowCodeRequest{Anywhere: true}, func(i control.Invitation) error {
		t.Errorf("a code was shown: %+v", i)
		return nil
	})
	if !errors.Is(err, control.ErrNoNodes) || !strings.Contains(control.Describe(err).Hint, "bootstrap") {
		t.Errorf("%v", err)
	}
	if _, err := alone.gate.Open(pair.Near); err != nil {
		t.Errorf("its window is still open: %v", err)
	}
}

func TestNothingIsPublishedUnasked(t *testing.T) {
	d := pairer(t, "laptop")
	d.Settings.Discovery = config.DiscoveryOff
	never := func(i control.Invitation) error { t.Errorf("a code was shown: %+v", i); return nil }
	_, err := d.ShowCode(t.Context(), control.ShowCodeRequest{Anywhere: true}, never)
	if !errors.Is(err, control.ErrDiscoveryOff) {
		t.Errorf("with discovery off: %v", err)
	}
	d.Settings.LANOnly = true
	if _, err = d.ShowCode(t.Context(), control.ShowCodeRequest{Anywhere: true}, never); !errors.Is(err, control.ErrInvalid) {
		t.Errorf("on a device that is to stay at home: %v", err)
	}
	if _, err := d.Widen(t.Context(), true, ""); !errors.Is(err, control.ErrInvalid) || d.discovery() != config.DiscoveryOff {
		t.Errorf("widened: %v, %v", d.discovery(), err)
	}
	d.Settings.LANOnly = false
	if got, err := d.Widen(t.Context(), false, ""); err != nil || got != (control.Discovery{Mode: "off"}) {
		t.Errorf("asked how it is: %+v, %v", got, err)
	}
}

// TestATicketLeadsThroughARelayThatBothArePairedWith: two devices that cannot reach each other pair
// through a third that both are paired with, and that hears nothing of it.
func TestATicketLeadsThroughARelayThatBothArePairedWith(t *testing.T) {
	enter := hub(t)
	phone, laptop, nas := onBoard(t, "phone", enter), onBoard(t, "laptop", enter), onBoard(t, "nas", enter)
	for _, d := range []*Device{phone, laptop} {
		introduce(t, d, nas)
	}
	w := laptop.shows(t)
	var relayed string
	wait(t, "a place with the relay", func() bool {
		for _, a := range laptop.net.Places() {
			if strings.HasSuffix(a, "/p2p-circuit") {
				relayed = a
			}
		}
		return relayed != ""
	})
	if got := laptop.addrs(); !slices.Contains(got, "/p2p/"+nas.net.ID().String()+"/p2p-circuit") || !outside(got) {
		t.Errorf("a ticket names %q", got)
	}
	if _, err := phone.uses(t, laptop.ticket(t, w, relayed)); err != nil || !phone.knows(laptop) || !laptop.knows(phone) {
		t.Fatalf("through %s: %v", relayed, err)
	}
	if nas.knows(phone) || len(nas.store.Peers()) > 0 {
		t.Error("the relay has paired with somebody")
	}
	// Whoever is not paired with the relay gets nothing from it.
	thief := onBoard(t, "thief", enter)
	w = laptop.shows(t)
	f, err := thief.uses(t, laptop.ticket(t, w, relayed))
	if !errors.Is(err, control.ErrUnreachable) || !strings.Contains(f.Message, "not paired with that relay") {
		t.Errorf("a stranger to the relay: %+v", f)
	}
	if p, _ := phone.store.Peer(laptop.id.ID()); len(p.Asked)+len(p.Addresses) > 0 {
		t.Errorf("the relay is kept as where the laptop is: %+v", p)
	}
	if p, err := w.Result(); p.ID != "" || err != nil {
		t.Errorf("the window ended with %v, %v", p, err)
	}
}

// introduce has two devices trust each other, and waits until they are connected.
func introduce(t *testing.T, a, b *Device) {
	t.Helper()
	if err := errors.Join(a.net.Trust(b.net.ID()), b.net.Trust(a.net.ID())); err != nil {
		t.Fatal(err)
	}
	a.net.Remember(b.net.ID(), b.net.Places())
	wait(t, "a connection", func() bool {
		for _, p := range a.net.Peers() {
			if p.Device == b.net.ID() {
				return p.Connected
			}
		}
		return false
	})
}

func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
