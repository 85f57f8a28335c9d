package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
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
	ctx, cancel := v.bound(ctx)
	defer cancel()
	s := stowing{v: v, left: most}
	if err := s.run(ctx, all); err != nil {
		return s.done, fmt.Errorf("stow packs of vault %q: %w", v.dir, err)
	}
	return s.done, nil
}

type stowing struct {
	v      *Vault
	left   int64
	done   Stowed
	failed error // a pack could not be read here
}

func (s *stowing) run(ctx context.Context, all bool) error {
	if s.v.place() == nil || s.v.scratch != "" {
		return fmt.Errorf("%w: it has no store", ErrRefused)
	}
	at, head, err := s.v.finishPacks(all)
	if err != nil {
		return err
	}
	todo := s.v.finished(all)
	if len(todo) > 0 || all {
		if err := s.v.agree(ctx); err != nil {
			return err
		}
	}
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
	if err := s.tidy(ctx); err != nil || !all {
		return err
	}
	if s.failed != nil {
		return s.failed
	}
	if err := s.v.takeInventory(ctx, at, head); err != nil {
		return err
	}
	s.done.AsOf = at.time()
	return s.clear(ctx)
}

// finishPacks begins new packs where something was appended to old ones, if all
// are to be finished, and tells how far the vault is: the last moment, and the
// last sequence number.
func (v *Vault) finishPacks(all bool) (at moment, head uint64, err error) {
	v.writing.Lock()
	defer v.writing.Unlock()
	at, head = v.st.moment, v.st.head
	if err := v.closedError(); err != nil || !all {
		return at, head, err
	}
	err = v.update(func(t *tx) error {
		t.st.moment, t.force = at+1, true // what comes from now on is later
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
	return at, head, err
}

// finished are the packs that nothing is appended to and that do not lie in the
// store: of blocks, and if all are meant, then of records.
func (v *Vault) finished(all bool) (out []packFile) {
	v.writing.Lock()
	defer v.writing.Unlock()
	for _, id := range slices.Sorted(maps.Keys(v.packs)) {
		p := v.packs[id]
		if w := v.writers[p.class]; p.retired || p.stowed || w != nil && w.id == id || p.class == classRecords && !all || p.length == packHeader {
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
	if v.place() == nil {
		return nil, nil
	}
	for _, id := range ids { // they lie here, for a while at least
		v.mu.Lock()
		f := packFile{id: id, class: c, size: v.packs[id].length}
		v.mu.Unlock()
		h, err := v.readHeader(f)
		if errors.Is(err, os.ErrNotExist) {
			continue // it is lost, with what it said
		}
		if err != nil {
			return nil, err
		}
		if !h.copied {
			continue
		}
		replaced, err := v.retiredBy(f)
		if err != nil {
			return nil, err
		}
		for _, old := range replaced {
			if v.mayBeFar(old) {
				out = append(out, old)
			}
		}
	}
	return out, nil
}

// pack moves one pack. The caller holds v.caring, so nobody replaces it.
func (s *stowing) pack(ctx context.Context, f packFile) error {
	v := s.v
	data, err := v.readPack(f)
	if err != nil {
		v.log.Error("a pack cannot be read, and is not moved", "dir", v.dir, "pack", f.id.String(), "err", err)
		s.failed = cmp.Or(s.failed, fmt.Errorf("read pack %s: %w", f.id, err))
		s.done.Left -= f.size
		return nil // the others go all the same
	}
	// Said before: else nobody would know of what a crash leaves there.
	err = v.changePack(f.id, func(r *packRow) { r.put = true })
	if err == nil {
		err = s.put(ctx, f, data)
	}
	if err == nil {
		err = v.step("stowed")
	}
	if err == nil {
		err = v.changePack(f.id, func(r *packRow) { r.stowed = true })
	}
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
	return v.removeHere(f)
}

// changePack changes the row of a pack.
func (v *Vault) changePack(id packID, change func(*packRow)) error {
	defer v.moves.Add(1)
	return v.submit(func(t *tx) error {
		r, _ := t.pack(id)
		change(&r)
		t.packRows[id] = r
		return nil
	})
}

// mayBeFar tells whether a pack lies in the store, as far as is known.
func (v *Vault) mayBeFar(id packID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.packs[id].isFar()
}

// removeHere removes a pack from the directory.
func (v *Vault) removeHere(f packFile) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	v.reading.Lock()
	defer v.reading.Unlock()
	return v.removePack(f.id, f.class)
}

// tidy removes packs of blocks that were left in the directory when they had got
// to the store, or come back from there in vain: when the store has been found
// to have the same.
func (s *stowing) tidy(ctx context.Context) error {
	v := s.v
	files, err := v.packFiles()
	if err != nil {
		return err
	}
	for _, f := range files {
		v.mu.Lock()
		row, unsure := v.packs[f.id], v.unsure[f.id]
		v.mu.Unlock()
		if !row.stowed || row.retired || f.class == classRecords && !unsure {
			continue
		}
		f.size = row.length
		if data, err := v.readPack(f); err == nil {
			if err := s.put(ctx, f, data); errors.Is(err, os.ErrExist) && v.isWhole(f, data) {
				v.log.Error("a pack lies here and in the store, and is not the same", "dir", v.dir, "pack", f.id.String())
				continue
			} else if err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
		if err := v.isThere(ctx, f); err != nil {
			return err
		}
		v.mu.Lock()
		delete(v.unsure, f.id)
		v.mu.Unlock()
		if f.class == classBlocks {
			if err := v.removeHere(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// readPack reads a pack that lies here.
func (v *Vault) readPack(f packFile) ([]byte, error) {
	file, err := os.Open(packPath(v.packDir, f.id, f.class))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	data := make([]byte, f.size)
	_, err = io.ReadFull(file, data)
	return data, err
}

// put copies a pack to the store, and before it, of blocks, its heads; and looks
// whether it has got there.
func (s *stowing) put(ctx context.Context, f packFile, data []byte) error {
	v := s.v
	if f.class == classBlocks {
		heads, err := v.headsOf(f)
		if err == nil {
			err = v.putFile(ctx, headsName(f.id), bytes.NewReader(heads), int64(len(heads)))
		}
		if err != nil && !errors.Is(err, errBad) { // a damaged pack has none
			return err
		}
	}
	name := packName(f.id, f.class)
	if err := v.putFile(ctx, name, bytes.NewReader(data), f.size); err != nil {
		return err
	}
	// What leaves this disk on the word of the store alone could be lost by it.
	for _, off := range []int64{rand.Int64N(f.size), max(0, f.size-lookSize)} {
		want := data[off:min(f.size, off+lookSize)]
		got := make([]byte, len(want))
		if err := v.place().ReadAt(ctx, name, got, off); err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("%w: %s was put and is not there (%v)", ErrStore, name, err)
		}
	}
	return nil
}

// lookSize is how many bytes of a pack are read back when it was put.
const lookSize = 64 << 10

// isThere tells whether a pack lies in the store, to its end.
func (v *Vault) isThere(ctx context.Context, f packFile) error {
	if err := v.place().ReadAt(ctx, packName(f.id, f.class), make([]byte, 1), f.size-1); err != nil {
		return fmt.Errorf("look for pack %s: %w: %w", f.id, ErrStore, err)
	}
	return nil
}

func (v *Vault) putFile(ctx context.Context, name string, content io.ReaderAt, size int64) error {
	err := v.place().Put(ctx, name, content, size)
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
		if p.leaves() {
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
		if err := v.place().Remove(ctx, name); err != nil {
			return fmt.Errorf("remove %s: %w: %w", name, ErrStore, err)
		}
		v.segments.forget(name)
	}
	return nil
}
