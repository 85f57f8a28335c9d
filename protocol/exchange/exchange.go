// Package exchange tells a peer what this device holds, and hears what the
// peer holds: hello, folders, offers, membership statements, keys, contacts,
// and every change of an index in sequence order, sealed.
//
// A device is the teller on the stream that it opened ([Teller]) and the
// listener on the one that the peer opened ([Listener]); see
// proto/wirepb/exchange.proto for who says what. The package decides nothing
// about versions and keeps no state beyond a stream: a [Book] says what there
// is to tell; an [Ear] takes what was heard, and a [Registry] what was heard of
// members.
//
// # Promises
//
//   - Whatever reaches an Ear or a Registry has passed its bounds; a message
//     that does not ends the stream with an error wrapping [ErrMessage].
//   - A folder is told of only after the listener has asked for it, and a
//     Book is asked anew for each batch, so that what changes in between is
//     told once and as it is then.
//   - A batch is told only after the keys that the Book had when the batch was
//     made, so that whoever may open it can.
//
// Teller and Listener belong to one stream each; their Run returns when the
// stream or the context ends, having waited for all that they started.
package exchange

import (
	"errors"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

// Protocol is the version of the exchange that this program speaks.
const Protocol = 1

var (
	// ErrMessage: the peer sent what the protocol does not allow.
	ErrMessage = errors.New("malformed exchange message")
	// ErrProtocol: the peer speaks a version of the protocol that this
	// program does not; one of the two needs an update.
	ErrProtocol = errors.New("unknown exchange protocol")
)

// Hello introduces a device.
type Hello struct {
	Name     string
	Software string
	Clock    version.Clock
}

// FolderState is where a teller's index of one folder stands.
type FolderState struct {
	Folder  entry.FolderID
	Index   uint64 // random number of the index
	Head    entry.Sequence
	Replica version.ReplicaID
	Roster  [16]byte // digest of its membership statements
	// Settled: the teller's index knows the history of all its files. One
	// that does not yet cannot settle another's.
	Settled bool
}

// Offer invites a peer into a folder.
type Offer struct {
	Folder     entry.FolderID
	Label      string
	Role       entry.Role
	Keys       map[entry.Epoch]seal.FolderKey // none for a role that holds no key
	Statements []roster.Statement
}

// Start asks a teller for all changes after a sequence.
type Start struct {
	Folder entry.FolderID
	Index  uint64
	After  entry.Sequence
	// Seen is the highest event number of the teller's replica that the
	// listener has met.
	Seen   uint64
	Roster [16]byte
	// Epochs are those whose keys the listener has; ascending where it was
	// heard, in any order where it is to be said.
	Epochs []entry.Epoch
	// Session and SessionSeen are the last session of the teller of which the
	// listener has changes, and how far they had counted.
	Session     uint64
	SessionSeen uint64
}

// Item is one change.
type Item struct {
	Sequence entry.Sequence
	Record   *seal.Record
}

// Batch is a run of changes of one index: Items, or entries sealed together.
type Batch struct {
	Folder entry.FolderID
	Index  uint64
	Items  []Item

	// Sealed is a batch of entries by [seal.Keys.SealBatch], under the keys of
	// Epoch, and Sequences says which change each of them is.
	Sealed    []byte
	Epoch     entry.Epoch
	Sequences []entry.Sequence

	// Absent are the positions, in Items or in the entries of Sealed, of those
	// whose bytes the teller does not hold: it knows of them, and nobody can
	// have them from it. Ascending.
	Absent []int
	// Session is that of the teller: a random number for each run; 0 for none.
	Session uint64

	After   entry.Sequence // the batch continues here
	Through entry.Sequence // and ends here
	Head    entry.Sequence // the teller's last
}

// Ack is how far a listener is.
type Ack struct {
	Folder    entry.FolderID
	Index     uint64
	Received  entry.Sequence
	Held      entry.Sequence
	NeedFiles uint64
	NeedBytes uint64
	// OwnIndex and OwnHead are where the listener's own index stands.
	OwnIndex uint64
	OwnHead  entry.Sequence
}

// Ask wants the listener to scan a folder.
type Ask struct {
	Folder entry.FolderID
	Nonce  uint64
}

// Answer follows the scan.
type Answer struct {
	Folder  entry.FolderID
	Nonce   uint64
	Index   uint64
	Head    entry.Sequence
	Problem string
}
