package vault

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/zeebo/blake3"
	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/index/entry"
)

// tx is one change of the vault: entries in packs, and rows of the index that
// say so. Either all of it is done or nothing.
type tx struct {
	v *Vault
	tables
	stateRow *table
	st       state
	now      moment // 0 until asked for
	packRows map[packID]packRow
	givers   givers
	drops    []location
	deaths   map[packID]int64
	force    bool // write the state even if nothing else has changed

	begun   map[class]*writer // the packs that were open when it began
	lengths map[class]int64
	created []*writer
}

// update runs fn within a change and makes it durable: first the packs, then
// the index. After an error nothing of it remains. The caller holds v.writing.
func (v *Vault) update(fn func(*tx) error) error {
	if v.broken != nil {
		return v.broken
	}
	if v.db == nil {
		return ErrIndex
	}
	t := &tx{
		v: v, st: v.st, packRows: map[packID]packRow{}, deaths: map[packID]int64{},
		begun: maps.Clone(v.writers), lengths: map[class]int64{},
	}
	for c, w := range v.writers {
		t.lengths[c] = w.length
	}
	visible, err := v.db.update(func(b *bbolt.Tx) error { return t.run(b, fn) })
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		err = v.step("committed")
	}
	if visible {
		t.keep()
		return err
	}
	return t.undo(err)
}

// errUnchanged: there is nothing to be made durable.
var errUnchanged = errors.New("unchanged")

func (t *tx) run(b *bbolt.Tx, fn func(*tx) error) (err error) {
	if t.tables, err = openTables(b, &t.st.sum); err != nil {
		return err
	}
	if t.stateRow, err = openTable(b, tableState, nil); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return err
	}
	if !t.force && t.st == t.v.st && len(t.drops) == 0 && len(t.packRows) == 0 && len(t.deaths) == 0 && !t.changed() {
		return errUnchanged
	}
	return t.finish()
}

// finish makes the packs durable and writes what sums the change up.
func (t *tx) finish() error {
	if err := t.writeDrops(); err != nil {
		return err
	}
	if err := t.v.step("written"); err != nil {
		return err
	}
	if err := t.syncPacks(); err != nil {
		return err
	}
	for _, w := range t.v.writers {
		if r, _ := t.pack(w.id); r.length != w.length {
			r.class, r.length = w.class, w.length
			t.packRows[w.id] = r
		}
	}
	for id, n := range t.deaths {
		r, ok := t.pack(id)
		if !ok {
			continue
		}
		r.dead += n
		t.packRows[id] = r
	}
	for _, id := range slices.Sorted(maps.Keys(t.packRows)) {
		if err := t.packs.put(id.key(), t.packRows[id].append(nil)); err != nil {
			return err
		}
	}
	if err := t.stateRow.put(rowState, t.st.append(nil)); err != nil {
		return err
	}
	return t.v.step("synced")
}

func (t *tx) syncPacks() error {
	errs := make(chan error, 1)
	blocks, records := t.v.writers[classBlocks], t.v.writers[classRecords]
	if err := t.v.step("sync"); err != nil {
		return err
	}
	go func() {
		if blocks == nil {
			errs <- nil
			return
		}
		errs <- blocks.sync()
	}()
	var err error
	if records != nil {
		err = records.sync()
	}
	if err2 := <-errs; err == nil {
		err = err2
	}
	return err
}

// keep makes what was committed what the vault goes on from.
func (t *tx) keep() {
	t.v.mu.Lock()
	defer t.v.mu.Unlock()
	t.v.st = t.st
	for id, r := range t.packRows {
		t.v.packs[id] = r
	}
	for _, g := range t.givers.added {
		t.v.givers.add(g.code, g.device)
	}
	for c, w := range t.begun {
		if t.v.writers[c] != w {
			_ = w.close() // it is synced
		}
	}
}

// undo takes back what was appended. Where it cannot, nothing more may be
// written behind it.
func (t *tx) undo(cause error) error {
	for _, w := range t.created {
		_ = w.close() // it is removed
		if err := t.v.removePack(w.id, w.class); err != nil {
			t.v.broken = fmt.Errorf("take back pack %s: %w", w.id, err)
		}
	}
	t.v.writers = t.begun
	for c, w := range t.begun {
		if w.length == t.lengths[c] && !w.dirty {
			continue
		}
		if err := w.cut(t.lengths[c]); err != nil {
			t.v.broken = err
		}
	}
	return cause
}

// pack is the row of a pack as it will be.
func (t *tx) pack(id packID) (packRow, bool) {
	if r, ok := t.packRows[id]; ok {
		return r, true
	}
	r, ok := t.v.packs[id]
	return r, ok
}

// moment is the one at which this change happens: later than all before.
func (t *tx) moment() moment {
	if t.now == 0 {
		t.now = max(momentOf(t.v.clock()), t.st.moment+1)
		t.st.moment = t.now
	}
	return t.now
}

// append writes an entry to the pack of its class. The head's length and sum
// are those of data.
func (t *tx) append(h *head, data []byte) (location, error) {
	w, err := t.writer(h.kind.class(), h.size())
	if err != nil {
		return location{}, err
	}
	if h.giver != 0 && h.kind != kindGiver && !w.named[h.giver] {
		if err := t.nameGiver(w, h.giver); err != nil {
			return location{}, err
		}
	}
	return w.append(h, data)
}

// writer is the pack to append n bytes to, a new one if they don't fit.
func (t *tx) writer(c class, n int64) (*writer, error) {
	w := t.v.writers[c]
	if w != nil && (w.length+n <= t.v.packSize || w.length == packHeader) {
		return w, nil
	}
	if w != nil {
		if err := w.sync(); err != nil {
			return nil, err
		}
		r, _ := t.pack(w.id)
		r.class, r.length = w.class, w.length
		t.packRows[w.id] = r
	}
	w, err := t.create(c, false)
	if err != nil {
		return nil, err
	}
	t.v.writers[c] = w
	return w, nil
}

// create makes a pack.
func (t *tx) create(c class, copied bool) (*writer, error) {
	if t.v.scratch != "" {
		return nil, ErrReadOnly
	}
	if err := t.v.step("create"); err != nil {
		return nil, err
	}
	t.skipNumbers()
	w, err := createPack(t.v.packDir, &header{
		class: c, copied: copied, number: t.st.next, folder: t.st.folder, vault: t.st.vault,
		head: t.st.head, moment: t.st.moment, thinned: t.st.thinned, marker: t.st.marker,
	})
	if err != nil {
		return nil, err
	}
	w.noSync = t.v.noSync
	t.st.next++
	t.created = append(t.created, w)
	t.packRows[w.id] = packRow{class: c, length: packHeader}
	return w, t.v.step("created")
}

// skipNumbers leaves some numbers out, at random, if it is not known yet which
// ones there are in the store: if the directory was set back, those that come
// next were given before. See also doSettle.
func (t *tx) skipNumbers() {
	t.v.mu.Lock()
	defer t.v.mu.Unlock()
	if t.v.store != nil && !t.v.agreed && !t.v.skipped {
		t.st.next += packID(skipNumbers/16 + rand.IntN(skipNumbers))
		t.v.skipped = true
	}
}

// nameGiver says in a pack which device a number stands for.
func (t *tx) nameGiver(w *writer, g giver) error {
	device := t.deviceOf(g)
	h := t.head(kindGiver, []byte(device))
	h.giver = g
	_, err := w.append(&h, []byte(device))
	w.named[g] = true
	return err
}

// head is that of an entry of the vault's own.
func (t *tx) head(k kind, data []byte) head {
	return head{kind: k, length: uint32(len(data)), sequence: t.st.head, received: t.st.moment, sum: blake3.Sum256(data)}
}

// drop makes an entry dead. It is written to a pack before the index forgets
// it.
func (t *tx) drop(at location, size int64) {
	t.drops = append(t.drops, at)
	t.deaths[at.pack] += size
}

func (t *tx) writeDrops() error {
	for drops := range slices.Chunk(t.drops, dropBatch) {
		data := appendDrops(nil, t.st.thinned, drops)
		h := t.head(kindDrop, data)
		if _, err := t.append(&h, data); err != nil {
			return err
		}
	}
	return nil
}

// unmark forgets that something was to be pruned.
func (t *tx) unmark(key []byte) error {
	if t.st.marks == 0 {
		return nil
	}
	row, err := t.marks.get(key)
	if row == nil || err != nil {
		return err
	}
	t.st.marks--
	return t.marks.delete(key)
}

// isNew tells whether no version of the record is held.
func (t *tx) isNew(id []byte) bool {
	k, _ := t.records.bolt.Cursor().Seek(id)
	return !bytes.HasPrefix(k, id)
}

func blockMark(id entry.BlockID) []byte { return append([]byte{'b'}, id[:]...) }
func recordMark(key recordKey) []byte   { return append([]byte{'r'}, key[:]...) }
