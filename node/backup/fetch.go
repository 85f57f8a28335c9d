package backup

import (
	"context"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/blocks"
)

// putBytes is about how much a job has in memory before it goes to the vault,
// and as much again may be on its way there.
const putBytes = 10 << 20

// fetch gets blocks, stores them as they become too many, and returns the last.
func (j *job) fetch(ctx context.Context, v *vault.Vault, link Member, ids []entry.BlockID) (rest []vault.Block, err error) {
	sizes := map[entry.BlockID]uint32{}
	epochs := map[entry.BlockID]entry.Epoch{}
	for _, it := range j.items {
		for _, b := range it.record.Blocks {
			sizes[b.ID], epochs[b.ID] = max(sizes[b.ID], b.SealedSize), it.record.Epoch
		}
	}
	w := writeBehind{vault: v}
	defer func() {
		if failed := w.wait(); failed != nil {
			err = failed
		}
	}()
	var room slab
	bytes := 0
	for len(ids) > 0 {
		part := ids[:min(len(ids), blocks.MaxWants)]
		ids = ids[len(part):]
		err := link.Fetch(ctx, part, func(i int, sealed []byte) error {
			if sealed == nil {
				return nil
			}
			if len(sealed) > int(sizes[part[i]]) {
				return nil // not what the record means, and so not there
			}
			rest = append(rest, vault.Block{ID: part[i], Epoch: epochs[part[i]], Sealed: room.keep(sealed), From: link.Device()})
			if bytes += len(sealed); bytes < putBytes {
				return nil
			}
			err := w.store(ctx, rest)
			rest, bytes = nil, 0
			return err
		})
		if err != nil {
			return rest, err // what has come is not lost
		}
	}
	return rest, nil
}

// writeBehind stores blocks of a job while it fetches the next ones.
type writeBehind struct {
	vault *vault.Vault
	ended chan error // of what is being stored; nil if nothing is
}

// store begins to store blocks. What it began before has ended then, and its
// error is returned.
func (w *writeBehind) store(ctx context.Context, bs []vault.Block) error {
	if err := w.wait(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	w.ended = ended
	go func() { ended <- storeBlocks(ctx, w.vault, bs) }()
	return nil
}

// wait waits until all is stored.
func (w *writeBehind) wait() error {
	if w.ended == nil {
		return nil
	}
	err := <-w.ended
	w.ended = nil
	return err
}

// slab is memory for many small blocks, taken at once.
type slab struct{ room []byte }

const slabSize = 256 << 10

// keep is a copy of b. Larger ones have memory of their own.
func (s *slab) keep(b []byte) []byte {
	if len(b) > slabSize/8 {
		return append([]byte(nil), b...)
	}
	if len(b) > cap(s.room)-len(s.room) {
		s.room = make([]byte, 0, slabSize)
	}
	n := len(s.room)
	s.room = append(s.room, b...)
	return s.room[n:len(s.room):len(s.room)]
}
