package doctor

// The codes of a device: just one for each.
const (
	Connected     Code = "connected"
	Paused        Code = "paused"
	TurnsAway     Code = "turned_away"    // it is on, and refuses this one: revoked, forgotten or paused there
	Version       Code = "version"        // connected, with software that speaks another version
	Silent        Code = "silent"         // connected, but does not answer
	AnswersNow    Code = "answers"        // it answers now, though it is not connected yet
	Firewall      Code = "firewall"       // announced here, and drops or refuses connections
	Isolated      Code = "isolated"       // announced here, and kept apart by the network
	BlockedHere   Code = "blocked_here"   // this machine does not let kith send
	NoNetwork     Code = "no_network"     // this machine is on no network
	OffDiscovery  Code = "discovery_off"  // it is out there, and nothing beyond the local network is tried
	OnlyLAN       Code = "lan_only"       // the same, because this device is told to
	NoWay         Code = "no_way"         // it is on, and no way to it works: no relay, or none that lets in
	RelayGone     Code = "relay_gone"     // the device that relayed to it is not connected
	RelayRefused  Code = "relay_refused"  // the same: those that relay refuse
	HardNAT       Code = "nat"            // the same: the router of this network cannot be punched through
	NoMDNS        Code = "no_mdns"        // not found: nobody answers on this network
	OffMDNS       Code = "mdns_off"       // not found: not looked for on this network
	NoAddress     Code = "no_address"     // nobody knows where it is
	NotFound      Code = "not_found"      // nor does the rendezvous
	BoardDown     Code = "rendezvous"     // the rendezvous cannot be asked
	WrongNetwork  Code = "wrong_network"  // its addresses are those of another network
	AddressReused Code = "address_reused" // another machine has its address now
	NotRunning    Code = "not_running"    // its machine is on, and kith is not
	Off           Code = "off"            // nothing answers anywhere
)

// The codes of this device's network.
const (
	OnNetwork   Code = "network"
	LANWorks    Code = "mdns"
	LANSilent   Code = "mdns_silent"  // nobody but this machine is heard
	LANDeaf     Code = "mdns_blocked" // not even this machine itself
	Listens     Code = "listening"
	PortTaken   Code = "port_taken"  // another program has the port that was asked for
	PortClosed  Code = "port_closed" // paired devices cannot connect to this one
	Discovers   Code = "discovery"   // the rendezvous works
	BoardEmpty  Code = "rendezvous_empty"
	BoardDNS    Code = "rendezvous_dns"
	BoardAway   Code = "rendezvous_unreachable"
	BoardPut    Code = "rendezvous_refused"
	BoardEntry  Code = "rendezvous_entry" // where others can enter it: this device
	NATKind     Code = "nat_symmetric"
	NATFriendly Code = "nat_cone"
	SeenOutside Code = "outside" // by one device only, which does not show what the router is like
	RelayReady  Code = "relay"
	RelayNone   Code = "relay_none"
	RelayServes Code = "relay_serves" // this device relays for others
	RelayOff    Code = "relay_off"    // it does not, as it is told
	RelayDenied Code = "relay_denied"
	ClockBack   Code = "clock_back"
)

// words are the codes of a device in a few words, for a list of devices.
var words = map[Code]string{
	Paused: "paused", TurnsAway: "it turns this device away", Version: "its kith is of another version", Silent: "it does not answer",
	AnswersNow: "about to connect", Firewall: "behind a firewall", Isolated: "kept apart by the network", BlockedHere: "forbidden on this machine",
	NoNetwork: "this machine is on no network", OffDiscovery: "beyond this network", OnlyLAN: "beyond this network", NoWay: "no way to it",
	RelayGone: "its relay is not connected", RelayRefused: "on, but no relay lets through", HardNAT: "no way through the router", NoMDNS: "not found", OffMDNS: "not looked for",
	NoAddress: "no address known", NotFound: "not found", BoardDown: "not found", WrongNetwork: "in another network", AddressReused: "its address is another's now",
	NotRunning: "its machine is on, kith is not", Off: "off, asleep or elsewhere",
}

// Word is a code of a device in a few words; empty for one that is connected.
func Word(c Code) string { return words[c] }
