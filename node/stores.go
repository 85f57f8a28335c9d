package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/vault/store"
)

// SetStore implements [control.Vaults].
func (d *Device) SetStore(ctx context.Context, r control.StoreRequest) (control.Stored, error) {
	s, err := d.findKeeper(r.Folder)
	if err == nil && r.URL != nil {
		err = s.keeper.SetStore(ctx, store.Address{URL: *r.URL, AccessKey: r.AccessKey, SecretKey: r.SecretKey, Region: r.Region})
	}
	switch {
	case err == nil:
		return control.Stored{Folder: s.controlled(), Store: storeOf(s.keeper.Status())}, nil
	case errors.Is(err, backup.ErrBeside):
		err = control.WithHint(fmt.Errorf("%w: %w", control.ErrInvalid, err), "only a backup of a folder can have one")
	case errors.Is(err, backup.ErrStored):
		err = control.WithHint(fmt.Errorf("%w: %w", control.ErrInvalid, err), "get them back first: kith store FOLDER here")
	case errors.Is(err, store.ErrAddress):
		err = fmt.Errorf("%w: %w", control.ErrInvalid, err)
	case s != nil && s.keeper != nil && ctx.Err() == nil:
		err = control.WithHint(fmt.Errorf("%w: %w", control.ErrInvalid, err), "nothing has changed: is the place there, and may the key put and remove files?")
	}
	return control.Stored{}, fmt.Errorf("store: %w", err)
}

func storeOf(st backup.Status) *control.Store {
	s := st.Store
	if s == nil {
		return nil
	}
	out := &control.Store{Where: s.Where, Leaving: s.Leaving, Bytes: s.Bytes, Waiting: s.Waiting, AsOf: s.AsOf}
	if s.Failed != nil {
		out.Failed = s.Failed.Error()
	}
	return out
}
