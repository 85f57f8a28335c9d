package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// Held is a version of a record as the vault holds it.
type Held struct {
	Record   *seal.Record
	Sequence entry.Sequence // the number of its receipt by this vault
	Received time.Time      // by the vault's clock
	From     entry.DeviceID // that gave it
	// Until is when it was superseded: when this vault received the first
	// version that has seen it, Received if it had one by then. It is zero if it
	// is newest now. [Vault.Since] does not tell.
	Until time.Time
}

// State is a record at a moment.
type State struct {
	ID seal.RecordID
	// Newest are the versions that no other had seen: mostly one, more where
	// devices had changed a path at once. The first wins over the others.
	Newest []Held
}

func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Versions are all held versions of a record, in the order of receipt; nil if
// there is none. One that cannot be read is left out, and noted as damaged.
func (v *Vault) Versions(id seal.RecordID) ([]Held, error) {
	vs, err := v.read(func(t *tables, got func(held) error) error {
		vs, err := t.versionsOf(id)
		if err != nil {
			return err
		}
		for i := range vs {
			if err := got(vs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("versions of record %s in vault %q: %w", id, v.dir, err)
	}
	return vs, nil
}

// versionsOf are the rows of a record, with when they were superseded.
func (t *tables) versionsOf(id seal.RecordID) ([]held, error) {
	var vs []held
	err := t.records.each(id[:], nil, func(key, row []byte) (bool, error) {
		r, err := parseRecordRow(row)
		vs = append(vs, held{key: recordKey(key), row: r})
		return true, err
	})
	setUntil(vs)
	return vs, err
}

// AsOf is every record of which a version had been received by t, in the order
// of their IDs: the folder as this vault knew it then. Devices tell a vault of
// changes when they meet it, so what had happened by t elsewhere, and was told
// later, is not in it.
//
// It can be restored exactly if t is not before [Totals].Exact, or is a moment
// that retention keeps. Records are IDs to a vault: after a change of keys a
// path has another ID, so a holder of the keys must open all, and merge those
// that turn out to be one path by their versions.
//
// The loop gets an error once, as its last turn. What is put meanwhile is not
// seen, if t is not in the future.
func (v *Vault) AsOf(t time.Time) iter.Seq2[State, error] {
	return v.states(momentOf(t))
}

// Current is [Vault.AsOf] for now: the newest versions of all records.
func (v *Vault) Current() iter.Seq2[State, error] { return v.states(maxMoment - 1) }

func (v *Vault) states(t moment) iter.Seq2[State, error] {
	return func(yield func(State, error) bool) {
		var from []byte
		for {
			var batch []Held
			var next []byte
			batch, err := v.read(func(tt *tables, got func(held) error) (err error) {
				next, err = tt.eachRecord(from, rowBatch/8, func(vs []held) error {
					for _, one := range newestAt(vs, t) {
						if err := got(one); err != nil {
							return err
						}
					}
					return nil
				})
				return err
			})
			if err != nil {
				yield(State{}, fmt.Errorf("the past of vault %q: %w", v.dir, err))
				return
			}
			for len(batch) > 0 {
				s := State{ID: batch[0].Record.ID}
				n := 1
				for n < len(batch) && batch[n].Record.ID == s.ID {
					n++
				}
				s.Newest, batch = batch[:n:n], batch[n:]
				if !yield(s, nil) {
					return
				}
			}
			if next == nil {
				return
			}
			from = next
		}
	}
}

// eachRecord calls fn for all versions of each record, from the key from on, for
// about so many rows, fewer if they are of long records. It returns where to go
// on, nil at the end.
func (t *tables) eachRecord(from []byte, rows int, fn func([]held) error) (next []byte, err error) {
	var vs []held
	flush := func() error {
		if len(vs) == 0 {
			return nil
		}
		setUntil(vs)
		err := fn(vs)
		vs = vs[:0]
		return err
	}
	err = t.records.each(nil, from, func(key, row []byte) (bool, error) {
		k := recordKey(key)
		if len(vs) > 0 && vs[0].key.id() != k.id() {
			if err := flush(); err != nil {
				return false, err
			}
			if rows <= 0 {
				next = slices.Clone(key)
				return false, nil
			}
		}
		r, err := parseRecordRow(row)
		vs = append(vs, held{key: k, row: r})
		rows -= 1 + int(r.length)/longRecord
		return true, err
	})
	if err == nil && next == nil {
		err = flush()
	}
	return next, err
}

// Since is every held version that was received after a sequence number, in
// the order of receipt. Numbers that are missing belong to versions that are no
// longer held. The loop gets an error once, as its last turn.
func (v *Vault) Since(after entry.Sequence) iter.Seq2[Held, error] {
	return func(yield func(Held, error) bool) {
		last := uint64(after)
		for done := false; !done; {
			batch, err := v.read(func(t *tables, got func(held) error) error {
				n := rowBatch / 8
				done = true
				return t.sequence.each(nil, sequenceKey(last+1), func(key, row []byte) (bool, error) {
					if n < 0 {
						done = false
						return false, nil
					}
					last = binary.BigEndian.Uint64(key)
					r, ok, err := t.version(recordKey(row))
					if err == nil && !ok {
						err = fmt.Errorf("%w: sequence %d has no record", ErrIndex, last)
					}
					if err != nil {
						return false, err
					}
					n -= 1 + int(r.length)/longRecord
					return true, got(held{key: recordKey(row), row: r, until: maxMoment})
				})
			})
			if err != nil {
				yield(Held{}, fmt.Errorf("what vault %q received after %d: %w", v.dir, after, err))
				return
			}
			for i := range batch {
				if !yield(batch[i], nil) {
					return
				}
			}
		}
	}
}

// read collects what find hands to got, and reads the records in the order of
// the disk. Those that cannot be read are left out and noted.
func (v *Vault) read(find func(t *tables, got func(held) error) error) ([]Held, error) {
	var rows []held
	var out []Held
	var bad []held
	err := v.reader(func(t *tables) error {
		err := find(t, func(h held) error {
			if !h.row.bad {
				rows = append(rows, h)
			}
			return nil
		})
		if err != nil {
			return err
		}
		out = make([]Held, len(rows))
		for _, i := range byPlace(rows) {
			if out[i], err = v.heldOf(&rows[i]); errors.Is(err, errBad) {
				bad = append(bad, rows[i])
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(bad) > 0 {
		err = v.submit(func(t *tx) error {
			for i := range bad {
				if err := t.recordIsBad(bad[i].key, bad[i].row.at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return slices.DeleteFunc(out, func(h Held) bool { return h.Record == nil }), err
}

// byPlace are the positions of rows in the order of the disk.
func byPlace(rows []held) []int {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := rows[a].row.at, rows[b].row.at
		if x.pack != y.pack {
			return int(x.pack) - int(y.pack)
		}
		return int(x.offset) - int(y.offset)
	})
	return order
}

// heldOf reads the record of a row.
func (v *Vault) heldOf(one *held) (h Held, err error) {
	head, data, err := v.entryAt(classRecords, one.row.at, one.row.length)
	if err != nil {
		return h, err
	}
	r, err := parseRecord(head.epoch, data)
	if err != nil {
		return h, err
	}
	if keyOf(r.ID, head.sum) != one.key {
		return h, fmt.Errorf("entry %s: %w: another record", one.row.at, errBad)
	}
	h = Held{
		Record: r, Sequence: entry.Sequence(one.row.sequence), Received: one.row.received.time(),
		From: v.deviceOf(one.row.giver),
	}
	if one.until != maxMoment {
		h.Until = one.until.time()
	}
	return h, nil
}

// span is when the oldest and the newest version was received.
func (v *Vault) span() (oldest, newest time.Time, err error) {
	err = v.reader(func(t *tables) error {
		c := t.sequence.bolt.Cursor()
		_, first := c.First()
		_, last := c.Last()
		for at, row := range map[*time.Time][]byte{&oldest: first, &newest: last} {
			if len(row) != len(recordKey{})+sumSize {
				continue
			}
			r, ok, err := t.version(recordKey(row))
			if err != nil {
				return err
			}
			if ok {
				*at = r.received.time()
			}
		}
		return nil
	})
	return oldest, newest, err
}

// Earliest is since when history is held: when the oldest version that is held
// was received, and in a rolling vault not before what has gone, to make room or
// by retention. Zero: nothing was received yet.
func (v *Vault) Earliest() (time.Time, error) {
	t, err := v.Totals()
	if err != nil || !v.rolling || !t.Exact.After(t.Oldest) || t.Oldest.IsZero() {
		return t.Oldest, err
	}
	return t.Exact, nil
}
