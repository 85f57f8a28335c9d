package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/seal"
)

// ErrNoRoom is wrapped when the vault has no room for what this device itself
// puts.
var ErrNoRoom = errFull

// Content gives the sealed blocks of a version, of which ids are asked for; got
// may be called in any order.
type Content func(ctx context.Context, ids []entry.BlockID, got func(id entry.BlockID, sealed []byte) error) error

// Store puts a version of this device's own with its content, of which it asks
// for what the vault lacks. It wraps [ErrNoRoom] where there is none.
func (k *Keeper) Store(ctx context.Context, r *seal.Record, content Content) error {
	return k.StoreAll(ctx, []*seal.Record{r}, content)
}

// StoreAll is [Keeper.Store] for several versions, whose content is asked for
// together.
func (k *Keeper) StoreAll(ctx context.Context, rs []*seal.Record, content Content) error {
	var ids []entry.BlockID
	epochs := map[entry.BlockID]entry.Epoch{}
	for _, r := range rs {
		for _, b := range r.Blocks {
			if _, twice := epochs[b.ID]; !twice {
				ids = append(ids, b.ID)
			}
			epochs[b.ID] = r.Epoch
		}
	}
	held, err := k.vault.HasBlocks(ids)
	if err != nil {
		return err
	}
	var lacking []entry.BlockID
	for i, id := range ids {
		if !held[i] {
			lacking = append(lacking, id)
		}
	}
	var put []vault.Block
	var room slab
	bytes := 0
	if len(lacking) > 0 {
		err = content(ctx, lacking, func(id entry.BlockID, sealed []byte) error {
			put = append(put, vault.Block{ID: id, Epoch: epochs[id], Sealed: room.keep(sealed)})
			if bytes += len(sealed); bytes < putBytes {
				return nil
			}
			err := k.vault.PutBlocks(ctx, put)
			put, bytes = nil, 0
			return err
		})
	}
	if err == nil {
		var records []vault.Received
		for _, r := range rs {
			records = append(records, vault.Received{Record: r})
		}
		err = k.vault.Put(ctx, put, records)
	}
	if errors.Is(err, vault.ErrQuota) || errors.Is(err, vault.ErrDiskFull) {
		return fmt.Errorf("%w: %w", ErrNoRoom, err)
	}
	return err
}

// Record puts versions of this device's index without their content, which the
// tree holds: all up to a change of an index, which is named by a random
// number.
func (k *Keeper) Record(ctx context.Context, versions []*seal.Record, index uint64, through entry.Sequence) error {
	records := make([]vault.Received, 0, len(versions))
	for _, r := range versions {
		records = append(records, vault.Received{Record: r})
	}
	if len(records) > 0 {
		if err := k.vault.PutRecords(ctx, records); err != nil {
			return err
		}
	}
	return k.do(ctx, func(a *actor) {
		if now := (heardOf{Index: index, Held: through}); a.notes.Own != now {
			a.notes.Own, a.noted = now, false
			own := now
			k.own.Store(&own)
		}
	})
}

// Recorded is the last change that Record was told of an index.
func (k *Keeper) Recorded(index uint64) entry.Sequence {
	if own := k.own.Load(); own != nil && own.Index == index {
		return own.Held
	}
	return 0
}
