package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// Standing is what the vault tells a device of itself.
func (k *Keeper) Standing(peer entry.DeviceID) (history.State, error) {
	st, set, h := k.Status(), k.settings.Load(), k.vault.Head()
	t, err := k.vault.Totals()
	if err != nil {
		return history.State{}, err
	}
	begins, err := k.vault.Earliest()
	if err != nil {
		return history.State{}, err
	}
	out := history.State{
		Vault: history.VaultID(h.Vault), Sequence: h.Sequence, Moment: h.Moment, Begins: begins,
		Versions: t.Versions, Blocks: t.Blocks, Bytes: t.PackBytes, Quota: set.Quota, Damaged: t.Damaged,
		Scrubbed: k.vault.LastRound(), Policy: Describe(set.Policy), Schedule: set.Schedule, LastRun: st.LastRun, NextRun: st.NextRun,
	}
	if b := k.setBack.Load(); b != nil {
		out.SetBack, out.SetBackFrom = b.Found, b.Sequence
	}
	for _, p := range st.Problems {
		out.Full = out.Full || p.Code == "vault_full"
	}
	if m, ok := st.Members[peer]; ok && m.Same {
		out.Complete = k.Clock()
	}
	if out.Moment.UnixMicro() <= 0 {
		out.Moment = time.Time{} // it has received nothing
	}
	pins, err := k.vault.Pins()
	if over := len(pins) - history.MaxPins; over > 0 {
		out.Untold, pins = int64(over), pins[over:]
	}
	for _, p := range pins {
		out.Pins = append(out.Pins, history.Pin{ID: history.PinID(p.ID), At: p.At, Label: p.Label})
	}
	return out, err
}

// AsOf calls each for all versions that were newest at a moment. It wraps
// [history.ErrFuture] if that has not come.
func (k *Keeper) AsOf(ctx context.Context, t time.Time, each func(history.Held) error) error {
	if t.After(k.Clock()) {
		return fmt.Errorf("as of %s: %w", t.Format(time.RFC3339), history.ErrFuture)
	}
	for s, err := range k.vault.AsOf(t) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		for i := range s.Newest {
			if err := each(heldOf(&s.Newest[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// Versions calls each for all versions of some records.
func (k *Keeper) Versions(ctx context.Context, ids []seal.RecordID, each func(history.Held) error) error {
	for _, id := range ids {
		vs, err := k.vault.Versions(id)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		for i := range vs {
			if err := each(heldOf(&vs[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// Received calls each for all versions that came after a sequence.
func (k *Keeper) Received(ctx context.Context, after entry.Sequence, each func(history.Held) error) error {
	for h, err := range k.vault.Since(after) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = each(heldOf(&h))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Blocks calls got for each block, in one of its sealed forms, or with nil.
func (k *Keeper) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(i int, sealed []byte) error) error {
	i := -1
	return k.Sealed(ctx, blocks.Request{IDs: ids, Form: form}, func(sealed []byte) error {
		i++
		return got(i, sealed)
	})
}

func heldOf(h *vault.Held) history.Held {
	return history.Held{Record: h.Record, Sequence: h.Sequence, Received: h.Received, Until: h.Until, From: h.From}
}

// maxAskedPins is how many pins others may make: a thief with a member's key
// could otherwise keep everything for ever until the disk is full.
const maxAskedPins = 1000

// Pin keeps a moment, for a member or for this device itself (empty). It wraps
// [history.ErrFuture] or [history.ErrFull].
func (k *Keeper) Pin(by entry.DeviceID, at time.Time, label []byte) (history.Pin, error) {
	pins, err := k.vault.Pins()
	if err != nil {
		return history.Pin{}, err
	}
	if by != "" && len(pins) >= maxAskedPins {
		return history.Pin{}, fmt.Errorf("pin %s: %w", at.Format(time.RFC3339), history.ErrFull)
	}
	id, err := k.vault.Pin(at, label)
	switch {
	case errors.Is(err, vault.ErrFuture):
		err = fmt.Errorf("%w: %w", history.ErrFuture, err)
	case errors.Is(err, vault.ErrRefused):
		err = fmt.Errorf("%w: %w", history.ErrFull, err)
	}
	return history.Pin{ID: history.PinID(id), At: at, Label: label, By: by}, err
}

// Prove calls each for each block with the proofs of its forms.
func (k *Keeper) Prove(ctx context.Context, nonce [32]byte, ids []entry.BlockID, each func([]history.Proven) error) error {
	const some = 64 // proven at a time, so that what is proven goes out
	for len(ids) > 0 {
		part := ids[:min(some, len(ids))]
		ids = ids[len(part):]
		proofs, err := k.vault.Prove(ctx, part, nonce)
		if err != nil {
			return err
		}
		for _, forms := range proofs {
			var out []history.Proven
			for _, f := range forms {
				out = append(out, history.Proven{Sum: f.Sum, Encoding: f.Encoding, Size: f.Size})
			}
			if err := each(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// Mend fetches blocks from a member, which says that the vault holds none of
// them in a form that is true. They are stored beside what is held.
func (k *Keeper) Mend(ctx context.Context, d entry.DeviceID, ids []entry.BlockID) (n int, err error) {
	err = k.do(ctx, func(a *actor) { n = a.chores.mend(a.roll[d], ids) })
	if err == nil && n < 0 {
		return 0, fmt.Errorf("mend %d blocks: %w", len(ids), history.ErrFull)
	}
	return n, err
}
