package vault

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

func be32(b []byte) uint32             { return binary.BigEndian.Uint32(b) }
func be16(b []byte) uint16             { return binary.BigEndian.Uint16(b) }
func deviceID(b []byte) entry.DeviceID { return entry.DeviceID(b) }

// takeIn takes in what lies in packs behind what the index knows: a change that
// was not committed, of which nobody was told. Whole entries are kept, the rest
// is cut off. All packs go into one change, since entries in one speak of
// others.
func (v *Vault) takeIn(tails []packFile) error {
	ends := make([]int64, len(tails))
	for i, f := range tails {
		end, err := v.cutTail(f)
		if err != nil {
			return fmt.Errorf("take in pack %s: %w", f.id, err)
		}
		ends[i] = end
		v.log.Info("take in the end of a pack", "dir", v.dir, "pack", f.id.String(), "bytes", end-f.size)
	}
	return v.update(func(t *tx) error {
		in := intake{t: t, dropped: map[location]bool{}, whole: !v.partial}
		for i, f := range tails {
			r, known := t.pack(f.id)
			r.class, r.length = f.class, ends[i]
			t.packRows[f.id] = r
			if !known {
				h, err := v.readHeader(f)
				if err != nil {
					return err
				}
				t.st.begunBy(&h)
			}
			whole := packFile{id: f.id, class: f.class, size: ends[i]}
			if f.class == classRecords {
				if err := v.scan(whole, f.size, false, in.noteDrops); err != nil {
					return err
				}
			}
		}
		for _, c := range []class{classBlocks, classRecords} { // which name those
			for i, f := range tails {
				if f.class != c {
					continue
				}
				if err := v.scan(packFile{id: f.id, class: f.class, size: ends[i]}, f.size, false, in.add); err != nil {
					return err
				}
			}
		}
		if err := in.number(); err != nil {
			return err
		}
		return in.dropAll()
	})
}

// cutTail finds the last whole entry behind the first f.size bytes, cuts off
// what follows it, and makes the rest durable. It returns where it ends.
func (v *Vault) cutTail(f packFile) (end int64, err error) {
	path := packPath(v.packDir, f.id, f.class)
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	end = f.size
	err = v.scan(packFile{id: f.id, class: f.class, size: info.Size()}, f.size, false, func(e found) error {
		if e.bad {
			return errTorn
		}
		end += e.size()
		return nil
	})
	if err != nil && !errors.Is(err, errTorn) {
		return 0, err
	}
	if v.scratch != "" {
		return end, nil
	}
	if w := v.writers[f.class]; w != nil && w.id == f.id {
		if err := w.cut(end); err != nil {
			return 0, err
		}
		return end, w.file.Sync()
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	return end, errors.Join(file.Truncate(end), file.Sync(), file.Close())
}

// intake puts entries that lie in packs into the index.
type intake struct {
	t *tx
	// dropped are entries that others make dead.
	dropped map[location]bool
	// again are entries that are held elsewhere too, and were not dropped: what
	// is to be made dead, with its size.
	again map[location]int64
	// whole: a record counts only with all blocks that it names. The two kinds
	// of packs are made durable at once, so a crash may have left it alone.
	whole bool
	// numbers are of the sequence, to be written, and twice are those that had
	// one which another has; nil where that cannot be.
	numbers []numbered
	twice   *[]recordKey
}

type numbered struct {
	sequence uint64
	key      recordKey
}

// noteDrops remembers what a drop makes dead.
func (in *intake) noteDrops(e found) error {
	if e.kind != kindDrop || e.bad {
		return nil
	}
	thinned, at, err := parseDrops(e.data)
	if err != nil {
		return nil //nolint:nilerr // it passed its checksum, and a newer kith may know more
	}
	in.t.st.thinned = max(in.t.st.thinned, thinned)
	for _, l := range at {
		in.dropped[l] = true
		// A new pack with the number of one that is gone would lose what comes to
		// lie there.
		in.t.st.next = max(in.t.st.next, l.pack+1)
	}
	return nil
}

// add puts an entry into the index. What is held elsewhere is held here from
// now on.
func (in *intake) add(e found) error {
	t := in.t
	t.st.head = max(t.st.head, e.sequence)
	t.st.moment = max(t.st.moment, e.received)
	if in.dropped[e.at] {
		return nil
	}
	switch e.kind {
	case kindBlock:
		return in.addBlock(e)
	case kindRecord:
		return in.addRecord(e)
	case kindPin:
		return in.addPin(e)
	case kindGiver:
		if e.bad || t.deviceOf(e.giver) != "" {
			return nil
		}
		t.learn(e.giver, deviceID(e.data))
		return t.tables.givers.put(giverKey(e.giver), slices.Clone(e.data))
	case kindDrop, kindRetire:
	}
	return nil
}

func (in *intake) addBlock(e found) error {
	t := in.t
	vs, err := t.variants(e.name[:])
	if err != nil {
		return err
	}
	one := variant{
		at: e.at, length: e.length, epoch: entry.Epoch(e.epoch), giver: e.giver, bad: e.bad, sum: shortSum(e.sum[:16]),
	}
	i := slices.IndexFunc(vs, func(v variant) bool { return v.sum == one.sum })
	if i >= 0 {
		in.moved(vs[i].at, vs[i].size())
		if vs[i].bad && !one.bad {
			if err := t.healed(kindBlock, e.name, one.sum); err != nil {
				return err
			}
		}
		vs[i] = one
	} else {
		t.countVariant(&one, 1, len(vs) == 0)
		vs = append(vs, one)
	}
	if one.bad {
		if err := t.damage(kindBlock, e.name, one.sum, one.giver); err != nil {
			return err
		}
	}
	return t.blocks.put(e.name[:], appendVariants(nil, vs))
}

func (in *intake) addRecord(e found) error {
	t := in.t
	key := keyOf(seal.RecordID(e.name[:16]), e.sum)
	row := recordRow{
		sequence: e.sequence, received: e.received, at: e.at, length: e.length,
		epoch: entry.Epoch(e.epoch), giver: e.giver, bad: e.bad,
	}
	if !e.bad {
		r, err := parseRecord(e.epoch, e.data)
		if err != nil {
			return fmt.Errorf("entry %s: %w", e.at, err)
		}
		if in.whole {
			if lacks, err := t.missing(r); err != nil {
				return err
			} else if len(lacks) > 0 {
				t.drop(e.at, e.size()) // so that it does not come back
				return nil
			}
		}
		row.version = r.Version
	} else if err := t.damage(kindRecord, key, shortSum(e.sum[:16]), e.giver); err != nil {
		return err
	}
	old, held, err := t.version(key)
	if err != nil {
		return err
	}
	if held {
		in.moved(old.at, old.size())
		row.sequence, row.received = old.sequence, old.received
		if old.bad && !row.bad {
			if err := t.healed(kindRecord, key, shortSum(e.sum[:16])); err != nil {
				return err
			}
		}
		return t.records.put(key[:], row.append(nil))
	}
	t.st.counts.versions++
	if t.isNew(key[:16]) {
		t.st.counts.records++
	}
	in.numbers = append(in.numbers, numbered{row.sequence, key})
	return t.records.put(key[:], row.append(nil))
}

// number writes the sequence numbers of what was added, in their order: rows
// that come in order are quick to write.
func (in *intake) number() error {
	slices.SortFunc(in.numbers, func(a, b numbered) int { return cmp.Compare(a.sequence, b.sequence) })
	for _, n := range in.numbers {
		row, err := in.t.sequence.get(sequenceKey(n.sequence))
		if err != nil {
			return err
		}
		if row != nil && in.twice != nil && !bytes.Equal(row, n.key[:]) {
			*in.twice = append(*in.twice, n.key)
			continue
		}
		if err := in.t.sequence.put(sequenceKey(n.sequence), n.key[:]); err != nil {
			return err
		}
	}
	in.numbers = nil
	return nil
}

// renumber gives versions numbers of their own whose numbers others have: those
// that came after the directory was set back, and what the store has of before.
func (t *tx) renumber(keys []recordKey) error {
	for _, key := range keys {
		r, held, err := t.version(key)
		if err != nil || !held {
			return err
		}
		t.st.head++
		r.sequence = t.st.head
		if err := t.records.put(key[:], r.append(nil)); err != nil {
			return err
		}
		if err := t.sequence.put(sequenceKey(r.sequence), key[:]); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) addPin(e found) error {
	id, at := parsePinName(e.name)
	old, err := in.t.pins.get(id[:])
	if err != nil {
		return err
	}
	if old == nil {
		in.t.st.counts.pins++
	} else if p, err := parsePinRow(old); err != nil {
		return err
	} else {
		in.moved(p.place, headSize+int64(len(p.label)))
	}
	label := slices.Clone(e.data)
	if e.bad {
		label = nil // the moment is what matters, and it is in the head
	}
	p := pinRow{at: at, place: e.at, label: label}
	in.t.st.moment = max(in.t.st.moment, at)
	return in.t.pins.put(id[:], p.append(nil))
}

// moved makes an entry dead that was put again, unless that is written already.
func (in *intake) moved(from location, size int64) {
	switch {
	case in.dropped[from]:
	case in.again != nil:
		in.again[from] = size
	default:
		in.t.drop(from, size)
	}
}

// dropAll removes from the index what lies at places that were dropped.
func (in *intake) dropAll() error {
	if len(in.dropped) == 0 {
		return nil
	}
	packs := map[packID]bool{}
	for at := range in.dropped {
		packs[at.pack] = true
	}
	// Entries that the index does not know to live there are dead already, or
	// lie in the tail themselves: their size counts all the same.
	live := map[location]bool{}
	err := in.t.living(packs, func(l living) error {
		if !in.dropped[l.at] {
			return nil
		}
		live[l.at] = true
		in.t.deaths[l.at.pack] += l.size()
		return in.t.forgetEntry(&l)
	})
	if err != nil {
		return err
	}
	for at := range in.dropped {
		if live[at] {
			continue
		}
		if size, ok := in.t.v.sizeAt(at); ok {
			in.t.deaths[at.pack] += size
		}
	}
	return nil
}

// sizeAt is the size of an entry that its head tells.
func (v *Vault) sizeAt(at location) (int64, bool) {
	for _, c := range []class{classBlocks, classRecords} {
		f := &opened{v: v, c: c, at: at}
		var b [headSize]byte
		if _, err := f.ReadAt(b[:], int64(at.offset)); err != nil {
			continue
		}
		h, err := parseHead(b[:], v.marker())
		return h.size(), err == nil
	}
	return 0, false
}
