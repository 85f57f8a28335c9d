package node

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol/pair"
)

// uses has a device use what was shown, and returns what a person is told.
func (d *Device) uses(t *testing.T, code string, at ...string) (control.Failure, error) {
	t.Helper()
	_, err := d.UseCode(t.Context(), control.UseCodeRequest{Code: code, At: at})
	if err == nil {
		return control.Failure{}, nil
	}
	f := control.Describe(err)
	t.Logf("%s\n\t%s", f.Message, f.Hint)
	return f, err
}

func (d *Device) ticket(t *testing.T, w *pair.Window, addrs ...string) string {
	t.Helper()
	ticket, err := w.Ticket(d.id.ID(), addrs)
	if err != nil {
		t.Fatal(err)
	}
	return ticket.String()
}

func (d *Device) addrs() []string { return invited(d.net.Places()) }

func TestATicketAlonePairsAndIsGoodForOneUse(t *testing.T) {
	phone, laptop, thief := pairer(t, "phone"), pairer(t, "laptop"), pairer(t, "thief")
	for _, transport := range []string{"/tcp/", "/udp/"} {
		w := laptop.shows(t)
		ticket := laptop.ticket(t, w, slices.DeleteFunc(laptop.addrs(), func(a string) bool { return !strings.Contains(a, transport) })...)
		if _, err := phone.uses(t, ticket); err != nil {
			t.Fatal(err)
		}
		if p, _ := phone.store.Peer(laptop.id.ID()); len(p.Asked) == 0 || !strings.Contains(p.Asked[0], transport) {
			t.Errorf("the ticket's addresses are not kept: %q", p.Asked)
		}
		f, err := thief.uses(t, ticket)
		if !errors.Is(err, control.ErrNotFound) || !strings.Contains(f.Hint, "one use") {
			t.Errorf("a used ticket, with the door open: %+v", f)
		}
		laptop.net.CloseDoor()
		f, err = thief.uses(t, ticket)
		if !errors.Is(err, control.ErrNotFound) || !strings.Contains(f.Hint, "one use") {
			t.Errorf("a used ticket, with the door closed: %+v", f)
		}
		strangers(t, thief, laptop)
	}
}

func TestAWrongGuessBurnsTheTicketToo(t *testing.T) {
	thief, laptop := pairer(t, "thief"), pairer(t, "laptop")
	w := laptop.shows(t)
	guess := fmt.Sprintf("%d-acid-bonnet-lunchbox", w.Code().Plate())
	if _, err := thief.uses(t, guess, laptop.addrs()...); !errors.Is(err, control.ErrWrongCode) {
		t.Errorf("a wrong guess: %v", err)
	}
	<-w.Done()
	if _, err := w.Result(); !errors.Is(err, pair.ErrBurnt) {
		t.Errorf("the window ended with %v", err)
	}
	if f, err := thief.uses(t, laptop.ticket(t, w, laptop.addrs()...)); !errors.Is(err, control.ErrCodeBurnt) || !strings.Contains(f.Hint, "ticket") {
		t.Errorf("the right ticket of a burnt code: %+v", f)
	}
	strangers(t, thief, laptop)
	if len(thief.store.Peers()) > 0 {
		t.Error("something was kept")
	}
}

// TestATicketCannotMakeADeviceKnockElsewhere: each address that it names is
// dialled once, a name is looked up never, and nothing of it is kept.
func TestATicketCannotMakeADeviceKnockElsewhere(t *testing.T) {
	phone, laptop := pairer(t, "phone"), pairer(t, "laptop")
	w := laptop.shows(t)
	knocks, door := countKnocks(t)
	at := madeUp(t, door).Addrs[0].String()
	elsewhere := whereIs(pairer(t, "other").net).Addrs[0].String()
	ticket := laptop.ticket(t, w, at, at+"/p2p/"+laptop.net.ID().String(), elsewhere,
		"/dns4/kith.invalid/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/1/ws", "/unix/tmp/x", "/ip4/127.0.0.1/udp/1")
	f, err := phone.uses(t, ticket)
	if err == nil || knocks.Load() != 1 {
		t.Errorf("%d knocks: %v", knocks.Load(), err)
	}
	if !strings.Contains(f.Message, "another device is there") || strings.Contains(f.Message, "dns4") || strings.Contains(f.Message, "0.0.0.0") {
		t.Errorf("it says %q", f.Message)
	}
	if known := phone.net.Host().Peerstore().Addrs(laptop.net.ID()); len(known) > 0 {
		t.Errorf("the addresses stay: %v", known)
	}
	if p, err := w.Result(); p.ID != "" || err != nil {
		t.Errorf("the window ended with %v, %v", p, err)
	}
	if f, err := phone.uses(t, laptop.ticket(t, w, "/dns4/kith.invalid/tcp/1")); !errors.Is(err, control.ErrUnreachable) || !strings.Contains(f.Message, "no address") {
		t.Errorf("a ticket without any address: %+v", f)
	}
}

func TestATicketThatDoesNotAnswerSaysWhyOfEachAddress(t *testing.T) {
	phone, laptop := pairer(t, "phone"), pairer(t, "laptop")
	w := laptop.shows(t)
	one, two := refused(t).Addrs[0].String(), refused(t).Addrs[0].String()
	f, err := phone.uses(t, laptop.ticket(t, w, one, two))
	if !errors.Is(err, control.ErrUnreachable) || !strings.Contains(f.Message, one+": nothing listens there") ||
		!strings.Contains(f.Message, two+": nothing listens there") || !strings.Contains(f.Hint, "show the code on this one") {
		t.Errorf("%+v", f)
	}
	// The same for a code with addresses, and again at once: no back-off of the
	// library's is in the way of a person.
	for range 2 {
		f, err := phone.uses(t, w.Code().String(), one)
		if !errors.Is(err, control.ErrUnreachable) || !strings.Contains(f.Message, one) {
			t.Errorf("%+v", f)
		}
	}
	if _, err := phone.uses(t, laptop.ticket(t, w, append([]string{one}, laptop.addrs()...)...)); err != nil {
		t.Errorf("one address of several does not answer: %v", err)
	}
}

func TestWhatCannotBeMeantIsSaid(t *testing.T) {
	phone := pairer(t, "phone")
	w := phone.shows(t)
	for name, use := range map[string]func() error{
		"its own ticket":          func() error { _, err := phone.uses(t, phone.ticket(t, w, phone.addrs()...)); return err },
		"its own code":            func() error { _, err := phone.uses(t, w.Code().String(), phone.addrs()...); return err },
		"a ticket with a mistake": func() error { _, err := phone.uses(t, "kith1abc"); return err },
		"an address that is none": func() error { _, err := phone.uses(t, w.Code().String(), "/ip4/1.2.3"); return err },
		"a word that is none":     func() error { _, err := phone.uses(t, "48-acid-bonet-lunchbox"); return err },
	} {
		if err := use(); !errors.Is(err, control.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := w.Result(); p.ID != "" || err != nil {
		t.Errorf("the window ended with %v, %v", p, err)
	}
}

func TestASearchThatFindsNobodySaysWhatToDoNext(t *testing.T) {
	phone := pairer(t, "phone")
	f, err := phone.uses(t, "48-acid-bonnet-lunchbox")
	if !errors.Is(err, control.ErrNotFound) || !strings.Contains(f.Message, "local network is switched off") {
		t.Errorf("without mDNS: %+v", f)
	}
	f, err = phone.uses(t, "482-913-506-acid-bonnet-lunchbox")
	if !errors.Is(err, control.ErrDiscoveryOff) || !strings.Contains(f.Hint, "kith pair --anywhere CODE") {
		t.Errorf("a long number, with discovery off: %+v", f)
	}
}

func TestATicketNamesSomeOfEveryKindOfAddress(t *testing.T) {
	const self, relay = "/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp", "/p2p/12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu"
	var all []string
	for i := range 6 { // a machine with many networks of its own
		all = append(all, fmt.Sprintf("/ip4/172.%d.0.1/tcp/5484", 17+i)+self, fmt.Sprintf("/ip4/172.%d.0.1/udp/5484/quic-v1", 17+i))
	}
	all = append(all, "/ip4/127.0.0.1/tcp/5484", "/ip6/2001:db8::1/tcp/5484", "/ip6/fd00::1/tcp/5484", "/ip4/8.8.8.8/tcp/5484"+self, "/ip4/8.8.8.8/udp/5484/quic-v1",
		relay+"/p2p-circuit", "/ip4/9.9.9.9/tcp/1"+relay+"/p2p-circuit"+self, "nonsense", "/dns4/x/tcp/1")
	got := invited(all)
	want := []string{"/ip4/172.17.0.1/tcp/5484", "/ip4/8.8.8.8/tcp/5484", "/ip6/2001:db8::1/tcp/5484", relay + "/p2p-circuit", "/ip6/fd00::1/tcp/5484",
		"/ip4/172.17.0.1/udp/5484/quic-v1", "/ip4/8.8.8.8/udp/5484/quic-v1", "/ip4/172.18.0.1/tcp/5484"}
	if !slices.Equal(got, want) || !outside(got) {
		t.Errorf("%q", got)
	}
	if got := invited([]string{"/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"}); len(got) != 2 || outside(got) {
		t.Errorf("a device that listens to its own machine alone: %q", got)
	}
	if outside([]string{"/ip4/192.168.1.5/tcp/1", "/ip6/fd00::1/tcp/5484", "/ip4/100.64.1.1/tcp/1"}) {
		t.Error("private addresses are taken for public ones")
	}
	gate := pairer(t, "laptop")
	w := gate.shows(t)
	if ticket := gate.ticket(t, w, want...); len(ticket) > 650 { // characters of a QR code of 73 modules
		t.Errorf("a ticket of %d characters", len(ticket))
	}
}
