package vault

import (
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// checkVariants looks up what is held of the blocks, and refuses those that
// would be one variant too many, before anything is written.
func (p *putting) checkVariants(t *tx) error {
	p.held = make([][]variant, len(p.blocks))
	for i := range p.blocks {
		b := &p.blocks[i]
		vs, err := t.variants(b.ID[:])
		if err != nil {
			return err
		}
		p.held[i] = vs
		if err := mayAdd(vs, shortSum(p.sums[i][:16]), t.giverOf(b.From)); err != nil {
			return fmt.Errorf("block %s from %q: %w", b.ID, b.From, err)
		}
	}
	return nil
}

// mayAdd keeps one good variant of each giver, and not too many of all: so no
// device can fill the places of the others.
func mayAdd(vs []variant, sum shortSum, from giver) error {
	good := 0
	for i := range vs {
		switch {
		case vs[i].sum == sum:
			return nil
		case vs[i].bad:
		case vs[i].giver == from:
			return fmt.Errorf("%w: it gave another form of the block before", ErrRefused)
		default:
			good++
		}
	}
	if good >= MaxVariants {
		return fmt.Errorf("%w: %d forms of the block are held", ErrRefused, good)
	}
	return nil
}

// putBlock puts one of the blocks that checkVariants has passed.
func (p *putting) putBlock(t *tx, i int) error {
	b, vs := &p.blocks[i], p.held[i]
	if _, again := p.fresh[b.ID]; again {
		var err error
		if vs, err = t.variants(b.ID[:]); err != nil {
			return err
		}
	}
	p.fresh[b.ID] = struct{}{}
	return t.putBlock(b, p.sums[i], vs)
}

// putBlock stores a variant, unless it is held. vs are those that are there.
func (t *tx) putBlock(b *Block, sum [32]byte, vs []variant) error {
	if err := t.unmark(blockMark(b.ID)); err != nil {
		return err
	}
	t.v.lend(b.ID)
	short := shortSum(sum[:16])
	i := slices.IndexFunc(vs, func(v variant) bool { return v.sum == short })
	if i >= 0 && !vs[i].bad && (!t.doubts(t.deviceOf(vs[i].giver)) || t.doubts(b.From)) {
		return nil
	}
	if i < 0 && mayAdd(vs, short, t.giverOf(b.From)) != nil {
		return nil // the same call has brought another form of it
	}
	from, err := t.giver(b.From)
	if err != nil {
		return err
	}
	h := head{
		kind: kindBlock, giver: from, epoch: uint32(b.Epoch), length: uint32(len(b.Sealed)),
		sequence: t.st.head, received: t.moment(), name: b.ID, sum: sum,
	}
	at, err := t.append(&h, b.Sealed)
	if err != nil {
		return err
	}
	v := variant{at: at, length: h.length, epoch: b.Epoch, giver: from, sum: short}
	if i < 0 {
		if err := t.healed(kindBlock, b.ID, shortSum{}); err != nil { // it may have been lost
			return err
		}
		t.countVariant(&v, 1, len(vs) == 0)
		row := appendVariants(make([]byte, 0, (len(vs)+1)*variantSize+sumSize), append(vs, v))
		if len(vs) == 0 {
			return t.blocks.add(b.ID[:], row)
		}
		return t.blocks.put(b.ID[:], row)
	}
	t.drop(vs[i].at, vs[i].size())
	if vs[i].bad {
		if err := t.healed(kindBlock, b.ID, short); err != nil {
			return err
		}
	}
	vs[i] = v
	return t.blocks.put(b.ID[:], appendVariants(nil, vs))
}

// countVariant counts one variant more or less; sole tells that there is no
// other of its block.
func (t *tx) countVariant(v *variant, n int64, sole bool) {
	c := &t.st.counts
	c.variants += uint64(n)
	c.blockBytes += uint64(n * int64(v.length))
	if sole {
		c.blocks += uint64(n)
	}
}

// missing are the blocks that a record names and the vault has no good variant
// of. Those that it has are no longer marked.
func (t *tx) missing(r *seal.Record) ([]entry.BlockID, error) { return t.missingBeside(r, nil) }

// missingBeside is missing where some blocks are known to be there, since they
// were put just now.
func (t *tx) missingBeside(r *seal.Record, fresh map[entry.BlockID]struct{}) (ids []entry.BlockID, err error) {
	for i := range r.Blocks {
		id := r.Blocks[i].ID
		if _, put := fresh[id]; put {
			continue
		}
		vs, err := t.variants(id[:])
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(vs, func(v variant) bool { return !v.bad }) {
			if len(ids) < maxMissing {
				ids = append(ids, id)
			}
			continue
		}
		if err := t.unmark(blockMark(id)); err != nil {
			return nil, err
		}
		t.v.lend(id)
	}
	return ids, nil
}

// putRecord stores a version of a record, unless it is held.
func (t *tx) putRecord(p *putRecord) error {
	r, key := p.Record, keyOf(p.Record.ID, p.sum)
	if err := t.unmark(recordMark(key)); err != nil {
		return err
	}
	isNew := t.isNew(r.ID[:])
	var old recordRow
	held := false
	if !isNew {
		var err error
		if old, held, err = t.version(key); err != nil || held && !old.bad {
			return err
		}
	}
	row := recordRow{length: uint32(len(p.data)), epoch: r.Epoch, version: r.Version}
	var err error
	if row.giver, err = t.giver(p.From); err != nil {
		return err
	}
	if held { // the bytes come back, with all that was known of them
		row.sequence, row.received, row.giver = old.sequence, old.received, old.giver
		t.drop(old.at, old.size())
		if err := t.healed(kindRecord, key, shortSum(p.sum[:16])); err != nil {
			return err
		}
	} else {
		row.received = t.moment()
		t.st.head++
		row.sequence = t.st.head
		t.st.counts.versions++
		if isNew {
			t.st.counts.records++
		}
		if err := t.sequence.add(sequenceKey(row.sequence), key[:]); err != nil {
			return err
		}
	}
	h := head{
		kind: kindRecord, giver: row.giver, epoch: uint32(r.Epoch), length: row.length,
		sequence: row.sequence, received: row.received, sum: p.sum,
	}
	copy(h.name[:], r.ID[:])
	if row.at, err = t.append(&h, p.data); err != nil {
		return err
	}
	if !held {
		return t.records.add(key[:], row.append(nil))
	}
	return t.records.put(key[:], row.append(nil))
}
