package backup

import (
	"context"
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

// StoreAll is [Keeper.Store] for several versions; those for which there is no
// room do not hold up the others.
func (k *Keeper) StoreAll(ctx context.Context, rs []*seal.Record, content Content) error {
	all := make([]vault.Content, 0, len(rs))
	for _, r := range rs {
		all = append(all, vault.Content{Record: r, Read: content})
	}
	err := k.vault.Keep(ctx, all)
	if vault.IsFull(err) {
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
