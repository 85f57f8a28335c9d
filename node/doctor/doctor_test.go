package doctor

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// home is the network of a device that misses another one: all is well with it.
func home() Network {
	return Network{
		Now: noon, Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, Missing: true,
		MDNS: true, Joined: true, Own: 2, Others: 3, Ports: []uint16{5484}, Wanted: []uint16{5484}, Discovery: "off", Relay: "auto",
	}
}

func anywhere() Network {
	n := home()
	n.Discovery, n.Board = "public", Board{Nodes: 40, Published: noon.Add(-time.Hour)}
	return n
}

func try(place Place, o Outcome) Try {
	addr := map[Place]string{Here: "127.0.0.1:5484", Near: "10.0.0.9:5484", Away: "192.168.1.7:5484", Public: "198.51.100.7:5484", Behind: "through nas"}[place]
	t := Try{Addr: addr, Port: "5484", Via: "tcp", Place: place, Outcome: o}
	if place == Behind {
		t.Port, t.Via = "", "nas"
	}
	return t
}

func phone(tries ...Try) Device {
	return Device{Name: "phone", LastSeen: noon.Add(-3 * time.Hour), Tries: tries}
}

func heard(tries ...Try) Device {
	d := phone(tries...)
	d.Heard = true
	return d
}

func seen(tries ...Try) Device {
	d := phone(tries...)
	d.SeenBy = []string{"nas"}
	return d
}

func by(t Through, d Device) Device {
	d.Through = t
	return d
}

func lookedUp(found int, err string, tries ...Try) Device {
	d := phone(tries...)
	d.Lookup = Lookup{Done: true, Found: found, Error: err}
	return d
}

func TestADeviceGetsTheNearestCause(t *testing.T) {
	away := func(change func(*Network)) Network { n := home(); change(&n); return n }
	cases := map[string]struct {
		n    Network
		d    Device
		code Code
		says []string
	}{
		"it is connected":                               {home(), Device{Name: "phone", Connected: true, Talks: true, How: "lan tcp"}, Connected, []string{"lan tcp"}},
		"it is paused":                                  {home(), Device{Name: "phone", Paused: true, Resume: "kith resume phone"}, Paused, []string{"kith resume phone"}},
		"it speaks another version":                     {home(), Device{Name: "phone", Connected: true, Trouble: OtherVersion}, Version, []string{"versions"}},
		"it says that it is not paired":                 {home(), Device{Name: "phone", Connected: true, Trouble: NotPairedThere}, TurnsAway, []string{"revoked", "kith pair"}},
		"it is connected and mute":                      {home(), Device{Name: "phone", Connected: true, How: "lan tcp"}, Silent, nil},
		"it closes the connection":                      {home(), phone(try(Near, TimedOut), try(Near, TurnedAway)), TurnsAway, []string{"10.0.0.9:5484", "paused there"}},
		"it closes that by a relay too":                 {anywhere(), phone(try(Public, TimedOut), try(Behind, TurnedAway)), TurnsAway, nil},
		"it answers by now":                             {home(), phone(try(Near, Answers)), AnswersNow, nil},
		"this machine is on no network":                 {away(func(n *Network) { n.Networks = nil }), phone(try(Away, NoRoute)), NoNetwork, []string{"cable"}},
		"a firewall drops":                              {home(), heard(try(Near, TimedOut)), Firewall, []string{"10.0.0.9:5484", "TCP and UDP port 5484", "isolation"}},
		"a firewall refuses":                            {home(), heard(try(Near, Refused)), Firewall, []string{"refused"}},
		"the network isolates":                          {home(), heard(try(Near, Unreachable)), Isolated, []string{"client isolation"}},
		"the network isolates, which UDP does not tell": {home(), heard(try(Near, Unreachable), Try{Addr: "10.0.0.9:5484", Port: "5484", Via: "quic", Place: Near, Outcome: TimedOut}), Isolated, nil},
		"a firewall here":                               {home(), phone(try(Near, Forbidden)), BlockedHere, []string{"here"}},
		"seen elsewhere, and discovery is off":          {home(), seen(try(Away, NotTried)), OffDiscovery, []string{"nas is connected with it", "kith config set discovery"}},
		"seen elsewhere, and this device stays here": {
			away(func(n *Network) { n.LANOnly = true }), seen(try(Away, NotTried)), OnlyLAN, []string{"lan-only"},
		},
		"seen, and the relay refuses": {anywhere(), seen(try(Public, TimedOut), try(Behind, Refused)), RelayRefused, []string{"nas will not relay"}},
		"seen, and the router is symmetric": {func() Network {
			n := anywhere()
			n.Mirrors = []Mirror{{"nas", netip.MustParseAddrPort("203.0.113.1:4001")}, {"vps", netip.MustParseAddrPort("203.0.113.1:4002")}}
			return n
		}(), seen(try(Public, TimedOut), try(Behind, Unreachable)), HardNAT, []string{"gives each connection another address"}},
		"seen, and nobody relays": {anywhere(), seen(try(Public, TimedOut)), NoWay, []string{"kith config set relay on"}},
		"its relay is away": {anywhere(), by(Through{Name: "server", Away: true}, lookedUp(0, "", try(Public, TimedOut))), RelayGone,
			[]string{"reached through server, which is not connected", "198.51.100.7:5484", "see to server first", "last seen 3 h ago"}},
		"its relay is away, and an address refuses":  {anywhere(), by(Through{Name: "server", Away: true}, phone(try(Public, Refused))), RelayGone, nil},
		"its relay is away, and no address is known": {anywhere(), by(Through{Name: "server", Away: true}, lookedUp(0, "")), RelayGone, nil},
		"its relay is away, and it has moved":        {anywhere(), by(Through{Name: "server", Away: true}, lookedUp(2, "", try(Away, TimedOut))), RelayGone, nil},
		"its relay is away, and another sees it": {anywhere(), by(Through{Name: "server", Away: true}, seen(try(Public, TimedOut))), RelayGone,
			[]string{"it is on: nas is connected with it; but it was reached through server"}},
		"its relay relays no more": {anywhere(), by(Through{Name: "server"}, lookedUp(0, "", try(Public, TimedOut))), NoWay,
			[]string{"reached through server", "no connected device relays", "kith config set relay on"}},
		"its relay relays no more, and another does not know it": {anywhere(), by(Through{Name: "server"}, phone(try(Public, TimedOut), try(Behind, Unreachable))), NoWay,
			[]string{"nas, which could relay, has no connection with it"}},
		"its relay refuses":                             {anywhere(), by(Through{Name: "nas", Serves: true}, phone(try(Public, TimedOut), try(Behind, Refused))), RelayRefused, []string{"nas will not relay"}},
		"its relay has lost it too":                     {anywhere(), by(Through{Name: "nas", Serves: true}, lookedUp(0, "", try(Public, TimedOut), try(Behind, Unreachable))), Off, nil},
		"its relay is away, and its machine is here":    {anywhere(), by(Through{Name: "server", Away: true}, phone(try(Near, Refused))), NotRunning, nil},
		"its relay is away, and discovery is off":       {home(), by(Through{Name: "server", Away: true}, phone(try(Public, NotTried))), OffDiscovery, nil},
		"its relay is away, and it answers":             {anywhere(), by(Through{Name: "server", Away: true}, phone(try(Public, Answers))), AnswersNow, nil},
		"nobody knows an address":                       {home(), phone(), NoAddress, []string{"is kith up on phone"}},
		"no address, and nobody answers here":           {away(func(n *Network) { n.Others = 0 }), phone(), NoMDNS, []string{"multicast", "guest Wi-Fi"}},
		"no address, and mdns is off":                   {away(func(n *Network) { n.MDNS = false }), phone(), OffMDNS, []string{"mdns"}},
		"the rendezvous has nothing":                    {anywhere(), lookedUp(0, ""), NotFound, []string{"discovery switched on there too"}},
		"the rendezvous cannot be asked":                {anywhere(), lookedUp(0, "no node of it answers"), BoardDown, []string{"no node of it answers"}},
		"its machine is on":                             {home(), phone(try(Near, Refused)), NotRunning, []string{"no kith listens", "kith up"}},
		"something else is there":                       {home(), phone(try(Near, NotKith)), NotRunning, []string{"does not speak as kith does"}},
		"its address is another's":                      {home(), phone(Try{Addr: "10.0.0.9:5484", Place: Near, Outcome: OtherDevice, Other: "nas"}), AddressReused, []string{"nas answers"}},
		"it is in another network":                      {home(), phone(try(Away, NotTried)), WrongNetwork, []string{"192.168.1.7:5484", "10.0.0.0/24", "discovery"}},
		"it is in another network, and unheard of":      {anywhere(), lookedUp(0, "", try(Away, TimedOut)), WrongNetwork, []string{"rendezvous has nothing"}},
		"it has a public address, and discovery is off": {home(), phone(try(Public, NotTried)), OffDiscovery, []string{"198.51.100.7:5484"}},
		"the same with lan-only":                        {away(func(n *Network) { n.LANOnly = true }), phone(try(Public, NotTried)), OnlyLAN, nil},
		"it is off":                                     {home(), phone(try(Near, TimedOut), try(Near, Unreachable)), Off, []string{"10.0.0.9:5484", "last seen 3 h ago"}},
		"it is off, and so is multicast":                {away(func(n *Network) { n.Others = 0 }), phone(try(Near, TimedOut)), Off, []string{"multicast"}},
		"it is off, far away":                           {anywhere(), lookedUp(0, "", try(Public, TimedOut)), Off, []string{"rendezvous has nothing"}},
		"the rendezvous knows where it is":              {anywhere(), lookedUp(2, "", try(Public, TimedOut), try(Behind, Unreachable)), NoWay, []string{"nas, which could relay"}},
		"the same with a relay that refuses":            {anywhere(), lookedUp(2, "", try(Public, TimedOut), try(Behind, Refused)), RelayRefused, []string{"nas will not relay"}},
		"the same with no relay":                        {anywhere(), lookedUp(2, "", try(Away, TimedOut)), NoWay, []string{"no connected device relays"}},
		"it was never there":                            {home(), Device{Name: "phone"}, NoAddress, []string{"never connected"}},
	}
	for name, c := range cases {
		got := Diagnose(&c.n, &c.d)
		if got.Code != c.code {
			t.Errorf("%s: got %s (%s), want %s", name, got.Code, got.Message, c.code)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(got.Message+"\n"+got.Hint, s) {
				t.Errorf("%s: %q is not in\n%s\n%s", name, s, got.Message, got.Hint)
			}
		}
		if got.OK != (c.code == Connected) {
			t.Errorf("%s: OK is %t", name, got.OK)
		}
		if !got.OK && (got.Hint == "" || Word(got.Code) == "") {
			t.Errorf("%s: no hint (%q) or no word (%q) for %s", name, got.Hint, Word(got.Code), got.Code)
		}
	}
}

// TestWhatDoesNotHarmIsNotWrong has a device whose peers are all connected.
func TestWhatDoesNotHarmIsNotWrong(t *testing.T) {
	for name, change := range map[string]func(*Network){
		"alone on a network":   func(n *Network) { n.Others = 0 },
		"without mdns":         func(n *Network) { n.MDNS = false },
		"on no network":        func(n *Network) { n.Networks, n.Joined, n.Others = nil, false, 0 },
		"with discovery off":   func(*Network) {},
		"behind a router":      func(n *Network) { n.Discovery, n.Board.Nodes, n.Inbound = "public", 3, []Probe{{By: "nas"}} },
		"with nobody to relay": func(n *Network) { n.Discovery, n.Board.Nodes = "private", 1 },
	} {
		n := home()
		n.Missing = false
		change(&n)
		for _, f := range Survey(&n) {
			if !f.OK {
				t.Errorf("%s: %s is wrong: %s", name, f.Code, f.Message)
			}
		}
	}
}

// harder are the codes of what is not wrong by itself.
var harder = []Code{PortClosed, NATKind, RelayNone}

func TestWhatIsWrongWithTheNetworkIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Network)
		code   Code
	}{
		"nobody is heard":       {func(n *Network) { n.Others = 0 }, LANSilent},
		"not even itself":       {func(n *Network) { n.Others, n.Own = 0, 0 }, LANDeaf},
		"no multicast at all":   {func(n *Network) { n.Others, n.Joined = 0, false }, LANDeaf},
		"the port is taken":     {func(n *Network) { n.Ports = []uint16{40001} }, PortTaken},
		"nobody gets in":        {func(n *Network) { n.Inbound = []Probe{{By: "nas"}, {By: "vps"}} }, PortClosed},
		"an empty rendezvous":   {func(n *Network) { n.Discovery = "private" }, BoardEmpty},
		"names do not resolve":  {func(n *Network) { n.Discovery, n.Board.DNS, n.Board.Failed = "public", true, "no such host" }, BoardDNS},
		"the rendezvous is far": {func(n *Network) { n.Discovery, n.Board.Failed = "public", "no node answers" }, BoardAway},
		"it takes nothing in":   {func(n *Network) { n.Discovery, n.Board.Nodes, n.Board.Refused = "public", 9, "too few nodes" }, BoardPut},
		"a symmetric router": {func(n *Network) {
			n.Discovery, n.Board.Nodes = "public", 9
			n.Mirrors = []Mirror{{"nas", netip.MustParseAddrPort("203.0.113.1:4001")}, {"vps", netip.MustParseAddrPort("203.0.113.1:4002")}}
		}, NATKind},
		"no relay": {func(n *Network) { n.Discovery, n.Board.Nodes = "public", 9 }, RelayNone},
		"a relay refuses": {func(n *Network) {
			n.Discovery, n.Board.Nodes, n.Relays = "public", 9, []Relay{{Name: "nas", Refusal: "it refuses"}}
		}, RelayDenied},
		"its clock was set back": {func(n *Network) { n.Clock.Behind = 26 * time.Hour }, ClockBack},
		"mdns is off":            {func(n *Network) { n.MDNS = false }, OffMDNS},
		"it is on no network":    {func(n *Network) { n.Networks = nil }, NoNetwork},
	} {
		n := home()
		c.change(&n)
		found := false
		for _, f := range Survey(&n) {
			if f.Code == c.code {
				found = true
				if f.OK != slices.Contains(harder, c.code) {
					t.Errorf("%s: OK is %t", name, f.OK)
				}
				if f.Hint == "" {
					t.Errorf("%s: nothing to do about %q", name, f.Message)
				}
			}
		}
		if !found {
			t.Errorf("%s: %s is not told: %+v", name, c.code, Survey(&n))
		}
	}
}

// TestEveryDeviceGetsACauseAndAHint draws facts at random.
func TestEveryDeviceGetsACauseAndAHint(t *testing.T) {
	places := []Place{Here, Near, Away, Public, Behind}
	outcomes := []Outcome{TurnedAway, Refused, TimedOut, Unreachable, NoRoute, Forbidden, HungUp, NotKith, OtherDevice, NotTried}
	rapid.Check(t, func(t *rapid.T) {
		n := home()
		n.Discovery = rapid.SampledFrom([]string{"off", "private", "public"}).Draw(t, "discovery")
		n.LANOnly, n.MDNS = rapid.Bool().Draw(t, "lan only"), rapid.Bool().Draw(t, "mdns")
		n.Others = rapid.IntRange(0, 2).Draw(t, "others")
		if rapid.Bool().Draw(t, "offline") {
			n.Networks = nil
		}
		d := Device{Name: "phone", Heard: rapid.Bool().Draw(t, "heard")}
		if rapid.Bool().Draw(t, "through") {
			d.Through = Through{Name: "server", Away: rapid.Bool().Draw(t, "away"), Serves: rapid.Bool().Draw(t, "serves")}
		}
		if rapid.Bool().Draw(t, "seen") {
			d.SeenBy = []string{"nas"}
		}
		for range rapid.IntRange(0, 4).Draw(t, "tries") {
			d.Tries = append(d.Tries, try(rapid.SampledFrom(places).Draw(t, "place"), rapid.SampledFrom(outcomes).Draw(t, "outcome")))
		}
		f := Diagnose(&n, &d)
		if f.OK || f.Code == "" || f.Message == "" || f.Hint == "" || Word(f.Code) == "" {
			t.Fatalf("got %+v", f)
		}
		if strings.Contains(f.Message, "nowhere") {
			t.Fatalf("an address is lacking: %s", f.Message)
		}
	})
}
