package vault

import (
	"cmp"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// living is an entry that the index knows, by where it lies.
type living struct {
	kind   kind
	name   [32]byte // of a block its ID, of a record its key, of a pin its ID
	sum    shortSum // of a block
	at     location
	length uint32
	bad    bool
}

func (l *living) size() int64 { return headSize + int64(l.length) }

// living calls fn for all entries that the index knows in some packs, in no
// order of the disk. It goes through the whole index. fn may change the rows of
// what it is given.
func (t *tables) living(packs map[packID]bool, fn func(living) error) error {
	var all []living
	err := t.blocks.each(nil, nil, func(key, row []byte) (bool, error) {
		vs, err := parseVariants(row)
		for i := range vs {
			if v := &vs[i]; packs[v.at.pack] {
				all = append(all, living{kindBlock, [32]byte(key), v.sum, v.at, v.length, v.bad})
			}
		}
		return true, err
	})
	if err != nil {
		return err
	}
	err = t.records.each(nil, nil, func(key, row []byte) (bool, error) {
		r, err := parseRecordRow(row)
		if packs[r.at.pack] {
			all = append(all, living{kind: kindRecord, name: [32]byte(key), at: r.at, length: r.length, bad: r.bad})
		}
		return true, err
	})
	if err != nil {
		return err
	}
	err = t.pins.each(nil, nil, func(key, row []byte) (bool, error) {
		p, err := parsePinRow(row)
		if packs[p.place.pack] {
			one := living{kind: kindPin, at: p.place, length: uint32(len(p.label))}
			copy(one.name[:], key)
			all = append(all, one)
		}
		return true, err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b living) int {
		return cmp.Or(cmp.Compare(a.at.pack, b.at.pack), cmp.Compare(a.at.offset, b.at.offset))
	})
	for _, l := range all {
		if err := fn(l); err != nil {
			return err
		}
	}
	return nil
}

// forgetEntry takes an entry out of the index, with all that is known of it.
func (t *tx) forgetEntry(l *living) error {
	switch l.kind {
	case kindBlock:
		return t.forgetBlock(l.name, l.at)
	case kindRecord:
		return t.forgetVersion(l.name)
	default:
		t.st.counts.pins--
		return t.pins.delete(l.name[:16])
	}
}

// forgetBlock forgets the variant of a block that lies at a place.
func (t *tx) forgetBlock(id entry.BlockID, at location) error {
	vs, err := t.variants(id[:])
	if err != nil {
		return err
	}
	i := slices.IndexFunc(vs, func(v variant) bool { return v.at == at })
	if i < 0 {
		return nil
	}
	t.countVariant(&vs[i], -1, len(vs) == 1)
	if err := t.healed(kindBlock, id, vs[i].sum); err != nil {
		return err
	}
	if vs = slices.Delete(vs, i, i+1); len(vs) > 0 {
		return t.blocks.put(id[:], appendVariants(nil, vs))
	}
	if err := t.unmark(blockMark(id)); err != nil {
		return err
	}
	return t.blocks.delete(id[:])
}

// forgetVersion forgets a version of a record.
func (t *tx) forgetVersion(key recordKey) error {
	r, ok, err := t.version(key)
	if err != nil || !ok {
		return err
	}
	if err := t.records.delete(key[:]); err != nil {
		return err
	}
	if err := t.sequence.delete(sequenceKey(r.sequence)); err != nil {
		return err
	}
	t.st.counts.versions--
	if t.isNew(key[:16]) {
		t.st.counts.records--
	}
	if err := t.healed(kindRecord, key, shortSum(key[16:])); err != nil {
		return err
	}
	return t.unmark(recordMark(key))
}

// move says where an entry lies from now on.
func (t *tx) move(l *living, to location) error {
	switch l.kind {
	case kindBlock:
		vs, err := t.variants(l.name[:])
		if err != nil {
			return err
		}
		for i := range vs {
			if vs[i].at == l.at {
				vs[i].at = to
			}
		}
		return t.blocks.put(l.name[:], appendVariants(nil, vs))
	case kindRecord:
		r, _, err := t.version(l.name)
		if err != nil {
			return err
		}
		r.at = to
		return t.records.put(l.name[:], r.append(nil))
	default:
		row, err := t.pins.get(l.name[:16])
		if err != nil {
			return err
		}
		p, err := parsePinRow(row)
		if err != nil {
			return err
		}
		p.place = to
		return t.pins.put(l.name[:16], p.append(nil))
	}
}
