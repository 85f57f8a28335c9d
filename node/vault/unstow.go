package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/kithmesh/kith/node/durable"
)

// Unstow moves packs back to the directory, up to about so many bytes, and
// tells how many are left. A pack leaves the store when the index says that it is
// here.
func (v *Vault) Unstow(ctx context.Context, most int64) (left int64, err error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	left, err = v.unstow(ctx, most)
	if err != nil {
		return left, fmt.Errorf("get packs of vault %q from the store: %w", v.dir, err)
	}
	return left, nil
}

func (v *Vault) unstow(ctx context.Context, most int64) (left int64, err error) {
	if v.store == nil || v.scratch != "" {
		return 0, fmt.Errorf("%w: it has no store", ErrRefused)
	}
	todo := v.stowedPacks()
	for _, f := range todo {
		left += f.size
	}
	if most > 0 && len(todo) > 0 {
		// From now on what is there is not all any more.
		all, err := v.inventories(ctx)
		if err == nil {
			err = v.removeInventories(ctx, all)
		}
		if err != nil {
			return left, err
		}
	}
	for _, f := range todo {
		if most <= 0 {
			return left, nil
		}
		if err := v.bring(ctx, f); err != nil {
			return left, err
		}
		if err := v.step("brought"); err != nil {
			return left, err
		}
		err := v.submit(func(t *tx) error {
			r, _ := t.pack(f.id)
			r.stowed = false
			t.packRows[f.id] = r
			return nil
		})
		if err == nil {
			err = v.removeFar(ctx, f)
		}
		if err != nil {
			return left, err
		}
		most, left = most-f.size, left-f.size
	}
	s := stowing{v: v}
	return left, s.clear(ctx)
}

// SetStore says where packs are to lie from now on, nil for the directory
// alone. If some lie in a store already, it has to be another way to the same,
// with other keys for instance; without one it wraps [ErrRefused] until
// [Vault.Unstow] has got them from there, and in a rolling vault always.
func (v *Vault) SetStore(s Store) error {
	v.caring.Lock()
	defer v.caring.Unlock()
	v.writing.Lock()
	defer v.writing.Unlock()
	if v.rolling {
		return fmt.Errorf("%w: a rolling vault has no store", ErrRefused)
	}
	for _, p := range v.packs {
		if p.stowed && s == nil {
			return fmt.Errorf("%w: packs lie in a store", ErrRefused)
		}
	}
	v.reading.Lock()
	defer v.reading.Unlock()
	v.store = s
	return nil
}

// stowedPacks are those that count and lie in the store.
func (v *Vault) stowedPacks() (out []packFile) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(v.packs)) {
		if p := v.packs[id]; p.stowed && !p.retired {
			out = append(out, packFile{id: id, class: p.class, size: p.length, stowed: true})
		}
	}
	return out
}

// bring copies a pack from the store to the directory, if it is not there. It
// is one that no longer changes.
func (v *Vault) bring(ctx context.Context, f packFile) error {
	path := packPath(v.packDir, f.id, f.class)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := v.hasRoom(f.size); err != nil {
		return err
	}
	far := farPack{store: v.store, name: packName(f.id, f.class), size: f.size}
	data := make([]byte, f.size)
	err := ctx.Err()
	if err == nil {
		_, err = far.ReadAt(data, 0)
	}
	if err == nil {
		err = durable.Create(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("get %s: %w", filepath.Base(path), err)
	}
	v.handles.forget(f.id)
	return nil
}

// hasRoom tells whether n bytes may be written to the disk.
func (v *Vault) hasRoom(n int64) error {
	free, err := v.free(v.dir)
	if err != nil {
		return fmt.Errorf("free space of %q: %w", v.dir, err)
	}
	if limits := v.limitsNow(); free-n < limits.KeepFree {
		return fmt.Errorf("%w: %d bytes, of which %d are to stay free, and %d to come", ErrDiskFull, free, limits.KeepFree, n)
	}
	return nil
}

// bringAll is bring for those of some packs that lie in the store, so that they
// can be rewritten without waiting for it.
func (v *Vault) bringAll(ctx context.Context, ids []packID) error {
	for _, f := range v.stowedPacks() {
		if !slices.Contains(ids, f.id) {
			continue
		}
		if err := v.bring(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
