// Package doctor says in words why a device cannot be reached, and what to do,
// from what was tried.
//
// It tries nothing itself and knows no network: package node hands it the
// facts ([Network], [Device]), and it decides. It is pure.
//
// # Promises
//
//   - Every device gets one finding: the nearest cause that the facts allow,
//     never a mere error.
//   - Where the facts leave two causes open, the finding says both.
//   - A code, once given out, keeps its meaning.
package doctor

import (
	"net/netip"
	"time"
)

// Code names a finding, for scripts.
type Code string

// Finding is what was found out, and what to do about it.
type Finding struct {
	OK      bool
	Code    Code
	Message string
	Hint    string // empty if there is nothing to do
}

// Network is how this device stands in the world.
type Network struct {
	Now      time.Time
	Networks []netip.Prefix // of which this machine is a part, without loopback
	Missing  bool           // some device that is wanted is not connected

	MDNS    bool // switched on
	Joined  bool // some network carries multicast for it
	Failure string
	Own     int // packets of its own that came back
	Others  int // other machines heard there

	LANOnly bool
	Ports   []uint16 // where it listens
	Wanted  []uint16 // where it was to listen
	Inbound []Probe  // what paired devices say of reaching it

	Discovery string // "off", "private" or "public"
	Board     Board
	Mirrors   []Mirror
	Relay     string // the setting: "auto", "on" or "off"
	Relaying  bool   // for paired devices
	Relays    []Relay
	Clock     Clock
}

// Probe is one attempt of a paired device to connect to this one.
type Probe struct {
	By   string
	Addr string
	OK   bool
}

// Board is how the rendezvous does.
type Board struct {
	Nodes     int // that this device is in touch with
	DNS       bool
	Failed    string // how the first contact failed; empty if it did not
	Published time.Time
	Refused   string   // why nothing could be left there; empty if it could
	Entries   []string // where others can enter it, as a setting takes it; none of the public one
}

// Mirror is where a paired device sees this one.
type Mirror struct {
	By   string
	Addr netip.AddrPort
}

// Relay is a paired device that is connected, and whether it carries others.
type Relay struct {
	Name    string
	Serves  bool   // it says that it relays
	Granted bool   // to this device
	Refusal string // why not
}

// Clock is what is known to be wrong with the clock of this device.
type Clock struct {
	Behind time.Duration // what it has seen before; 0 for nothing wrong
}

// Device is what was found out about one device.
type Device struct {
	Name      string
	Paused    bool   // by a person, here
	Resume    string // the command that ends it
	Connected bool
	How       string // it is connected, in words
	Talks     bool   // it has answered, on the connection
	Trouble   Trouble

	LastSeen time.Time
	SeenBy   []string // connected devices that are in touch with it now
	Heard    bool     // it announces itself on this network
	Tries    []Try
	Lookup   Lookup
	Through  Through
}

// Through is the device whose relay the last connection came by.
type Through struct {
	Name   string // empty if there was none in between, as far as is known
	Away   bool   // it is paired, and not connected
	Serves bool   // it is connected, and says that it relays
}

// Trouble is why two devices that are connected do not talk.
type Trouble uint8

// The troubles.
const (
	NoTrouble      Trouble = iota
	OtherVersion           // they do not understand each other
	NotPairedThere         // the other does not count this one as paired
)

// Outcome is what became of an attempt to reach a device at an address.
type Outcome string

// The outcomes, those of package discovery.
const (
	Answers     Outcome = "answers"
	TurnedAway  Outcome = "turned_away"
	Refused     Outcome = "refused"
	TimedOut    Outcome = "timed_out"
	Unreachable Outcome = "unreachable"
	NoRoute     Outcome = "no_route"
	Forbidden   Outcome = "forbidden"
	HungUp      Outcome = "hung_up"
	NotKith     Outcome = "not_kith"
	OtherDevice Outcome = "other_device"
	NotTried    Outcome = "not_tried"
)

// Place is where an address lies.
type Place string

// The places, those of package discovery.
const (
	Here   Place = "here"
	Near   Place = "near"
	Away   Place = "away"
	Public Place = "public"
	Behind Place = "relay"
)

// Try is one address, and what came of it.
type Try struct {
	Addr    string // as people write it: 192.168.1.7:5484
	Port    string
	Via     string // the transport, or the name of the relay
	Place   Place
	Outcome Outcome
	Other   string // who answers instead
}

// Lookup is what the rendezvous has of a device.
type Lookup struct {
	Done  bool
	Found int    // addresses
	Error string // why it could not be asked
}
