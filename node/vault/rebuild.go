package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/index/entry"
)

// Rebuild makes the index anew from the packs alone, as Open does where it is
// missing or damaged. Nobody can use the vault meanwhile. What was marked to be
// pruned is not marked any more; blocks that records name and no pack holds are
// noted as damaged, but in one that is partial.
func (v *Vault) Rebuild() error {
	v.caring.Lock()
	defer v.caring.Unlock()
	v.writing.Lock()
	defer v.writing.Unlock()
	v.whole.Lock()
	defer v.whole.Unlock()
	if err := v.closedError(); err != nil {
		return fmt.Errorf("rebuild vault %q: %w", v.dir, err)
	}
	if err := v.rebuild(); err != nil {
		return fmt.Errorf("rebuild vault %q: %w", v.dir, err)
	}
	return nil
}

// rebuild makes a new index beside the old one, puts it in its place and loads
// it. The caller holds v.writing.
func (v *Vault) rebuild() error {
	// Before anything is closed: where the store cannot be reached, the vault
	// goes on as it is.
	packs, err := v.allPacks(v.life)
	if err != nil {
		return err
	}
	whole := v.db != nil
	if err := v.letGo(); err != nil && !errors.Is(err, ErrIndex) {
		v.log.Warn("close the index of a vault", "dir", v.dir, "err", err)
	}
	fresh := filepath.Join(filepath.Dir(v.indexPath()), "index.new")
	b := builder{v: v, folder: v.st.folder, allPacks: packs, again: map[location]int64{}}
	if err := b.build(fresh); err != nil {
		err = errors.Join(err, v.letGo())
		if whole { // the index is as it was
			if err2 := v.load(); err2 != nil {
				v.broken = err2
			}
		}
		return err
	}
	// Without what others replace: a pack that the index does not know of would
	// have it rebuilt again.
	unsure := map[packID]bool{}
	for _, f := range b.all {
		if f.far {
			b.gone = append(b.gone, f)
		} else if f.stowed {
			unsure[f.id] = true
		}
	}
	for _, f := range b.gone {
		if err := v.removePack(f.id, f.class); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, v.indexPath()); err != nil {
		return err
	}
	v.broken = nil
	if err := v.load(); err != nil {
		return err
	}
	v.mu.Lock()
	v.unsure, v.agreed = unsure, v.store != nil
	v.mu.Unlock()
	if len(b.files) > 0 { // else it is a new one
		v.log.Info("rebuilt the index of a vault", "dir", v.dir, "packs", len(b.files), "unreadable", b.gaps)
	}
	return b.finish()
}

// builder rebuilds one index.
type builder struct {
	v      *Vault
	folder entry.FolderID
	allPacks
	files   []packFile // of all, those that count
	gone    []packFile // replaced by others, or spare
	dropped map[location]bool
	again   map[location]int64
	twice   []recordKey // versions to be numbered anew
	gaps    int
}

func (b *builder) build(path string) error {
	v := b.v
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	d, err := openDB(path)
	if err != nil {
		return err
	}
	v.db = d
	// Nothing of it counts until all of it is there.
	d.bolt.NoSync = true
	err = d.transact(true, func(tx *bbolt.Tx) error {
		for _, name := range append([]string{tableState}, tableNames[:]...) {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	v.st, v.packs, v.givers, v.writers = state{folder: b.folder, next: 1}, map[packID]packRow{}, givers{}, map[class]*writer{}
	v.mu.Unlock()
	if err := b.headers(); err != nil {
		return err
	}
	if err := b.drops(); err != nil {
		return err
	}
	for _, f := range b.files {
		if err := b.pack(f); err != nil {
			return fmt.Errorf("pack %s: %w", f.id, err)
		}
	}
	err = v.update(func(t *tx) error {
		t.force = true
		for _, f := range b.gone {
			if f.stowed { // it is to leave the store
				t.packRows[f.id] = packRow{class: f.class, retired: true, stowed: true, length: f.size}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = d.bolt.Sync()
	v.db = nil
	return errors.Join(err, d.close())
}

// headers reads what packs there are, and which of them others replace.
func (b *builder) headers() error {
	v := b.v
	retired := map[packID]bool{}
	v.st.moment, v.st.head = max(v.st.moment, b.moment), max(v.st.head, b.head)
	for _, f := range b.spare {
		v.st.next = max(v.st.next, f.id+1)
	}
	b.gone = append(b.gone, b.spare...)
	if err := b.whose(); err != nil {
		return err
	}
	var others []packID
	for _, f := range b.all {
		h, err := v.readHeader(f)
		if errors.Is(err, errBad) {
			v.log.Warn("the header of a pack is damaged", "dir", v.dir, "pack", f.id.String())
			v.st.next = max(v.st.next, f.id+1)
			continue
		}
		if err != nil {
			return err
		}
		if h.folder != b.folder || v.st.vault != (ID{}) && h.vault != v.st.vault {
			if !f.here {
				v.log.Error("a pack of another vault lies in the store", "dir", v.dir, "pack", f.id.String())
				others = append(others, f.id)
				v.st.next = max(v.st.next, f.id+1)
				continue
			}
			return fmt.Errorf("pack %s is of folder %s, vault %x: %w", f.id, h.folder, h.vault, ErrFolder)
		}
		v.st.vault, v.st.marker = h.vault, h.marker
		v.st.begunBy(&h)
		if !h.copied {
			continue
		}
		replaced, err := v.retiredBy(f)
		if err != nil {
			return err
		}
		for _, id := range replaced {
			retired[id] = true
			v.st.next = max(v.st.next, id+1)
		}
	}
	if v.st.vault == (ID{}) {
		_, _ = rand.Read(v.st.vault[:]) // never fails
		var err error
		if v.st.marker, err = v.anyMarker(b.all); err != nil {
			return err
		}
	}
	for _, f := range b.all {
		if slices.Contains(others, f.id) {
			continue
		}
		if retired[f.id] {
			b.gone = append(b.gone, f)
		} else {
			b.files = append(b.files, f)
		}
	}
	return nil
}

// whose takes the vault's ID from a pack that lies here, if there is one.
func (b *builder) whose() error {
	for _, f := range b.all {
		if !f.here {
			continue
		}
		h, err := b.v.readHeader(f)
		if errors.Is(err, errBad) {
			continue
		}
		if err == nil && h.folder == b.folder {
			b.v.st.vault, b.v.st.marker = h.vault, h.marker
		}
		return err
	}
	return nil
}

// anyMarker is the marker of packs whose headers are all damaged, from the first
// of their entries that is not; a new one if there is none.
func (v *Vault) anyMarker(files []packFile) (m marker, err error) {
	for _, f := range files {
		file, err := v.openPack(v.life, f, headSize)
		if err != nil {
			return m, err
		}
		b := make([]byte, headSize)
		_, err = file.ReadAt(b, packHeader)
		_ = file.Close() // only read
		if err == nil {
			m = marker(b[:8])
			if _, err = parseHead(b, m); err == nil {
				return m, nil
			}
		}
	}
	_, _ = rand.Read(m[:]) // never fails
	return m, nil
}

// drops reads what is dead.
func (b *builder) drops() error {
	b.dropped = map[location]bool{}
	return b.v.update(func(t *tx) error {
		in := intake{t: t, dropped: b.dropped}
		for _, f := range b.files {
			if f.class != classRecords {
				continue
			}
			if err := b.v.scanAll(b.v.life, f, looking{from: packHeader, found: in.noteDrops}); err != nil {
				return err
			}
		}
		return nil
	})
}

// pack puts the entries of a pack into the index, a part in each transaction.
// The data of blocks are only read in the last pack of them, which a crash may
// have left unfinished: scrub reads the others in its time.
func (b *builder) pack(f packFile) error {
	v := b.v
	heads := f.class == classBlocks && (f.stowed || b.anotherFollows(f))
	for from := int64(packHeader); from >= 0; {
		batch, next, err := b.batch(f, from, heads)
		if err != nil {
			return err
		}
		from = next
		err = v.update(func(t *tx) error {
			in := intake{t: t, dropped: b.dropped, again: b.again, twice: &b.twice}
			r, _ := t.pack(f.id)
			r.class, r.length, r.stowed = f.class, max(f.size, packHeader), f.stowed
			t.packRows[f.id] = r
			for _, e := range batch {
				if b.dropped[e.at] {
					t.deaths[f.id] += e.size()
				}
				if err := in.add(e); err != nil {
					return err
				}
			}
			return in.number()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// batch reads some of the entries of a pack, and puts them into the order of
// their rows, which are then much quicker to write. It returns where the next
// batch begins, -1 if there is none.
func (b *builder) batch(f packFile, from int64, heads bool) (batch []found, next int64, err error) {
	next = -1
	bytes := 0
	scan := func(fn func(found) error) error {
		if heads && f.heads > 0 {
			if err := b.v.scanHeads(f, from, fn); !errors.Is(err, errBad) {
				return err
			}
		}
		return b.v.scanAll(b.v.life, f, looking{from: from, heads: heads, found: fn, gap: func(int64, int64) { b.gaps++ }})
	}
	err = scan(func(e found) error {
		if len(batch) == buildBatch || bytes > buildBytes {
			next = int64(e.at.offset)
			return errEnough
		}
		if e.kind == kindBlock {
			e.data = nil
		}
		e.data = slices.Clone(e.data)
		bytes += len(e.data)
		batch = append(batch, e)
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	// Of equal ones the last counts, and it is to stay behind the others.
	slices.SortStableFunc(batch, func(a, b found) int { return slices.Compare(a.name[:], b.name[:]) })
	return batch, next, err
}

// errEnough ends a scan.
var errEnough = errors.New("enough")

func (b *builder) anotherFollows(f packFile) bool {
	for _, o := range b.files {
		if o.class == f.class && o.id > f.id {
			return true
		}
	}
	return false
}

// finish makes what lay twice dead where it lies in vain, and notes which blocks
// are lost.
func (b *builder) finish() error {
	v := b.v
	err := v.update(func(t *tx) error {
		if err := t.renumber(b.twice); err != nil {
			return err
		}
		if v.scratch != "" {
			return nil // nothing is to become of it
		}
		for at, size := range b.again {
			t.drop(at, size)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.noteLost()
}
