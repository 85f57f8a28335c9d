package control

import (
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// Ready is what a device says when it has begun to serve.
type Ready struct {
	Identity
	Listen []string // multiaddrs
	UI     string   // URL of the web UI; empty if there is none
	New    bool     // this start created the device
}

// PauseRequest asks for a pause.
type PauseRequest struct {
	Target string        // a folder or a device; empty for everything
	For    time.Duration // zero: until resumed
}

// Offering is a folder to offer to whoever pairs.
type Offering struct {
	Folder string
	Role   entry.Role // zero means sync
}

// ShowCodeRequest asks to open a pairing window.
type ShowCodeRequest struct {
	Shares   []Offering
	Anywhere bool // to be found beyond the local network too
}

// Invitation is what the other device needs to pair with this one.
type Invitation struct {
	Code    string // for people: "48-acid-bonus-lunar"
	Ticket  string // for machines: what the QR code holds
	Expires time.Time

	Anywhere bool // the code can be found beyond the local network too
	Outside  bool // the ticket has an address that is not of the local network
}

// Discovery is how devices are found beyond the local network.
type Discovery struct {
	Mode    string // off, private or public
	Changed bool   // it was off before
	LANOnly bool   // the device stays within the local network, whatever the mode
}

// Paired tells who this device has paired with.
type Paired struct {
	Identity
	Check [4]string // both devices show the same words
}

// UseCodeRequest asks to pair with the device that shows a code.
type UseCodeRequest struct {
	Code string   // a code or a ticket
	At   []string // multiaddrs where the device is; empty: search for it
}

// RenameRequest asks to give a device a name.
type RenameRequest struct {
	Device string
	Name   string
}

// AddRequest asks to make a tree a folder.
type AddRequest struct {
	Path  string // absolute
	Label string // empty: the last name of the path
}

// ShareRequest asks to offer a folder to a peer.
type ShareRequest struct {
	Folder string
	Device string
	Role   entry.Role // zero means sync
}

// UnshareRequest asks to remove a member.
type UnshareRequest struct {
	Folder string
	Device string
}

// Share is a membership that was offered or has ended.
type Share struct {
	Folder Folder
	Device Identity
	Role   entry.Role // of that device
}

// Offer is a folder that a peer offers to this device.
type Offer struct {
	Folder entry.FolderID
	Label  string
	From   Identity
	Role   entry.Role // what this device is meant to do
}

// AcceptRequest asks to take an offer.
type AcceptRequest struct {
	Folder string
	Path   string     // absolute; empty for a backup only, whose vault it is else
	Role   entry.Role // zero: the role that was offered
}

// Goal is what to wait for.
type Goal string

// The goals.
const (
	// Synced: this device and every connected member of the folder hold the
	// same versions and nothing is wanted, after a scan that began with the
	// call.
	Synced Goal = "synced"
	// Protected: a backup holds everything that this device has now.
	Protected Goal = "protected"
	// Connected: at least one other member of the folder is connected.
	Connected Goal = "connected"
)

// WaitRequest asks to wait for a goal.
type WaitRequest struct {
	Folders []string // empty: all
	For     Goal
	Timeout time.Duration // zero: without end
}

// Progress is how far a wait has come.
type Progress struct {
	Folders []FolderProgress
}

// FolderProgress is how far a wait has come for one folder.
type FolderProgress struct {
	Folder
	State   State
	Reached bool
	// NeedFiles and NeedBytes are what is still missing, here and on the
	// connected members together; for Protected, on the backup.
	NeedFiles int64
	NeedBytes int64
}
