package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// A pack is rewritten when one byte in wasteful of it is dead, or in farWasteful
// where it has to be got from the store and put there again, and when it is so
// much shorter than a pack may be that a few fit in one.
const (
	wasteful    = 5
	farWasteful = 2
	small       = 4
)

func (p *packRow) isWasteful() bool {
	if p.stowed {
		return p.dead*farWasteful >= p.length
	}
	return p.dead*wasteful >= p.length
}

// compact rewrites packs of which a good part is dead. The caller holds
// v.caring.
func (v *Vault) compact(ctx context.Context, p *Pruned) error {
	if err := v.retry(); err != nil {
		return err
	}
	var later error
	for _, c := range []class{classBlocks, classRecords} {
		for _, group := range v.wasteful(c) {
			if err := ctx.Err(); err != nil {
				return err
			}
			alive, err := v.alive(group)
			if err == nil {
				err = v.bringAll(ctx, alive)
			}
			if err != nil {
				later = err // it waits until it can be had
				continue
			}
			n, err := v.rewrite(c, group)
			p.Packs += int64(n)
			if errors.Is(err, errBad) {
				continue // it is noted, and the packs stay as they are
			}
			if err != nil {
				return err
			}
		}
	}
	return later
}

// retry removes packs that an earlier compaction could not remove.
func (v *Vault) retry() error {
	v.writing.Lock()
	defer v.writing.Unlock()
	var gone []packFile
	for id, p := range v.packs {
		if p.retired {
			gone = append(gone, packFile{id: id, class: p.class})
		}
	}
	return v.removeRetired(gone)
}

// wasteful are packs to be rewritten, in groups of which each fits in one pack.
// Those that are still appended to are left alone: the last entry of all is
// among theirs, and it tells how far the vault has come.
func (v *Vault) wasteful(c class) [][]packID {
	v.writing.Lock()
	defer v.writing.Unlock()
	var current packID
	if w := v.writers[c]; w != nil {
		current = w.id
	}
	var groups [][]packID
	var group []packID
	var size int64
	smalls := 0
	for id, p := range v.packs {
		if id != current && p.class == c && !p.retired && p.length < v.packSize/small {
			smalls++
		}
	}
	ids := make([]packID, 0, len(v.packs))
	for id := range v.packs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		p := v.packs[id]
		isSmall := p.length < v.packSize/small && smalls > 1
		if id == current || p.class != c || p.retired || !p.isWasteful() && !isSmall {
			continue
		}
		live := p.length - p.dead
		if len(group) > 0 && size+live > v.packSize {
			groups, group, size = append(groups, group), nil, 0
		}
		group, size = append(group, id), size+live
	}
	groups = append(groups, group)
	return slices.DeleteFunc(groups, func(group []packID) bool {
		if len(group) != 1 {
			return len(group) == 0
		}
		p := v.packs[group[0]]
		return !p.isWasteful() // alone, it would become what it is
	})
}

// rewrite copies what is alive in some packs to a new one, and removes them. It
// returns how many were removed. Its error wraps errBad, having changed nothing
// but noted what is damaged, if some of it cannot be read.
func (v *Vault) rewrite(c class, ids []packID) (removed int, err error) {
	v.writing.Lock()
	defer v.writing.Unlock()
	if err := v.closedError(); err != nil {
		return 0, err
	}
	packs := map[packID]bool{}
	for _, id := range ids {
		packs[id] = true
	}
	copied := copier{v: v, class: c, ids: ids, packs: packs}
	err = v.update(copied.all)
	bad := copied.bad
	if w := copied.to; w != nil {
		_ = w.close() // it is synced, or removed
	}
	if len(bad) > 0 {
		err2 := v.update(func(t *tx) error {
			for i := range bad {
				if err := t.entryIsBad(&bad[i]); err != nil {
					return err
				}
			}
			return nil
		})
		return 0, errors.Join(err, err2)
	}
	if err != nil {
		return 0, err
	}
	var gone []packFile
	for _, id := range ids {
		gone = append(gone, packFile{id: id, class: c})
	}
	if err := v.removeRetired(gone); err != nil {
		return 0, err
	}
	return len(ids), nil
}

// copier copies what is alive in some packs of one class.
type copier struct {
	v     *Vault
	t     *tx
	class class
	ids   []packID
	packs map[packID]bool
	to    *writer // nil until there is something to copy
	bad   []living
}

// all copies everything, says in the new pack which it replaces, and marks those
// as retired.
func (c *copier) all(t *tx) error {
	c.t = t
	if err := t.living(c.packs, c.entry); err != nil {
		return err
	}
	if len(c.bad) > 0 {
		return fmt.Errorf("%w: %d entries", errBad, len(c.bad))
	}
	if c.class == classRecords {
		for _, id := range c.ids {
			if err := c.drops(id); err != nil {
				return err
			}
		}
	}
	if err := c.v.step("copied"); err != nil {
		return err
	}
	replaced, err := c.v.inherited(c.class, c.ids)
	if err != nil {
		return err
	}
	if c.to == nil && slices.ContainsFunc(append(replaced, c.ids...), c.v.mayBeFar) {
		// Nothing is left, but as long as they lie in the store somebody has to say
		// that they are replaced.
		if c.to, err = t.create(c.class, true); err != nil {
			return err
		}
	}
	if c.to != nil {
		data := appendRetired(nil, append(replaced, c.ids...))
		h := t.head(kindRetire, data)
		if _, err := c.to.append(&h, data); err != nil {
			return err
		}
		if err := c.to.sync(); err != nil {
			return err
		}
		t.packRows[c.to.id] = packRow{class: c.class, length: c.to.length}
	}
	for _, id := range c.ids {
		r, _ := t.pack(id)
		r.retired = true
		t.packRows[id] = r
	}
	return c.v.step("retired")
}

// entry copies one entry as it is.
func (c *copier) entry(l living) error {
	if l.bad {
		c.bad = append(c.bad, l)
		return nil
	}
	h, data, err := c.v.entryAt(c.class, l.at, l.length)
	if errors.Is(err, errBad) {
		c.bad = append(c.bad, l)
		return nil
	}
	if err != nil || len(c.bad) > 0 {
		return err
	}
	at, err := c.append(&h, data)
	if err != nil {
		return err
	}
	return c.t.move(&l, at)
}

func (c *copier) append(h *head, data []byte) (at location, err error) {
	if c.to == nil {
		if c.to, err = c.t.create(c.class, true); err != nil {
			return at, err
		}
	}
	if h.giver != 0 && !c.to.named[h.giver] {
		if err := c.t.nameGiver(c.to, h.giver); err != nil {
			return at, err
		}
	}
	return c.to.append(h, data)
}

// drops copies what a pack says of entries in packs that stay.
func (c *copier) drops(id packID) error {
	r, _ := c.t.pack(id)
	f := packFile{id: id, class: r.class, size: r.length}
	err := c.v.scanAll(c.v.life, f, looking{from: packHeader, found: func(e found) error {
		if e.kind != kindDrop || e.bad {
			return nil
		}
		thinned, at, err := parseDrops(e.data)
		if err != nil {
			return nil //nolint:nilerr // it passed its checksum, and a newer kith may know more
		}
		at = slices.DeleteFunc(at, func(l location) bool {
			// In the store a pack can be for longer than here.
			p, ok := c.t.pack(l.pack)
			return !ok || (p.retired || c.packs[l.pack]) && !p.isFar()
		})
		if len(at) == 0 {
			return nil
		}
		data := appendDrops(nil, thinned, at)
		h := c.t.head(kindDrop, data)
		_, err = c.append(&h, data)
		return err
	}})
	if errors.Is(err, os.ErrNotExist) {
		return nil // all that was in it has been given up
	}
	return err
}
