package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// Bounds of what is read at once: so many blocks, of not much more than so many
// bytes; and of what is read for nothing between two of them.
const (
	readBlocks = 64
	readBytes  = 1 << 20
	readGap    = 4 << 10
)

// EachBlock calls fn for blocks in order, with what [Vault.Block] gives or with
// nil where that is nothing. sealed may be overwritten when fn returns. What
// lies side by side is read in one go, and nothing is held while fn runs.
func (v *Vault) EachBlock(ctx context.Context, ids []entry.BlockID, fn func(i int, sealed []byte) error) error {
	r := blockReader{v: v}
	for done := 0; done < len(ids); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.read(ids[done:min(len(ids), done+readBlocks)]); err != nil {
			return fmt.Errorf("read blocks from vault %q: %w", v.dir, err)
		}
		for i := range r.wants {
			sealed, err := r.sealed(i)
			if err == nil {
				err = fn(done, sealed)
			}
			if err != nil {
				return err
			}
			done++
		}
	}
	return nil
}

// blockReader reads some blocks at a time.
type blockReader struct {
	v      *Vault
	wants  []blockWant
	byDisk []*blockWant
	room   []byte
}

// blockWant is a block that is to be read.
type blockWant struct {
	id    entry.BlockID
	form  variant // the one that is most likely true
	held  bool    // there is one
	bytes []byte  // of its entry; nil if it could not be read
}

// read reads the first of some blocks, one at least.
func (r *blockReader) read(ids []entry.BlockID) error {
	v := r.v
	v.whole.RLock()
	defer v.whole.RUnlock()
	v.reading.RLock()
	defer v.reading.RUnlock()
	if err := v.view(func(t *tables) error { return r.lookUp(t, ids) }); err != nil {
		return err
	}
	slices.SortFunc(r.byDisk, func(a, b *blockWant) int {
		x, y := a.form.at, b.form.at
		return cmp.Or(cmp.Compare(x.pack, y.pack), cmp.Compare(x.offset, y.offset))
	})
	room := r.grow()
	for from := 0; from < len(r.byDisk); {
		n, length := r.run(from)
		if err := r.readRun(r.byDisk[from:from+n], room[:length:length]); err != nil {
			return err
		}
		from, room = from+n, room[length:]
	}
	return nil
}

// lookUp finds where blocks lie, until they are enough.
func (r *blockReader) lookUp(t *tables, ids []entry.BlockID) error {
	r.wants, r.byDisk = slices.Grow(r.wants[:0], readBlocks), r.byDisk[:0]
	bytes := int64(0)
	for _, id := range ids {
		if bytes >= readBytes {
			break
		}
		vs, err := t.variants(id[:])
		if err != nil {
			return err
		}
		w := blockWant{id: id}
		if vs = r.v.inOrder(vs); len(vs) > 0 {
			w.form, w.held = vs[0], true
			bytes += w.form.size()
		}
		r.wants = append(r.wants, w)
	}
	for i := range r.wants { // they stay where they are from now on
		// One that lies in the store comes alone, as nobody is to wait for it.
		if w := &r.wants[i]; w.held && !r.v.isFar(w.form.at.pack) {
			r.byDisk = append(r.byDisk, &r.wants[i])
		}
	}
	return nil
}

// grow is room for all runs.
func (r *blockReader) grow() []byte {
	n := 0
	for from := 0; from < len(r.byDisk); {
		some, length := r.run(from)
		from, n = from+some, n+length
	}
	if cap(r.room) < n {
		r.room = make([]byte, n)
	}
	return r.room[:n]
}

// run is how many entries, from one on, lie side by side, and over how many
// bytes.
func (r *blockReader) run(from int) (n, length int) {
	first := &r.byDisk[from].form
	begin, end := int64(first.at.offset), int64(first.at.offset)+first.size()
	for n = 1; from+n < len(r.byDisk); n++ {
		next := &r.byDisk[from+n].form
		if next.at.pack != first.at.pack || int64(next.at.offset) > end+readGap {
			break
		}
		end = max(end, int64(next.at.offset)+next.size())
	}
	return n, int(end - begin)
}

// readRun reads entries that lie side by side into room. What cannot be read is
// looked at one by one, see sealed; its error wraps ErrStore if nothing can be.
func (r *blockReader) readRun(run []*blockWant, room []byte) error {
	at := run[0].form.at
	_, err := (&opened{v: r.v, c: classBlocks, at: at}).ReadAt(room, int64(at.offset))
	switch {
	case errors.Is(err, ErrStore):
		return err
	case err != nil:
		return nil
	}
	for _, w := range run {
		from := int64(w.form.at.offset) - int64(at.offset)
		w.bytes = room[from : from+w.form.size()]
	}
	return nil
}

// sealed is one of the blocks that were read, if what was read is what was put.
// If not, [Vault.Block] finds out what is wrong, and whether there is another
// form.
func (r *blockReader) sealed(i int) ([]byte, error) {
	w := &r.wants[i]
	if !w.held {
		return nil, nil
	}
	if w.bytes != nil {
		h, err := parseHead(w.bytes, r.v.marker())
		data := w.bytes[headSize:]
		if err == nil && h.name == w.id && shortSum(h.sum[:16]) == w.form.sum && h.holds(data) {
			return data, nil
		}
	}
	sealed, err := r.v.Block(w.id)
	if errors.Is(err, ErrMissing) {
		return nil, nil
	}
	return sealed, err
}
