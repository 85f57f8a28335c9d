package history

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// Asker is who asks, and about which folder.
type Asker struct {
	Peer   entry.DeviceID
	Folder entry.FolderID
}

// Source knows the past of the folders whose vaults are kept here. All its
// methods return an error wrapping [ErrRefused] if the peer may not ask about
// the folder, whatever they have sent before.
//
// Those that take each call it for one version after the other and return its
// error as it is. A call lasts as long as the peer takes to read: nothing that
// others wait for may be held meanwhile. A version that breaks the bounds of
// [Held] or does not answer the question ends the stream.
type Source interface {
	// State is where the vault stands, for this peer.
	State(ctx context.Context, by Asker) (State, error)
	// AsOf is all versions that were newest at t, in any order. It wraps
	// [ErrFuture] if t has not come.
	AsOf(ctx context.Context, by Asker, t time.Time, each func(Held) error) error
	// Versions is all that are held of some records, of which an ID may be named
	// twice, in any order.
	Versions(ctx context.Context, by Asker, ids []seal.RecordID, each func(Held) error) error
	// Received is all that are held and were received after a sequence number,
	// ascending. Their Until is not told.
	Received(ctx context.Context, by Asker, after entry.Sequence, each func(Held) error) error
}

// Keeping is what a peer may ask of the vaults that are kept here. All its
// methods return an error wrapping [ErrRefused] as those of a [Source] do.
type Keeping interface {
	// Pin keeps a moment. It wraps [ErrFuture] if the moment has not come, and
	// [ErrFull] if there are too many pins: [MaxPins] of them can be told.
	Pin(ctx context.Context, by Asker, at time.Time, label []byte) (Pin, error)
	// Prove calls each for each of the blocks, in their order, with the proofs of
	// all its forms by the nonce, or none. It returns each's error as it is. What
	// was proven is sent within seconds, if blocks are proven a few at a time.
	Prove(ctx context.Context, by Asker, nonce [32]byte, ids []entry.BlockID, each func([]Proven) error) error
	// Mend notes blocks of which the vault holds no true form, to be fetched
	// from the peer, and returns of how many it did. It wraps [ErrFull] if there
	// are too many already.
	Mend(ctx context.Context, by Asker, ids []entry.BlockID) (int, error)
}
