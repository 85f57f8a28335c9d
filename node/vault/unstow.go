package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kithmesh/kith/node/durable"
)

// Unstow moves packs back to the directory, up to about so many bytes, and
// tells how many are left. A pack leaves the store when the index says that it is
// here.
func (v *Vault) Unstow(ctx context.Context, most int64) (left int64, err error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	ctx, cancel := v.bound(ctx)
	defer cancel()
	left, err = v.unstow(ctx, most)
	if err != nil {
		return left, fmt.Errorf("get packs of vault %q from the store: %w", v.dir, err)
	}
	return left, nil
}

func (v *Vault) unstow(ctx context.Context, most int64) (left int64, err error) {
	if v.place() == nil || v.scratch != "" {
		return 0, fmt.Errorf("%w: it has no store", ErrRefused)
	}
	if err := v.agree(ctx); err != nil {
		return 0, err
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
		if err := v.home(ctx, f); err != nil {
			return left, err
		}
		most, left = most-f.size, left-f.size
	}
	s := stowing{v: v}
	if err := s.clear(ctx); err != nil {
		return left, err
	}
	return left, v.sweepFar(ctx)
}

// home brings one pack back, and then removes it from the store.
func (v *Vault) home(ctx context.Context, f packFile) error {
	if err := v.bring(ctx, f); err != nil {
		return err
	}
	if err := v.step("brought"); err != nil {
		return err
	}
	err := v.changePack(f.id, func(r *packRow) { r.stowed, r.put = false, true })
	if err == nil {
		err = v.removeFar(ctx, f)
	}
	if err == nil {
		err = v.changePack(f.id, func(r *packRow) { r.put = false })
	}
	return err
}

// sweepFar removes from the store what a crash has left there of packs that lie
// here, when none lies there any more.
func (v *Vault) sweepFar(ctx context.Context) error {
	far, sizes, err := v.farFiles(ctx)
	if err != nil {
		return err
	}
	for name := range sizes { // heads whose pack has gone
		if base, is := strings.CutSuffix(name, headsSuffix); is {
			if id, c, ok := parsePackName(base + classBlocks.suffix()); ok && far[id].id == 0 {
				far[id] = packFile{id: id, class: c}
			}
		}
	}
	for id, f := range far {
		v.mu.Lock()
		row, known := v.packs[id]
		v.mu.Unlock()
		if known && row.stowed {
			continue
		}
		if err := v.removeFar(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// SetStore says where packs are to lie from now on, nil for the directory
// alone. If some lie in a store already, it has to be another way to the same,
// with other keys for instance; without one it wraps [ErrRefused] until
// [Vault.Unstow] has got them from there, and in a rolling vault always.
func (v *Vault) SetStore(s Store) error {
	v.caring.Lock()
	defer v.caring.Unlock()
	if err := v.mayLie(s); err != nil {
		return err
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	v.reading.Lock()
	defer v.reading.Unlock()
	v.handles.closeAll() // which may go the old way
	v.mu.Lock()
	defer v.mu.Unlock()
	v.store, v.agreed = s, false
	return nil
}

// mayLie tells whether the packs that lie in a store may be said to lie in s:
// they have to be found there, and no others.
func (v *Vault) mayLie(s Store) error {
	stowed := v.stowedPacks()
	switch {
	case v.rolling:
		return fmt.Errorf("%w: a rolling vault has no store", ErrRefused)
	case s == nil && len(stowed) > 0:
		return fmt.Errorf("%w: packs lie in a store", ErrRefused)
	case s == nil:
		return nil
	}
	sizes := map[string]int64{}
	ctx, cancel := v.bound(context.Background())
	defer cancel()
	err := s.List(ctx, func(name string, size int64) error {
		if _, _, is := parsePackName(name); is {
			sizes[name] = size
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	for _, f := range stowed {
		if size, is := sizes[packName(f.id, f.class)]; !is || size < f.size {
			return fmt.Errorf("%w: pack %s lies in a store, and not in this", ErrRefused, f.id)
		}
	}
	if len(stowed) == 0 && len(sizes) > 0 {
		return fmt.Errorf("%w: packs of another vault lie there", ErrRefused)
	}
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
	if data, err := v.readPack(f); err == nil && v.isWhole(f, data) {
		return nil // an earlier attempt got so far
	}
	if err := v.hasRoom(f.size); err != nil {
		return err
	}
	data, err := v.fetch(ctx, f)
	if err == nil {
		err = durable.Write(packPath(v.packDir, f.id, f.class), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("get pack %s: %w", f.id, err)
	}
	v.handles.forget(f.id)
	return nil
}

// fetches is how often a pack is asked for that comes damaged.
const fetches = 4

// fetch gets a pack from the store. What comes damaged is believed only when it
// has come so twice: then it is so there.
func (v *Vault) fetch(ctx context.Context, f packFile) ([]byte, error) {
	var last []byte
	for range fetches {
		data := make([]byte, f.size)
		far := farPack{v: v, ctx: ctx, name: packName(f.id, f.class), size: f.size, fresh: true}
		if _, err := far.ReadAt(data, 0); err != nil {
			return nil, err
		}
		if v.isWhole(f, data) || bytes.Equal(data, last) {
			return data, nil
		}
		last = data
	}
	return nil, fmt.Errorf("%w: it gives other bytes each time", ErrStore)
}

// isWhole tells whether all entries of a pack are what they were.
func (v *Vault) isWhole(f packFile, data []byte) bool {
	if int64(len(data)) != f.size {
		return false
	}
	if h, err := parseHeader(data); err != nil || h.number != f.id {
		return false
	}
	s := scanner{pack: f.id, r: bytes.NewReader(data), size: f.size, off: packHeader, marker: v.marker()}
	for {
		e, err := s.next()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil || e.bad {
			return false
		}
	}
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

// alive are those of some packs in which something counts.
func (v *Vault) alive(ids []packID) (out []packID, err error) {
	if !slices.ContainsFunc(ids, v.isFar) {
		return ids, nil
	}
	packs, found := map[packID]bool{}, map[packID]bool{}
	for _, id := range ids {
		packs[id] = true
	}
	err = v.reader(func(t *tables) error {
		return t.living(packs, func(l living) error { found[l.at.pack] = true; return nil })
	})
	for _, id := range ids {
		if found[id] || !v.isFar(id) {
			out = append(out, id)
		}
	}
	return out, err
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
