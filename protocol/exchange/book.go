package exchange

import (
	"context"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/protocol/seal"
)

// News is what there is to tell one peer, records aside.
type News struct {
	// Folders are those that the peer is a member of.
	Folders []FolderState
	// Offers are those that it was admitted to and is not known to have
	// joined.
	Offers []Offer
	// Contacts are what this device knows of the whereabouts of other members
	// of those folders, in any order. What a message cannot carry is left out.
	Contacts []Contact
	// Asks are told once: the Book forgets them as it returns them.
	Asks []Ask
}

// Book is what a teller draws on; its methods may be called at the same time.
type Book interface {
	// News is what there is to tell now.
	News() News
	// Statements are the membership statements of a folder.
	Statements(folder entry.FolderID) []roster.Statement
	// Keys are the keys of a folder by epoch, for a peer that may hold them;
	// nil for one that may not. They include the key of each batch that
	// Records has returned.
	Keys(folder entry.FolderID) map[entry.Epoch]seal.FolderKey
	// Records are the changes of a folder's index after a sequence, in
	// order, within some [Limit]. The batch must end at Through with nothing
	// left out; it is empty when there is nothing after.
	Records(ctx context.Context, folder entry.FolderID, after entry.Sequence, limit Limit) (Batch, error)
	// Replied takes what the listener replied. An error ends the stream.
	Replied(ctx context.Context, reply Reply) error
}

// Limit bounds one batch: it ends when either is reached.
type Limit struct {
	Records int
	Bytes   int
}

// Reply is what a listener said; exactly one of its fields is set.
type Reply struct {
	Met    *Hello
	Start  *Start
	Ack    *Ack
	Answer *Answer
}
