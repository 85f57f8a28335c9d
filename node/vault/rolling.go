package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// put has p done, and makes room for it in a rolling vault.
func (v *Vault) put(ctx context.Context, p *putting, do func(*tx) error) error {
	short, err := v.putOnce(p, do)
	if short == nil || !v.rolling {
		return err
	}
	v.caring.Lock()
	defer v.caring.Unlock()
	for range roomTries {
		// Another may have made room meanwhile.
		if short, err = v.putOnce(p, do); short == nil {
			return err
		}
		freed, err2 := v.makeRoom(ctx, short.lack, 0)
		if err2 != nil {
			return errors.Join(err, err2)
		}
		if freed == 0 {
			return err
		}
	}
	_, err = v.putOnce(p, do)
	return err
}

// putOnce also tells how much room is lacking, nil if that is not what is
// wrong.
func (v *Vault) putOnce(p *putting, do func(*tx) error) (*shortage, error) {
	if err := v.submit(do); err != nil {
		return nil, err
	}
	err := p.err()
	short, _ := errors.AsType[*shortage](err)
	return short, err
}

const (
	// roomTries is how often room is made for one call: others may take it.
	roomTries = 3
	// roomShare is which part of the quota is freed at least, since to look for
	// what is oldest goes through all records.
	roomShare = 16
	// roomSlack is what the copies of packs need beside what is copied.
	roomSlack = 16 << 10
)

// MakeRoom frees at least need bytes of packs for what is to come, by dropping
// what has been history for longest: superseded versions, by when they were
// superseded, with the blocks that no other version needs. It is for a rolling
// vault, which calls it itself where [Vault.Put] needs it; any other refuses
// it with [ErrRefused].
//
// It drops nothing that became history within the hold. In a partial vault the
// blocks of newest versions are copies of what the tree holds; they take their
// turn by when their version was received, and go without it. What a pin keeps
// goes only if all else is not enough, and then with the pin. Blocks stay that
// were put or asked for in the last ten minutes.
//
// If what may go is not enough, nothing goes. It returns how many bytes became
// free, less than need if the disk is too full to copy what stays in a pack. It
// can be ended at any time, by ctx, an error or a crash: what was dropped by
// then a later one, or [Vault.Prune], makes room of.
func (v *Vault) MakeRoom(ctx context.Context, need int64, hold time.Duration) (freed int64, err error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	if v.rolling {
		freed, err = v.makeRoom(ctx, need, hold)
	} else {
		err = fmt.Errorf("%w: nothing of it goes", ErrRefused)
	}
	if err != nil {
		return freed, fmt.Errorf("make room in vault %q: %w", v.dir, err)
	}
	return freed, nil
}

// makeRoom is MakeRoom; the caller holds v.caring.
func (v *Vault) makeRoom(ctx context.Context, need int64, hold time.Duration) (freed int64, err error) {
	before := v.packBytes()
	err = v.freeRoom(ctx, need+roomSlack, hold)
	if freed = max(0, before-v.packBytes()); freed > 0 {
		v.log.Info("made room in a vault", "dir", v.dir, "needed", need, "freed", freed)
	}
	return freed, err
}

func (v *Vault) freeRoom(ctx context.Context, need int64, hold time.Duration) error {
	if err := v.retry(); err != nil {
		return err
	}
	to, dead := v.packBytes()-need, v.deadBytes()
	if dead < need {
		e, err := v.evictable(ctx, hold)
		if err != nil {
			return err
		}
		most := max(need+need/8, v.limitsNow().Quota/roomShare)
		if !e.choose(need-dead, most-dead) {
			return nil
		}
		if err := v.evict(ctx, e); err != nil {
			return err
		}
	}
	return v.squeeze(ctx, to)
}

func (v *Vault) deadBytes() (n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.packs {
		if !p.retired {
			n += p.dead
		}
	}
	return n
}

// evict drops what was chosen: pins first, so that none ever promises what is
// gone, and blocks last, so that no version is there without them.
func (v *Vault) evict(ctx context.Context, e *eviction) error {
	err := inBatches(ctx, v, e.pins, func(t *tx, id PinID) error { return t.unpin(id) })
	if err == nil {
		err = inBatches(ctx, v, e.versions, func(t *tx, i int32) error {
			one := &e.leaving[i]
			r, ok, err := t.version(one.key)
			if err != nil || !ok {
				return err
			}
			t.st.thinned = max(t.st.thinned, one.until)
			t.drop(r.at, r.size())
			return t.forgetVersion(one.key)
		})
	}
	if err != nil {
		return err
	}
	v.lent.dropping.Lock()
	defer v.lent.dropping.Unlock()
	return inBatches(ctx, v, e.blocks, func(t *tx, i int32) error {
		id := e.held[i].id
		if v.isLent(id) {
			return nil
		}
		return t.dropBlock(id)
	})
}

// inBatches does something for each of many, some in one change.
func inBatches[T any](ctx context.Context, v *Vault, all []T, do func(*tx, T) error) error {
	for batch := range slices.Chunk(all, dropBatch) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := v.submit(func(t *tx) error {
			for _, one := range batch {
				if err := do(t, one); err != nil {
					return err
				}
			}
			return t.v.step("evicted")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// squeeze rewrites packs, those with the largest dead part first, until all
// together have no more than so many bytes. The caller holds v.caring.
func (v *Vault) squeeze(ctx context.Context, most int64) error {
	damaged := map[packID]bool{}
	for v.packBytes() > most {
		if err := ctx.Err(); err != nil {
			return err
		}
		id, row, ok := v.deadest(damaged)
		if !ok {
			return nil
		}
		if err := v.endPack(id, row.class); err != nil {
			return err
		}
		_, err := v.rewrite(row.class, []packID{id})
		if errors.Is(err, errBad) {
			damaged[id] = true // it is noted, and the pack stays as it is
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deadest is the pack of which the largest part is dead, if that is worth it.
func (v *Vault) deadest(but map[packID]bool) (best packID, row packRow, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, p := range v.packs {
		if p.retired || but[id] || p.dead*minWaste < p.length {
			continue
		}
		part := cmp.Compare(p.dead*row.length, row.dead*p.length)
		if !ok || part > 0 || part == 0 && id < best {
			best, row, ok = id, p, true
		}
	}
	return best, row, ok
}

// minWaste: a pack is not rewritten for less than one byte in so many.
const minWaste = 50

// endPack begins a new pack where this one is appended to, so that it can be
// rewritten: the new one's header tells how far the vault has come.
func (v *Vault) endPack(id packID, c class) error {
	v.writing.Lock()
	defer v.writing.Unlock()
	if w := v.writers[c]; w == nil || w.id != id {
		return nil
	}
	return v.update(func(t *tx) error {
		w, err := t.create(c, false)
		if err == nil {
			t.v.writers[c] = w
		}
		return err
	})
}
