package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// Damage is a block, or one version of a record, whose bytes on disk are no
// longer what was put.
type Damage struct {
	// Block is the damaged block; zero where it is a record's version.
	Block entry.BlockID
	// Record is its ID, and Sequence the version.
	Record   seal.RecordID
	Sequence entry.Sequence
	// Lost: a record names the block, and no pack or index knows of it. In a
	// partial vault that is nothing.
	Lost bool
	// Others is how many good forms of the block are held all the same.
	Others int
	From   entry.DeviceID // that gave it first
	Found  time.Time
}

// damageRow is what a row of the table "damaged" says beside its key: a kind, a
// name of 32 bytes, and a short sum.
type damageRow struct {
	found moment
	giver giver
}

func (d damageRow) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(d.found))
	return binary.LittleEndian.AppendUint16(dst, uint16(d.giver))
}

const damageKeySize = 1 + 32 + 16

func damageKey(k kind, name [32]byte, sum shortSum) []byte {
	return slices.Concat([]byte{byte(k)}, name[:], sum[:])
}

// blockIsBad notes that a variant is damaged where it lies, if it is still
// there.
func (t *tx) blockIsBad(id entry.BlockID, sum shortSum, at location) error {
	vs, err := t.variants(id[:])
	if err != nil {
		return err
	}
	i := slices.IndexFunc(vs, func(v variant) bool { return v.sum == sum && v.at == at && !v.bad })
	if i < 0 {
		return nil
	}
	vs[i].bad = true
	if err := t.blocks.put(id[:], appendVariants(nil, vs)); err != nil {
		return err
	}
	t.v.log.Warn("a block of a vault is damaged", "dir", t.v.dir, "block", id.String(), "at", at.String())
	return t.damage(kindBlock, id, sum, vs[i].giver)
}

// recordIsBad is blockIsBad for a version of a record.
func (t *tx) recordIsBad(key recordKey, at location) error {
	r, ok, err := t.version(key)
	if err != nil || !ok || r.at != at || r.bad {
		return err
	}
	r.bad = true
	if err := t.records.put(key[:], r.append(nil)); err != nil {
		return err
	}
	t.v.log.Warn("a record of a vault is damaged", "dir", t.v.dir, "record", key.id().String(), "at", at.String())
	return t.damage(kindRecord, key, shortSum(key[16:]), r.giver)
}

// entryIsBad notes that an entry of the index is damaged. The index has all of a
// pin: it is written again.
func (t *tx) entryIsBad(l *living) error {
	switch l.kind {
	case kindBlock:
		return t.blockIsBad(l.name, l.sum, l.at)
	case kindRecord:
		return t.recordIsBad(l.name, l.at)
	default:
		return t.rewritePin(PinID(l.name[:16]))
	}
}

func (t *tx) damage(k kind, name [32]byte, sum shortSum, from giver) error {
	key := damageKey(k, name, sum)
	if t.damaged.bolt.Get(key) == nil {
		t.st.counts.damaged++
	}
	return t.damaged.put(key, damageRow{momentOf(t.v.clock()), from}.append(nil))
}

// healed forgets a damage.
func (t *tx) healed(k kind, name [32]byte, sum shortSum) error {
	if t.st.counts.damaged == 0 {
		return nil
	}
	key := damageKey(k, name, sum)
	if t.damaged.bolt.Get(key) == nil {
		return nil
	}
	t.st.counts.damaged--
	return t.damaged.delete(key)
}

// Damaged are all damages that were found, by scrub or on the way, and are not
// repaired yet.
//
// To repair a block, get it from another device and give it to [Vault.Repair];
// a block or record that is simply put again, with the bytes it had, is repaired
// by that.
func (v *Vault) Damaged() ([]Damage, error) {
	var out []Damage
	err := v.reader(func(t *tables) error {
		return t.damaged.each(nil, nil, func(key, row []byte) (bool, error) {
			b := bytesReader{rest: row}
			d := Damage{Found: moment(b.uint64()).time(), From: v.deviceOf(giver(b.uint16()))}
			if b.bad || len(key) != damageKeySize {
				return false, fmt.Errorf("%w: a damage row of %d bytes", ErrIndex, len(row))
			}
			var err error
			if kind(key[0]) == kindBlock {
				d.Block = entry.BlockID(key[1:])
				d.Lost = bytes.Equal(key[33:], make([]byte, 16))
				d.Others, err = t.goodOnes(key[1:33])
			} else {
				var r recordRow
				r, _, err = t.version(recordKey(key[1:]))
				d.Record, d.Sequence = recordKey(key[1:]).id(), entry.Sequence(r.sequence)
			}
			out = append(out, d)
			return true, err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("damages of vault %q: %w", v.dir, err)
	}
	return out, nil
}

func (t *tables) goodOnes(id []byte) (n int, err error) {
	vs, err := t.variants(id)
	for i := range vs {
		if !vs[i].bad {
			n++
		}
	}
	return n, err
}

// Repair puts a block that is damaged, in whatever form: the damaged forms,
// which nobody can read any more, are given up for it. exact tells that it is
// one of those, byte for byte; where it is not, only a holder of the key can
// tell that it is the block. It refuses as [Vault.Put] does, and with
// [ErrRefused] a block that is not damaged.
func (v *Vault) Repair(ctx context.Context, b Block) (exact bool, err error) {
	p, err := newPutting(ctx, []Block{b}, nil)
	if err == nil {
		err = v.put(ctx, p, func(t *tx) (err error) {
			exact, err = p.repair(t)
			return err
		})
	}
	if err != nil {
		return false, fmt.Errorf("repair block %s in vault %q: %w", b.ID, v.dir, err)
	}
	return exact, nil
}

func (p *putting) repair(t *tx) (exact bool, err error) {
	b := &p.blocks[0]
	vs, err := t.variants(b.ID[:])
	if err != nil {
		return false, err
	}
	bad := slices.DeleteFunc(slices.Clone(vs), func(v variant) bool { return !v.bad })
	lost := t.damaged.bolt.Get(damageKey(kindBlock, b.ID, shortSum{})) != nil
	if len(bad) == 0 && !lost {
		p.failed = fmt.Errorf("%w: it is not damaged", ErrRefused)
		return false, nil
	}
	exact = slices.ContainsFunc(bad, func(v variant) bool { return v.sum == shortSum(p.sums[0][:16]) })
	if err := p.do(t); err != nil || p.failed != nil {
		return false, err
	}
	return exact, t.dropBad(b.ID)
}

// GiveUp accepts a loss: it drops what is damaged and cannot be had any more,
// so that it is no longer told of, and prune goes on. It is for the vault's
// owner, who has asked all devices that may have it. What is not damaged, or
// not any more, stays.
func (v *Vault) GiveUp(damages []Damage) error {
	err := v.submit(func(t *tx) error {
		for i := range damages {
			if err := t.giveUp(&damages[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("give up what vault %q has lost: %w", v.dir, err)
	}
	return nil
}

func (t *tx) giveUp(d *Damage) error {
	if d.Block != (entry.BlockID{}) {
		if err := t.healed(kindBlock, d.Block, shortSum{}); err != nil {
			return err
		}
		vs, err := t.variants(d.Block[:])
		if err != nil {
			return err
		}
		for i := range vs {
			if !vs[i].bad {
				continue
			}
			t.drop(vs[i].at, vs[i].size())
			if err := t.forgetBlock(d.Block, vs[i].at); err != nil {
				return err
			}
		}
		return nil
	}
	row, err := t.sequence.get(sequenceKey(uint64(d.Sequence)))
	if err != nil || len(row) != len(recordKey{}) {
		return err
	}
	key := recordKey(row)
	r, ok, err := t.version(key)
	if err != nil || !ok || !r.bad || key.id() != d.Record {
		return err
	}
	vs, err := t.versionsOf(d.Record)
	if err != nil {
		return err
	}
	for i := range vs {
		if vs[i].key == key { // moments at which it was newest are lost
			t.st.thinned = max(t.st.thinned, min(vs[i].until, t.moment()))
		}
	}
	t.drop(r.at, r.size())
	return t.forgetVersion(key)
}

// dropBad gives up the damaged variants of a block that has good ones.
func (t *tx) dropBad(id entry.BlockID) error {
	vs, err := t.variants(id[:])
	if err != nil {
		return err
	}
	for i := range vs {
		if vs[i].bad {
			t.drop(vs[i].at, vs[i].size())
			t.countVariant(&vs[i], -1, false)
			if err := t.healed(kindBlock, id, vs[i].sum); err != nil {
				return err
			}
		}
	}
	vs = slices.DeleteFunc(vs, func(v variant) bool { return v.bad })
	return t.blocks.put(id[:], appendVariants(nil, vs))
}
