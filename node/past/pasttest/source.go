// Package pasttest has folders with a past, for tests: a [Folder] is changed by
// several replicas and kept in a real vault.
//
// It fails tests by the [testing.TB] that it is given. A Folder is used by one
// goroutine; a [Vault] may be asked by several.
package pasttest

import (
	"context"
	"errors"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// Vault is a vault as a source of the past.
type Vault struct{ *vault.Vault }

func told(h *vault.Held) history.Held {
	return history.Held{Record: h.Record, Sequence: h.Sequence, Received: h.Received, Until: h.Until, From: h.From}
}

// AsOf tells the newest versions at a moment.
func (v Vault) AsOf(ctx context.Context, t time.Time, each func(history.Held) error) error {
	for s, err := range v.Vault.AsOf(t) {
		if err != nil {
			return err
		}
		for i := range s.Newest {
			if err := errors.Join(ctx.Err(), each(told(&s.Newest[i]))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Versions tells all versions of records.
func (v Vault) Versions(ctx context.Context, ids []seal.RecordID, each func(history.Held) error) error {
	for _, id := range ids {
		vs, err := v.Vault.Versions(id)
		if err != nil {
			return err
		}
		for i := range vs {
			if err := errors.Join(ctx.Err(), each(told(&vs[i]))); err != nil {
				return err
			}
		}
	}
	return nil
}

// Received tells what was received after a sequence number.
func (v Vault) Received(ctx context.Context, after entry.Sequence, each func(history.Held) error) error {
	for h, err := range v.Since(after) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if err := each(told(&h)); err != nil {
			return err
		}
	}
	return nil
}

// Blocks tells one form of blocks.
func (v Vault) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(i int, sealed []byte) error) error {
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		forms, err := v.Vault.Blocks(id)
		if err != nil && !errors.Is(err, vault.ErrMissing) {
			return err
		}
		var sealed []byte
		if form < len(forms) {
			sealed = forms[form].Sealed
		}
		if err := got(i, sealed); err != nil {
			return err
		}
	}
	return nil
}
