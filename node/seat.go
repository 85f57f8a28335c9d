package node

import (
	"context"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// seat is a peer's place in one folder: what [folder.Member] and
// [backup.Member] ask for.
type seat struct {
	link     *link
	listener *exchange.Listener
	share    *share
}

// Device is the peer.
func (s *seat) Device() entry.DeviceID { return s.link.id }

// Fetch gets blocks from the peer. For a vault they are to be small. A peer
// that keeps a vault may hold several forms of a block, as it cannot know which
// is true: those that do not open are asked for in the others.
func (s *seat) Fetch(ctx context.Context, ids []entry.BlockID, got func(int, []byte) error) error {
	r := blocks.Request{Folder: s.share.ID, IDs: ids, Compress: s.share.tree == nil}
	if s.share.tree == nil && !s.Gives(meteredFile+1) {
		return errMetered
	}
	if s.share.tree == nil || !s.share.isBlind(s.link.id) {
		return s.link.blocks.Fetch(ctx, r, got)
	}
	return s.link.blocks.Fetch(ctx, r, func(i int, sealed []byte) error {
		if sealed != nil && !s.share.opens(ids[i], sealed) {
			sealed = s.otherForm(ctx, ids[i], sealed)
		}
		return got(i, sealed)
	})
}

// maxForms is how many forms of a block a vault keeps.
const maxForms = 4

// otherForm is a form of a block that opens, else the one that did not.
func (s *seat) otherForm(ctx context.Context, id entry.BlockID, bad []byte) []byte {
	for form := 1; form < maxForms; form++ {
		var other []byte
		r := blocks.Request{Folder: s.share.ID, IDs: []entry.BlockID{id}, Form: form}
		err := s.link.blocks.Fetch(ctx, r, func(_ int, sealed []byte) error {
			other = append([]byte(nil), sealed...)
			return nil
		})
		if err != nil || len(other) == 0 {
			break
		}
		if s.share.opens(id, other) {
			return other
		}
	}
	return bad
}

// Start asks the peer for its changes.
func (s *seat) Start(st exchange.Start) {
	st.Roster, st.Epochs = s.share.folderState().Roster, s.share.epochs()
	s.listener.Start(st)
}

// Ack tells the peer how far this device is.
func (s *seat) Ack(k exchange.Ack) { s.listener.Ack(k) }

// Versions gets what the peer keeps of the past of records.
func (s *seat) Versions(ctx context.Context, ids []seal.RecordID, each func(*seal.Record) error) error {
	return s.link.past(s.share.ID).Versions(ctx, ids, func(h history.Held) error { return each(h.Record) })
}

// past asks the peer about the past of a folder.
func (l *link) past(id entry.FolderID) *history.Client {
	return history.NewClient(id, func(ctx context.Context) (history.Stream, error) {
		return l.open(ctx, protocol.History, blockIdle)
	})
}
