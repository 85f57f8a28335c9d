package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"
)

// Stowed is what [Vault.Stow] has done.
type Stowed struct {
	Packs, Bytes int64 // that went to the store
	// Left is how many bytes of finished packs have still to go.
	Left int64
	// AsOf is the moment up to which all that the vault holds lies in the store,
	// if it was told to stow all and did; else zero.
	AsOf time.Time
}

// Stow moves packs to the store, up to about so many bytes: those of blocks
// that are full, which then leave the directory. With all, those that are not
// full are finished early, and records go too, so that the vault can be had from
// the store alone. Packs of records stay in the directory as well, as they are
// read all the time.
//
// When all is there, a file in the store says so ([inventory]), and only then
// packs go from the store that others replace. So what lies there is whole at
// any time, though it may be of some while ago.
//
// Its error wraps [ErrStore] if the store cannot be reached, and [fs.ErrExist] if
// another pack lies there under the number of one: the directory, or the store,
// was set back. What was moved by then is moved.
func (v *Vault) Stow(ctx context.Context, most int64, all bool) (Stowed, error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	s := stowing{v: v, left: most}
	if err := s.run(ctx, all); err != nil {
		return s.done, fmt.Errorf("stow packs of vault %q: %w", v.dir, err)
	}
	return s.done, nil
}

type stowing struct {
	v    *Vault
	left int64
	done Stowed
}

func (s *stowing) run(ctx context.Context, all bool) error {
	if s.v.store == nil || s.v.scratch != "" {
		return fmt.Errorf("%w: it has no store", ErrRefused)
	}
	at, err := s.v.finishPacks(all)
	if err != nil {
		return err
	}
	todo := s.v.finished(all)
	for _, f := range todo {
		s.done.Left += f.size
	}
	for _, f := range todo {
		if err := ctx.Err(); err != nil || s.left <= 0 {
			return err
		}
		if err := s.pack(ctx, f); err != nil {
			return err
		}
	}
	if !all {
		return nil
	}
	if err := s.v.takeInventory(ctx, at); err != nil {
		return err
	}
	s.done.AsOf = at.time()
	return s.clear(ctx)
}

// finishPacks begins new packs where something was appended to old ones, if all
// are to be finished, and tells of which moment the vault is.
func (v *Vault) finishPacks(all bool) (moment, error) {
	v.writing.Lock()
	defer v.writing.Unlock()
	if err := v.closedError(); err != nil || !all {
		return v.st.moment, err
	}
	at := v.st.moment
	err := v.update(func(t *tx) error {
		for _, c := range []class{classBlocks, classRecords} {
			if w := v.writers[c]; w == nil || w.length == packHeader {
				continue
			}
			w, err := t.create(c, false)
			if err != nil {
				return err
			}
			t.v.writers[c] = w
		}
		return nil
	})
	return at, err
}

// finished are the packs that nothing is appended to and that do not lie in the
// store: of blocks, and if all are meant, then of records.
func (v *Vault) finished(all bool) (out []packFile) {
	v.writing.Lock()
	defer v.writing.Unlock()
	for _, id := range slices.Sorted(maps.Keys(v.packs)) {
		p := v.packs[id]
		if w := v.writers[p.class]; p.retired || p.stowed || w != nil && w.id == id || p.class == classRecords && !all {
			continue
		}
		out = append(out, packFile{id: id, class: p.class, size: p.length})
	}
	slices.SortStableFunc(out, func(a, b packFile) int { return int(a.class) - int(b.class) })
	return out
}

// inherited are the packs that some packs replace and that still lie in the
// store: what replaces these replaces those too.
func (v *Vault) inherited(c class, ids []packID) (out []packID, err error) {
	if v.store == nil {
		return nil, nil
	}
	for _, id := range ids {
		v.mu.Lock()
		f := packFile{id: id, class: c, size: v.packs[id].length}
		v.mu.Unlock()
		h, err := v.readHeader(f)
		if err != nil || !h.copied {
			continue // one that cannot be read is not rewritten
		}
		replaced, err := v.retiredBy(f)
		if err != nil {
			return nil, err
		}
		for _, old := range replaced {
			if v.isStowed(old) {
				out = append(out, old)
			}
		}
	}
	return out, nil
}

// pack moves one pack. The caller holds v.caring, so nobody replaces it.
func (s *stowing) pack(ctx context.Context, f packFile) error {
	v := s.v
	if err := s.put(ctx, f); err != nil {
		return err
	}
	if err := v.step("stowed"); err != nil {
		return err
	}
	err := v.submit(func(t *tx) error {
		r, _ := t.pack(f.id)
		r.stowed = true
		t.packRows[f.id] = r
		return nil
	})
	if err != nil {
		return err
	}
	s.left -= f.size
	s.done.Left -= f.size
	s.done.Bytes += f.size
	s.done.Packs++
	if f.class != classBlocks {
		return nil
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	v.reading.Lock()
	defer v.reading.Unlock()
	return v.removePack(f.id, f.class)
}

// put copies a pack to the store, and before it, of blocks, its heads.
func (s *stowing) put(ctx context.Context, f packFile) error {
	v := s.v
	file, err := os.Open(packPath(v.packDir, f.id, f.class))
	if errors.Is(err, os.ErrNotExist) {
		return nil // it is damage, which is noted; there is nothing to be moved
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	if f.class == classBlocks {
		heads, err := v.headsOf(f)
		if err == nil {
			err = v.putFile(ctx, headsName(f.id), bytes.NewReader(heads), int64(len(heads)))
		}
		if err != nil && !errors.Is(err, errBad) { // a damaged pack has none
			return err
		}
	}
	return v.putFile(ctx, packName(f.id, f.class), file, f.size)
}

func (v *Vault) putFile(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	err := v.store.Put(ctx, name, content, size)
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, os.ErrExist):
		return err
	default:
		return fmt.Errorf("put %s: %w: %w", name, ErrStore, err)
	}
}

// clear removes from the store what was replaced: no inventory names it any
// more.
func (s *stowing) clear(ctx context.Context) error {
	v := s.v
	v.writing.Lock()
	var gone []packFile
	for id, p := range v.packs {
		if p.retired && p.stowed {
			gone = append(gone, packFile{id: id, class: p.class})
		}
	}
	v.writing.Unlock()
	for _, f := range gone {
		if err := v.step("clear"); err != nil {
			return err
		}
		if err := v.removeFar(ctx, f); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	v.writing.Lock()
	defer v.writing.Unlock()
	v.reading.Lock()
	for _, f := range gone { // a copy may have been left
		if err := v.removePack(f.id, f.class); err != nil {
			v.reading.Unlock()
			return err
		}
	}
	v.reading.Unlock()
	return v.forgetPacks(gone)
}

// removeFar removes a pack from the store, and then its heads.
func (v *Vault) removeFar(ctx context.Context, f packFile) error {
	names := []string{packName(f.id, f.class)}
	if f.class == classBlocks {
		names = append(names, headsName(f.id))
	}
	for _, name := range names {
		if err := v.store.Remove(ctx, name); err != nil {
			return fmt.Errorf("remove %s: %w: %w", name, ErrStore, err)
		}
		v.segments.forget(name)
	}
	return nil
}
