package node

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libprotocol "github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	msmux "github.com/multiformats/go-multistream"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/doctor"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/exchange"
)

func TestTheReasonsOfAPeerAreToldApart(t *testing.T) {
	reset := func(code network.StreamErrorCode) error {
		return fmt.Errorf("read: %w", &network.StreamError{ErrorCode: code, Remote: true})
	}
	for name, c := range map[string]struct {
		err  error
		want doctor.Trouble
	}{
		"nothing":                       {nil, doctor.NoTrouble},
		"a connection that broke":       {errors.New("reset"), doctor.NoTrouble},
		"it is stopping":                {reset(0x6b03), doctor.NoTrouble},
		"it does not count this device": {reset(0x6b01), doctor.NotPairedThere},
		"it does not understand":        {reset(0x6b05), doctor.OtherVersion},
		"it is not understood":          {fmt.Errorf("hear: %w", exchange.ErrProtocol), doctor.OtherVersion},
		"it has no such protocol":       {fmt.Errorf("open: %w", msmux.ErrNotSupported[libprotocol.ID]{Protos: []libprotocol.ID{"/x"}}), doctor.OtherVersion},
	} {
		if got := trouble(c.err); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestAddressesAreShownAsPeopleWriteThem(t *testing.T) {
	for addr, want := range map[string]string{
		"/ip4/10.0.0.1/tcp/5484":              "10.0.0.1:5484",
		"/ip4/10.0.0.1/udp/5484/quic-v1":      "10.0.0.1:5484",
		"/ip6/2001:db8::1/udp/5484/quic-v1":   "[2001:db8::1]:5484",
		"/ip4/10.0.0.1":                       "",
		"/dns4/nas.example/tcp/5484":          "",
		"/ip6/::ffff:10.0.0.1/tcp/1":          "10.0.0.1:1",
		"/ip4/198.51.100.7/udp/1/quic-v1/p2p": "",
	} {
		a, err := ma.NewMultiaddr(addr)
		if err != nil {
			continue
		}
		at, ok := addrPort(a)
		if ok != (want != "") || ok && at.String() != want {
			t.Errorf("%s is %s, want %q", addr, at, want)
		}
	}
}

func TestEveryOutcomeHasWords(t *testing.T) {
	for _, o := range []doctor.Outcome{
		doctor.Answers, doctor.TurnedAway, doctor.Refused, doctor.TimedOut, doctor.Unreachable, doctor.NoRoute, doctor.Forbidden,
		doctor.HungUp, doctor.NotKith, doctor.OtherDevice,
	} {
		if got := resultOf(doctor.Try{Outcome: o}, time.Second); got == resultOf(doctor.Try{Outcome: doctor.NotTried}, 0) {
			t.Errorf("%s is told as what was not tried", o)
		}
	}
	if got := resultOf(doctor.Try{Outcome: doctor.TimedOut}, 5*time.Second); got != "no answer in 5 s" {
		t.Errorf("got %q", got)
	}
}

func TestMachinesAreCountedOnce(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("10.0.0.2")}
	if got := machines(addrs); got != 2 {
		t.Errorf("got %d, want 2", got)
	}
}

// TestWhatIsLackingIsWrongOnlyIfADeviceIsMissingAtTheEnd has a phone that was
// missing when the examination began.
func TestWhatIsLackingIsWrongOnlyIfADeviceIsMissingAtTheEnd(t *testing.T) {
	for _, came := range []bool{true, false} {
		var silence control.Finding
		x := examination{whole: true, told: func(r control.Reached) error {
			if r.Finding.Code == string(doctor.LANSilent) {
				silence = *r.Finding
			}
			return nil
		}}
		n := doctor.Network{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, MDNS: true, Joined: true, Own: 1, Missing: true}
		phone := []membership.Peer{{ID: "phone"}}
		x.conclude(&n, phone, phone, map[entry.DeviceID]doctor.Device{"phone": {Name: "phone", Connected: came, Talks: came}})
		if silence.Code == "" || silence.OK != came {
			t.Errorf("connected at the end: %t; got %+v", came, silence)
		}
	}
}

func TestWhyTheRendezvousCannotBeAskedIsInWords(t *testing.T) {
	for _, err := range []error{discovery.ErrAlone, discovery.ErrNoBoard, errors.New("dht: x")} {
		if got := lookUpTrouble(fmt.Errorf("find %q: %w", "12D3", err)); got == "" || len(got) > 80 {
			t.Errorf("%v is told as %q", err, got)
		}
	}
	if got := lookUpTrouble(fmt.Errorf("find: %w", discovery.ErrNothing)); got != "" {
		t.Errorf("that there is nothing is told as %q", got)
	}
	got := namesIn([]string{"/dnsaddr/nas.example/p2p-circuit", "/ip4/10.0.0.1/tcp/1", "/dns4/vps.example/tcp/5485", "no address"})
	if want := []string{"_dnsaddr.nas.example", "vps.example"}; !slices.Equal(got, want) {
		t.Errorf("the names to look up are %q, want %q", got, want)
	}
}
