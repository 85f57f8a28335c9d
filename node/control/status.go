package control

import (
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Identity tells who a device is.
type Identity struct {
	ID   entry.DeviceID
	Name string
}

// Folder is a folder as this device has it.
type Folder struct {
	ID    entry.FolderID
	Label string
	Path  string // on this device; empty for a backup
	Role  entry.Role
}

// State is what a folder is doing here, in the words of `kith status`.
type State string

// The states of a folder.
const (
	StateInSync   State = "in-sync"  // nothing is wanted and the last scan is done
	StateScanning State = "scanning" // looking for changes
	StateSyncing  State = "syncing"  // fetching or applying what is wanted
	StateWaiting  State = "waiting"  // something is wanted that no connected member holds
	StatePaused   State = "paused"   // by a person
	StateHeld     State = "held"     // a batch waits for approval
	StateFenced   State = "fenced"   // met a counter of its own that it does not remember
	StateError    State = "error"    // unusable; its problems say why
)

// Problem is a condition that lasts until its cause is gone.
type Problem struct {
	Path    string // within the folder; empty if it concerns the whole
	Code    string // stable, like "disk_full"
	Message string // what is so
	Hint    string // what to do; may be empty
}

// Status is how a device is doing.
type Status struct {
	Identity
	Paused   bool     // everything is, by a person
	Listen   []string // multiaddrs at which this device can be reached
	Folders  []FolderStatus
	Peers    []PeerStatus
	Problems []Problem // those of the device itself
}

// FolderStatus is how a folder is doing on this device.
type FolderStatus struct {
	Folder
	State     State
	Files     int64 // regular files known, deleted ones not counted
	Bytes     int64 // of those files
	NeedFiles int64 // wanted here
	NeedBytes int64
	Conflicts int64 // conflict copies that lie in the folder
	Held      int64 // batches that wait for approval
	Problems  []Problem
	// ProtectedAsOf is the moment as of which a backup holds everything that
	// was here; zero if there never was one.
	ProtectedAsOf time.Time
	Members       []MemberStatus // the others, without this device
	// LocalEdits are the paths whose changes stay here (role receive), Untaken
	// the changes of other members that the role does not take.
	LocalEdits int64
	Untaken    int64
	// AbsentFiles and AbsentBytes are what of Files and Bytes does not lie
	// here, by choice.
	AbsentFiles int64
	AbsentBytes int64
	// Vault is what this device keeps of the folder's past; nil for nothing.
	Vault *VaultStatus
}

// VaultStatus is a vault of this device.
type VaultStatus struct {
	Versions int64
	Bytes    int64     // on disk
	Quota    int64     // 0: none
	Since    time.Time // what it holds goes back to then
	Schedule string    // of a backup; empty for continuous
	LastRun  time.Time
	NextRun  time.Time // zero for continuous
	Scrubbed time.Time // the last round of reading everything was complete
	Damaged  int64     // blocks and records that are damaged
	Store    *Store    // nil: its packs lie in its directory alone
}

// MemberStatus is how another member of a folder is doing, seen from here.
type MemberStatus struct {
	Identity
	Role       entry.Role
	Connected  bool
	NeedFiles  int64 // what it lacks of what is here
	NeedBytes  int64
	LastProven time.Time // it proved that it holds what it says; zero for never
	// Of a member that keeps a vault: the moment as of which it holds all that
	// was here, its schedule, and when the last drill was passed.
	ProtectedAsOf time.Time
	Schedule      string // empty for continuous
	LastDrill     time.Time
}

// PeerStatus is how a device is doing, seen from here, that is paired with this
// one or a member of a folder of it.
type PeerStatus struct {
	Identity
	Connected bool
	Paused    bool      // by a person
	Through   bool      // known through a folder only, and not paired
	Via       Via       // while connected
	Transport Transport // while connected
	Addr      string    // a multiaddr; the last known one while not connected
	LastSeen  time.Time // zero for never
	Sent      int64     // bytes on the wire to this peer since this device started
	Received  int64     // bytes on the wire from it

	Relay   string    // while connected through one: the name of the device that relays
	Punched bool      // while connected: the way was made through a router from both sides
	Since   time.Time // while connected: in this way
	// RoundTrip and Why are told by Devices alone: the way there and back, zero
	// if it could not be measured, and the cause of not being connected, whose
	// code is empty if it is.
	RoundTrip time.Duration
	Why       Problem
}

// Via is the kind of way by which a peer is reached.
type Via string

// The ways to a peer.
const (
	ViaLAN    Via = "lan"
	ViaDirect Via = "direct"
	ViaRelay  Via = "relay"
)

// Transport is what carries a connection.
type Transport string

// The transports.
const (
	QUIC Transport = "quic"
	TCP  Transport = "tcp"
)
