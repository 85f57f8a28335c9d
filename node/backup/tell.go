package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
)

// Records are the versions that the vault took in after a sequence and that are
// newest, for a member, who is not told what it gave; see exchange.Book.
//
// Unlike other members a vault tells several versions of one path, where it
// holds several of which none has seen the other.
func (k *Keeper) Records(
	ctx context.Context, d entry.DeviceID, after entry.Sequence, limit exchange.Limit,
) (exchange.Batch, error) {
	h := k.vault.Head()
	b := exchange.Batch{Folder: k.ID, Index: indexOf(h.Vault), After: after, Through: after, Head: h.Sequence}
	return k.records(ctx, b, d, limit)
}

// ownRecords is the limit of a batch for this device itself.
var ownRecords = exchange.Limit{Records: 1000, Bytes: 4 << 20}

// AllRecords is [Keeper.Records] for this device itself, whoever gave them.
func (k *Keeper) AllRecords(ctx context.Context, after entry.Sequence) (exchange.Batch, error) {
	h := k.vault.Head()
	b := exchange.Batch{Folder: k.ID, Index: indexOf(h.Vault), After: after, Through: after, Head: h.Sequence}
	return k.records(ctx, b, nobody, ownRecords)
}

// nobody is no device's ID.
const nobody entry.DeviceID = "-"

func (k *Keeper) records(ctx context.Context, b exchange.Batch, d entry.DeviceID, limit exchange.Limit) (exchange.Batch, error) {
	after, size := b.After, 0
	for one, err := range k.vault.NewsBut(after, d) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return b, err
		}
		if len(b.Items) >= limit.Records || size >= limit.Bytes {
			return b, nil
		}
		b.Through = one.Sequence
		b.Items = append(b.Items, exchange.Item{Sequence: one.Sequence, Record: one.Record})
		size += recordSize + len(one.Record.Sealed) + 40*len(one.Record.Blocks) + 20*len(one.Record.Version.Vector)
	}
	b.Through = max(b.Head, b.Through)
	b.Head = b.Through
	return b, nil
}

// recordSize is about what a record takes in a batch beside what counts by
// itself.
const recordSize = 80

// Sealed gives a member sealed blocks, each in the form that is asked for: send
// is called for each in order, with nil where there is none.
func (k *Keeper) Sealed(ctx context.Context, r blocks.Request, send func([]byte) error) error {
	if r.Form == 0 {
		var failed error // of send, which is returned as it is
		err := k.vault.EachBlock(ctx, r.IDs, func(_ int, sealed []byte) error {
			failed = send(sealed)
			return failed
		})
		if err != nil && failed == nil {
			err = fmt.Errorf("folder %s: %w", k.ID, err)
		}
		return err
	}
	for _, id := range r.IDs {
		if err := ctx.Err(); err != nil {
			return err
		}
		sealed, err := k.form(id, r.Form)
		if err != nil {
			return fmt.Errorf("folder %s: %w", k.ID, err)
		}
		if err := send(sealed); err != nil {
			return err
		}
	}
	return nil
}

// form is one of the sealed forms of a block, nil if there are not so many.
func (k *Keeper) form(id entry.BlockID, n int) ([]byte, error) {
	forms, err := k.vault.Blocks(id)
	switch {
	case errors.Is(err, vault.ErrMissing):
		return nil, nil
	case err != nil || n >= len(forms):
		return nil, err
	}
	return forms[n].Sealed, nil
}
