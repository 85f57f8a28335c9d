package vault

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/node/durable"
)

func (v *Vault) indexPath() string {
	if v.scratch != "" {
		return filepath.Join(v.scratch, indexFile)
	}
	return filepath.Join(v.dir, indexFile)
}

// load opens the index, if it is whole and in line with the packs, and takes in
// what lies behind it. Its error wraps ErrIndex where it is to be rebuilt.
func (v *Vault) load() error {
	s, err := checkIndex(v.indexPath())
	if err != nil {
		return err
	}
	if s.folder != v.st.folder {
		return fmt.Errorf("folder %s, not %s: %w", s.folder, v.st.folder, ErrFolder)
	}
	if v.db, err = openDB(v.indexPath()); err != nil {
		return err
	}
	v.db.bolt.NoSync = v.noSync
	if err := v.loadRows(s); err != nil {
		return err
	}
	files, err := v.packFiles()
	if err != nil {
		return err
	}
	return v.settle(files)
}

// loadRows reads what is kept in memory.
func (v *Vault) loadRows(s state) error {
	v.mu.Lock()
	v.st, v.packs, v.givers = s, map[packID]packRow{}, givers{}
	v.mu.Unlock()
	v.writers = map[class]*writer{}
	return v.db.view(func(b *bbolt.Tx) error {
		t, err := openTables(b, nil)
		if err != nil {
			return err
		}
		err = t.packs.each(nil, nil, func(key, row []byte) (bool, error) {
			p, err := parsePackRow(row)
			v.packs[packID(be32(key))] = p
			return true, err
		})
		if err != nil {
			return err
		}
		return t.givers.each(nil, nil, func(key, row []byte) (bool, error) {
			v.givers.add(giver(be16(key)), deviceID(row))
			return true, nil
		})
	})
}

// settling is what load finds to be done.
type settling struct {
	last    map[class]packFile // the highest pack of each class
	retired []packFile
	tails   []packFile // what lies behind size is to be taken in
	missing []packFile // size is where what is missing begins
}

// settle compares packs and index, and makes them one.
func (v *Vault) settle(files []packFile) error {
	todo := settling{last: map[class]packFile{}}
	sizes := map[packID]int64{}
	for _, f := range files {
		sizes[f.id] = f.size
	}
	for _, f := range files {
		if err := v.compare(f, sizes, &todo); err != nil {
			return err
		}
	}
	for id, row := range v.packs {
		switch {
		case sizes[id] > 0 || row.stowed:
		case row.retired:
			todo.retired = append(todo.retired, packFile{id: id, class: row.class})
		default:
			todo.missing = append(todo.missing, packFile{id: id, class: row.class})
		}
	}
	return v.doSettle(&todo)
}

// compare looks at one file.
func (v *Vault) compare(f packFile, sizes map[packID]int64, todo *settling) error {
	row, known := v.packs[f.id]
	switch {
	case !known && f.id < v.st.next:
		return fmt.Errorf("%w: pack %s is not in it", ErrIndex, f.id)
	case !known:
		copied, err := v.unfinished(f, sizes)
		if err != nil || copied {
			return err
		}
		todo.tails = append(todo.tails, packFile{id: f.id, class: f.class, size: packHeader})
	case row.retired:
		todo.retired = append(todo.retired, f)
		return nil
	case row.stowed:
		return nil // nothing is appended to it any more; Stow looks after what is left here
	case f.size < row.length:
		todo.missing = append(todo.missing, f)
		return nil // nothing is appended to it any more
	case f.size > row.length:
		todo.tails = append(todo.tails, packFile{id: f.id, class: f.class, size: row.length})
	}
	if known {
		f.size = row.length
	} else {
		f.size = packHeader
	}
	if f.id >= todo.last[f.class].id {
		todo.last[f.class] = f
	}
	return nil
}

// unfinished removes a pack that the index does not know and that holds
// nothing anybody was told of: a copy whose originals are all there, or one
// without a header.
func (v *Vault) unfinished(f packFile, sizes map[packID]int64) (removed bool, err error) {
	h, err := v.readHeader(f)
	switch {
	case errors.Is(err, errBad) && f.size > packHeader:
		return false, fmt.Errorf("%w: pack %s is not in it", ErrIndex, f.id)
	case errors.Is(err, errBad):
	case err != nil:
		return false, err
	case h.folder != v.st.folder || h.vault != v.st.vault:
		return false, fmt.Errorf("pack %s: %w", f.id, ErrFolder)
	case !h.copied:
		return false, nil
	default:
		retired, err := v.retiredBy(f)
		if err != nil {
			return false, err
		}
		for _, id := range retired {
			if row, ok := v.packs[id]; !ok || row.retired && !row.isFar() {
				return false, fmt.Errorf("%w: it is older than pack %s", ErrIndex, f.id)
			}
		}
		for id, row := range v.packs {
			if !row.retired && !row.stowed && sizes[id] < row.length {
				return false, fmt.Errorf("%w: pack %s is not whole, and %s may be a copy of it", ErrIndex, id, f.id)
			}
		}
	}
	v.log.Info("remove a pack that was not finished", "dir", v.dir, "pack", f.id.String())
	return true, v.removePack(f.id, f.class)
}

func (v *Vault) readHeader(f packFile) (header, error) {
	file, err := v.openPack(v.life, f, packHeader)
	if err != nil {
		return header{}, err
	}
	defer func() { _ = file.Close() }() // only read
	b := make([]byte, packHeader)
	if _, err := file.ReadAt(b, 0); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errBad
		}
		return header{}, fmt.Errorf("read pack %s: %w", f.id, err)
	}
	h, err := parseHeader(b)
	if err == nil && h.number != f.id {
		err = fmt.Errorf("%w: it calls itself %s", errBad, h.number)
	}
	if err != nil {
		return h, fmt.Errorf("read pack %s: %w", f.id, err)
	}
	return h, nil
}

// retiredBy are the packs that a finished copy replaces, nil if it is none.
func (v *Vault) retiredBy(f packFile) (retired []packID, err error) {
	look := func(e found) error {
		if e.kind == kindRetire && !e.bad {
			retired, err = parseRetired(e.data)
		}
		return err
	}
	if f.heads > 0 {
		if err := v.scanHeads(f, packHeader, look); !errors.Is(err, errBad) {
			return retired, err
		}
	}
	err = v.scan(f, packHeader, true, look)
	if errors.Is(err, errTorn) {
		return nil, nil
	}
	return retired, err
}

// scan calls fn for the entries of a pack from an offset on, until there is no
// whole one: its error wraps errTorn then.
func (v *Vault) scan(f packFile, from int64, heads bool, fn func(found) error) error {
	file, err := v.openPack(v.life, f, readAhead)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	s := scanner{pack: f.id, r: file, size: f.size, off: from, marker: v.marker(), heads: heads}
	for {
		e, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = fn(e)
		}
		if err != nil {
			return err
		}
	}
}

// doSettle takes in what lies behind the index, goes on with the last packs,
// notes what is missing and removes what is retired.
func (v *Vault) doSettle(todo *settling) error {
	for c, f := range todo.last {
		if v.scratch != "" || v.place() != nil && !v.agreed {
			break // in the store the same pack may have gone on
		}
		w, err := openWriter(v.packDir, f, v.marker())
		if err != nil {
			return err
		}
		w.noSync = v.noSync
		v.writers[c] = w
	}
	if len(todo.tails) > 0 {
		if err := v.takeIn(todo.tails); err != nil {
			return err
		}
	}
	for _, f := range todo.missing {
		v.log.Error("a pack of a vault is missing or cut off", "dir", v.dir, "pack", f.id.String(), "bytes", f.size)
		if err := v.noteMissing(f); err != nil {
			return err
		}
	}
	return v.removeRetired(todo.retired)
}

// noteMissing notes that all entries of a pack that end behind its first f.size
// bytes are damaged.
func (v *Vault) noteMissing(f packFile) error {
	return v.update(func(t *tx) error {
		return t.living(map[packID]bool{f.id: true}, func(l living) error {
			if int64(l.at.offset)+l.size() <= f.size {
				return nil
			}
			return t.entryIsBad(&l)
		})
	})
}

// removePack removes the file of a pack, durably. The caller holds v.writing.
func (v *Vault) removePack(id packID, c class) error {
	v.handles.forget(id)
	if v.scratch != "" {
		v.replaced[id] = true
		return nil
	}
	if err := v.step("remove"); err != nil {
		return err
	}
	return durable.Remove(packPath(v.packDir, id, c))
}

// removeRetired removes packs of which the index says that nothing in them
// counts, and then forgets them. Those that lie in the store are forgotten when
// they have gone from there, which Stow does.
func (v *Vault) removeRetired(files []packFile) error {
	if len(files) == 0 {
		return nil
	}
	v.reading.Lock()
	for _, f := range files {
		if err := v.removePack(f.id, f.class); err != nil {
			v.reading.Unlock()
			return err
		}
	}
	v.reading.Unlock()
	files = slices.DeleteFunc(files, func(f packFile) bool { return v.packs[f.id].isFar() })
	return v.forgetPacks(files)
}

// forgetPacks takes packs out of the index. The caller holds v.writing.
func (v *Vault) forgetPacks(files []packFile) error {
	err := v.update(func(t *tx) error {
		for _, f := range files {
			if err := t.packs.delete(f.id.key()); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		v.mu.Lock()
		for _, f := range files {
			delete(v.packs, f.id)
		}
		v.mu.Unlock()
	}
	return err
}
