// Package history asks a vault about the past of a folder: what it held at a
// moment, which versions of a record it has, what it received since; and has
// it keep a moment, prove what it holds, and fetch what it lacks.
//
// Nothing here knows keys or vaults. A [Server] answers from a [Source] and a
// [Keeping], a [Client] asks over streams that it is given. Records stay
// sealed: opening them, and merging by path, is the caller's part. Blocks are
// fetched by package blocks. The format is specified in
// proto/wirepb/history.proto.
//
// # Promises
//
//   - Whatever reaches a caller, a Source or a Keeping has passed its bounds,
//     and answers what was asked: nothing was received after the moment, or is
//     of another record, or out of order.
//   - A call that returns nil has had the whole answer: one that breaks off is
//     an error, whatever came before.
//   - Nobody can shorten the past: there is no request that removes a version
//     or a pin.
//   - Neither side has more than one message of a stream in memory, but for the
//     pins of a [State]; who reads slowly holds up a stream of their own.
//
// A Server's Handle may run for many streams at once. A Client is safe for
// concurrent use, and keeps idle streams for later requests.
package history

import (
	"encoding/hex"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// Held is a version of a record as a vault holds it.
type Held struct {
	Record   *seal.Record
	Sequence entry.Sequence // the number of its receipt by the vault, from 1
	Received time.Time      // by the vault's clock
	// Until is when it was superseded, Received if it was on arrival; zero if it
	// is newest now. [Client.Received] does not tell.
	Until time.Time
	From  entry.DeviceID // that gave it; empty is the vault's own device
}

// VaultID names one vault: random, so that one that was made anew is noticed.
type VaultID [16]byte

// String is the ID in hexadecimal.
func (id VaultID) String() string { return hex.EncodeToString(id[:]) }

// State is where the vault of one folder stands. Moments are by the vault's
// clock, in microseconds.
type State struct {
	Vault    VaultID
	Sequence entry.Sequence // of the last version received
	Moment   time.Time      // the last that the vault's clock gave; zero before any
	// Begins is from when on every version is held that retention has kept;
	// zero if there is none yet.
	Begins time.Time

	Versions, Blocks int64
	Bytes            int64 // on disk
	Quota            int64 // in bytes; 0 is none
	Damaged          int64 // blocks and versions that wait to be repaired
	// Full: it takes nothing more, for its quota or its disk.
	Full bool

	// Complete is the last moment at which it held all that the asking device
	// had told it; zero for never.
	Complete time.Time
	Scrubbed time.Time // when all was last read and compared; zero for never
	// SetBack is when a member was found to remember more of the vault than it
	// had, up to SetBackFrom; zero for never.
	SetBack     time.Time
	SetBackFrom entry.Sequence
	// Pins are at most [MaxPins], by their moments; Untold is how many more
	// there are, of earlier moments.
	Pins   []Pin
	Untold int64

	// Policy and Schedule are what is kept and when it is seen to, in words for
	// people: at most [MaxText] bytes of one line.
	Policy, Schedule string
	LastRun, NextRun time.Time // of the schedule; zero for none
}

// PinID names a pin of one vault.
type PinID [16]byte

// String is the ID in hexadecimal.
func (id PinID) String() string { return hex.EncodeToString(id[:]) }

// Pin is a moment that a vault keeps whatever its policy says.
type Pin struct {
	ID    PinID
	At    time.Time      // the moment that is kept
	Label []byte         // sealed, by who made the pin; at most [MaxLabel] bytes
	By    entry.DeviceID // that made it; empty is the vault's own device, or unknown
}

// Proven shows that a vault holds one sealed form of a block.
type Proven struct {
	// Sum is BLAKE3 in its keyed mode with the nonce as key, over the sealed
	// form as it lies in the vault: who has the block seals it in that encoding
	// and compares.
	Sum      [32]byte
	Encoding seal.Encoding // what the form says of itself; may be none that is known
	Size     int           // bytes of the sealed form
}
