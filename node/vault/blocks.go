package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zeebo/blake3"
	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// view runs fn on the index as it is.
func (v *Vault) view(fn func(*tables) error) error {
	if err := v.closedError(); err != nil {
		return err
	}
	if v.db == nil {
		return ErrIndex
	}
	return v.db.view(func(b *bbolt.Tx) error {
		t, err := openTables(b, nil)
		if err != nil {
			return err
		}
		return fn(&t)
	})
}

// HasBlocks tells which blocks need not be given: those of which a good sealed
// form is held that did not come from doubted devices alone (see [Vault.Doubt]).
// They are no longer marked to be pruned, so that who is told of a block has the
// grace period to put a record that names it.
func (v *Vault) HasBlocks(ids []entry.BlockID) ([]bool, error) {
	has := make([]bool, len(ids))
	v.lent.dropping.RLock()
	defer v.lent.dropping.RUnlock()
	var marked []int
	err := v.reader(func(t *tables) (err error) {
		for i := range ids {
			if has[i], err = v.given(t, ids[i]); err != nil {
				return err
			}
			if has[i] {
				v.lend(ids[i])
			}
			if has[i] && t.marks.bolt.Get(blockMark(ids[i])) != nil {
				marked = append(marked, i)
			}
		}
		return nil
	})
	if err == nil && len(marked) > 0 {
		err = v.submit(func(t *tx) (err error) {
			for _, i := range marked {
				// A prune may have been about to drop it.
				if has[i], err = v.given(&t.tables, ids[i]); err != nil {
					return err
				}
				if err := t.unmark(blockMark(ids[i])); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("look for blocks in vault %q: %w", v.dir, err)
	}
	return has, nil
}

// given tells whether a good form of a block is held that did not come from
// doubted devices alone.
func (v *Vault) given(t *tables, id entry.BlockID) (bool, error) {
	vs, err := t.variants(id[:])
	return slices.ContainsFunc(vs, func(one variant) bool { return !one.bad && !v.doubtsGiver(one.giver) }), err
}

// reader is view for who reads packs as well.
func (v *Vault) reader(fn func(*tables) error) error {
	v.whole.RLock()
	defer v.whole.RUnlock()
	v.reading.RLock()
	defer v.reading.RUnlock()
	return v.view(fn)
}

func (v *Vault) doubtsGiver(g giver) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.doubted) > 0 && v.doubted[v.givers.devices[g]]
}

// Form is one sealed form of a block.
type Form struct {
	Sealed []byte
	Epoch  entry.Epoch
	From   entry.DeviceID // the first that gave it
}

// Block is the sealed block, the form that is most likely the true one (see
// [Vault.Blocks]). It wraps [ErrMissing] if there is no good one. Bytes that
// are not those that were put are never returned: they are noted as damaged.
func (v *Vault) Block(id entry.BlockID) ([]byte, error) {
	forms, err := v.forms(id, 1)
	if err != nil {
		return nil, err
	}
	return forms[0].Sealed, nil
}

// Blocks are all good sealed forms of a block. Which of them open only a holder
// of the key can tell, who should try them in this order: those of doubted
// devices last, and else as they came. It wraps [ErrMissing] if there is none,
// and [ErrStore] if that cannot be known.
func (v *Vault) Blocks(id entry.BlockID) ([]Form, error) {
	return v.forms(id, MaxVariants)
}

// lookUps is how often a block is looked for that has moved while it was read,
// or that the store did not have: it may come and go.
const lookUps = 4

// forms reads up to most forms.
func (v *Vault) forms(id entry.BlockID, most int) (forms []Form, err error) {
	var bad []variant
	for try := 0; ; try++ {
		moves, moved := v.moves.Load(), false
		if forms, bad, moved, err = v.formsNow(id, most, try >= lookUps); !moved {
			break
		}
		if v.moves.Load() != moves {
			try = 0 // packs go to and fro
		}
	}
	if len(bad) > 0 && err == nil {
		err = v.submit(func(t *tx) error {
			for i := range bad {
				if err := t.blockIsBad(id, bad[i].sum, bad[i].at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil && len(forms) == 0 {
		err = ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("read block %s from vault %q: %w", id, v.dir, err)
	}
	return forms, nil
}

// formsNow reads what the index says now. moved tells that one of the forms may
// have come to lie elsewhere meanwhile, and that they are to be looked for
// again; last is the last time.
func (v *Vault) formsNow(id entry.BlockID, most int, last bool) (forms []Form, bad []variant, moved bool, err error) {
	vs, err := v.variantsNow(id)
	if err != nil {
		return nil, nil, false, err
	}
	for _, one := range v.inOrder(vs) {
		if len(forms) == most {
			break
		}
		far := v.isFar(one.at.pack)
		h, data, err := v.variantAt(&one, far)
		if errors.Is(err, ErrStore) {
			return nil, nil, false, err
		}
		if err == nil && shortSum(h.sum[:16]) == one.sum && h.name == id {
			forms = append(forms, Form{data, one.epoch, v.deviceOf(one.giver)})
			continue
		}
		now, err := v.variantsNow(id)
		if err != nil {
			return nil, nil, false, err
		}
		if !last && (far || v.isFar(one.at.pack)) || !slices.Contains(now, one) {
			return nil, nil, true, nil
		}
		bad = append(bad, one)
	}
	return forms, bad, false, nil
}

func (v *Vault) variantsNow(id entry.BlockID) (vs []variant, err error) {
	v.whole.RLock()
	defer v.whole.RUnlock()
	err = v.view(func(t *tables) error {
		vs, err = t.variants(id[:])
		return err
	})
	return vs, err
}

// variantAt reads a form where it lies. What lies in the store is read without
// holding anything up: that can take long.
func (v *Vault) variantAt(one *variant, far bool) (head, []byte, error) {
	if far {
		return v.farEntry(v.life, classBlocks, one.at, one.length)
	}
	v.whole.RLock()
	defer v.whole.RUnlock()
	v.reading.RLock()
	defer v.reading.RUnlock()
	return v.entryAt(classBlocks, one.at, one.length)
}

// inOrder are the good variants, those of doubted devices last.
func (v *Vault) inOrder(vs []variant) []variant {
	vs = slices.DeleteFunc(vs, func(one variant) bool { return one.bad })
	slices.SortStableFunc(vs, func(a, b variant) int {
		da, db := v.doubtsGiver(a.giver), v.doubtsGiver(b.giver)
		switch {
		case da == db:
			return 0
		case db:
			return -1
		}
		return 1
	})
	return vs
}

// Proof shows that the vault holds one sealed form of a block.
type Proof struct {
	// Sum is BLAKE3 in its keyed mode with the nonce as key, over the sealed
	// form, as protocol/blocks has it.
	Sum [32]byte
	// Encoding and Size are those of the sealed form: who has the block seals it
	// alike and compares.
	Encoding seal.Encoding
	Size     int
}

// Prove reads blocks and proves by a nonce that it holds them: for each ID the
// proofs of all good forms, in the order of [Vault.Blocks], none where there is
// none. What it reads may come from the system's cache of the disk.
func (v *Vault) Prove(ctx context.Context, ids []entry.BlockID, nonce [32]byte) ([][]Proof, error) {
	out := make([][]Proof, len(ids))
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		forms, err := v.forms(id, MaxVariants)
		if errors.Is(err, ErrMissing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, f := range forms {
			out[i] = append(out[i], Proof{prove(nonce, f.Sealed), seal.Encoding(f.Sealed[0]), len(f.Sealed)})
		}
	}
	return out, nil
}

func prove(nonce [32]byte, sealed []byte) (sum [32]byte) {
	h, err := blake3.NewKeyed(nonce[:])
	if err != nil {
		panic(fmt.Sprintf("blake3 with a key of %d bytes: %v", len(nonce), err)) // it takes just these
	}
	_, _ = h.Write(sealed) // never fails
	h.Sum(sum[:0])
	return sum
}
