package backup

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// chores are what the vault needs beside what comes in: one thing at a time.
type chores struct {
	running bool
	pruned  time.Time
	read    time.Time // the last piece that was scrubbed
	healed  time.Time // damaged blocks were last asked for
	reheard time.Time // members were last asked for everything
	stow    stowChore
	shrink  shrinkChore
	mending []mending
}

// mending is blocks that a member says are not true in the vault.
type mending struct {
	member Member
	ids    []entry.BlockID
}

// How often the chores are done.
const (
	pruneEvery = time.Hour
	scrubEvery = 10 * time.Minute
	healEvery  = time.Minute
	// roundTime is how long a whole round of scrubbing takes at most.
	roundTime = 20 * 24 * time.Hour
	// scrubLeast is the least that is read at a time, in bytes.
	scrubLeast = 32 << 20
	// farRound and farLeast are those of a vault with a store, where reading
	// costs more.
	farRound = 90 * 24 * time.Hour
	farLeast = 4 << 20
	// maxMending bounds the blocks that members want mended.
	maxMending = 1 << 16
)

// mend notes blocks to be fetched; -1 if there are too many already.
func (c *chores) mend(m *member, ids []entry.BlockID) int {
	if m == nil {
		return 0
	}
	n := len(ids)
	for _, x := range c.mending {
		n += len(x.ids)
	}
	if n > maxMending {
		return -1
	}
	c.mending = append(c.mending, mending{m.Member, ids})
	return len(ids)
}

// chore begins what is due, and tells when the next is.
func (a *actor) chore(now time.Time) time.Duration {
	c := &a.chores
	if c.running || a.ctx.Err() != nil {
		return idleEvery
	}
	if c.pruned.IsZero() { // not all vaults at once when a device starts
		c.pruned = now.Add(-rand.N(pruneEvery / 2))
		c.read = now.Add(-rand.N(scrubEvery / 2))
	}
	damaged := false
	if now.Sub(c.healed) >= healEvery && len(a.roll) > 0 {
		t, err := a.vault.Totals()
		damaged = err == nil && t.Damaged > 0
	}
	at := a.stowing.Load()
	shrink := c.shrink.next(a.vault.Head(), now)
	switch {
	case len(c.mending) > 0:
		next := c.mending[0]
		c.mending = c.mending[1:]
		a.begins(func() { a.fetchAgain(next) })
	case damaged:
		c.healed = now
		a.begins(a.healer())
	case now.Sub(c.pruned) >= pruneEvery:
		c.pruned = now
		a.begins(a.prune)
	case now.Sub(c.read) >= scrubEvery:
		c.read = now
		a.begins(a.scrub)
	case at != nil && c.stow.due(now):
		c.stow.last = now
		all := c.stow.allDue(now, a.vault.Head().Moment)
		a.begins(func() { a.stow(at, all) })
	case c.shrink.due && shrink == 0:
		c.shrink.due, shrink = false, idleEvery
		a.begins(a.shrink)
	}
	return min(idleEvery, max(time.Second, shrink), max(time.Second, pruneEvery-now.Sub(c.pruned)), max(time.Second, scrubEvery-now.Sub(c.read)))
}

// begins runs a chore beside the actor.
func (a *actor) begins(do func()) {
	a.chores.running = true
	a.jobs.Go(func() {
		do()
		select {
		case a.mail <- func(a *actor) { a.chores.running = false }:
		case <-a.ctx.Done():
		}
	})
}

func (a *actor) prune() {
	p, err := a.vault.Prune(a.ctx, a.settings.Load().Policy)
	if err != nil && a.ctx.Err() == nil {
		a.log().Warn("prune", "folder", a.ID, "error", err)
	}
	if p.Versions > 0 || p.Freed > 0 {
		a.log().Info("pruned", "folder", a.ID, "versions", p.Versions, "blocks", p.Blocks, "freed", p.Freed)
	}
}

func (a *actor) scrub() {
	t, err := a.vault.Totals()
	if err != nil || t.PackBytes == 0 {
		return
	}
	least, round := int64(scrubLeast), roundTime
	if a.stowing.Load() != nil {
		least, round = farLeast, farRound
	}
	s, err := a.vault.Scrub(a.ctx, max(least, t.PackBytes/int64(round/scrubEvery)))
	if err != nil && a.ctx.Err() == nil {
		a.log().Warn("read the vault", "folder", a.ID, "error", err)
	}
	if s.Bad > 0 {
		a.log().Error("the vault is damaged", "folder", a.ID, "found", s.Bad)
	}
	if s.Round {
		a.log().Info("all of the vault was read", "folder", a.ID, "began", s.Began)
	}
}

// members are the connections to all that are connected now.
func (a *actor) members() (out []Member) {
	for _, m := range a.roll {
		out = append(out, m.Member)
	}
	return out
}

// healer fetches what is damaged from the members that are connected now.
func (a *actor) healer() func() {
	from := a.members()
	return func() {
		if left := a.heal(a.ctx, from); left > 0 {
			_ = a.do(a.ctx, func(a *actor) { a.hearAgain() })
		}
	}
}

// hearAgain has the members that are connected tell everything once more, as
// damaged versions may be among it; not more than once an hour.
func (a *actor) hearAgain() {
	now := a.Clock()
	if now.Sub(a.chores.reheard) < time.Hour {
		return
	}
	a.chores.reheard = now
	for _, m := range a.roll {
		m.heard, m.asked = 0, false
	}
}

// heal asks members for what is damaged, and tells how many versions of records
// nobody had.
func (k *Keeper) heal(ctx context.Context, from []Member) (left int) {
	damaged, err := k.vault.Damaged()
	if err != nil {
		return 0
	}
	var ids []entry.BlockID
	var records []seal.RecordID
	for _, d := range damaged {
		if d.Block == (entry.BlockID{}) {
			records = append(records, d.Record)
		} else {
			ids = append(ids, d.Block)
		}
	}
	slices.SortFunc(ids, func(a, b entry.BlockID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	all := len(ids)
	for _, m := range from {
		ids = k.healBlocks(ctx, m, ids)
		k.healRecords(ctx, m, records)
	}
	if all > 0 {
		k.log().Info("damaged blocks were asked for", "folder", k.ID, "healed", all-len(ids), "left", len(ids))
	}
	after, err := k.vault.Damaged()
	if err != nil {
		return 0
	}
	for _, d := range after {
		if d.Block == (entry.BlockID{}) {
			left++
		}
	}
	return left
}

// healBlocks fetches damaged blocks from a member, and returns those that it
// could not give.
func (k *Keeper) healBlocks(ctx context.Context, m Member, ids []entry.BlockID) (left []entry.BlockID) {
	for len(ids) > 0 && ctx.Err() == nil {
		part := ids[:min(len(ids), jobBlocks)]
		ids = ids[len(part):]
		healed := map[int]bool{}
		err := m.Fetch(ctx, part, func(i int, sealed []byte) error {
			if sealed == nil {
				return nil
			}
			// The epoch is for who opens it; a holder of the keys knows it.
			_, err := k.vault.Repair(ctx, vault.Block{ID: part[i], Epoch: 1, Sealed: sealed, From: m.Device()})
			healed[i] = err == nil
			return nil
		})
		if err != nil {
			k.log().Info("a member could not be asked for damaged blocks", "folder", k.ID, "device", m.Device(), "error", err)
		}
		for i := range part {
			if !healed[i] {
				left = append(left, part[i])
			}
		}
	}
	return append(left, ids...)
}

// healRecords puts what a member holds of damaged records: what is the same is
// repaired by that.
func (k *Keeper) healRecords(ctx context.Context, m Member, ids []seal.RecordID) {
	for len(ids) > 0 && ctx.Err() == nil {
		part := ids[:min(len(ids), history.MaxIDs)]
		ids = ids[len(part):]
		var got []vault.Received
		err := m.Versions(ctx, part, func(r *seal.Record) error {
			got = append(got, vault.Received{Record: r, From: m.Device()})
			return nil
		})
		if err == nil && len(got) > 0 {
			err = k.vault.PutRecords(ctx, got)
		}
		if err != nil && !isSome(err) {
			k.log().Info("a member could not be asked for damaged records", "folder", k.ID, "device", m.Device(), "error", err)
		}
	}
}

// fetchAgain stores a member's form of blocks beside what is held.
func (a *actor) fetchAgain(m mending) {
	err := m.member.Fetch(a.ctx, m.ids, func(i int, sealed []byte) error {
		if sealed == nil {
			return nil
		}
		b := vault.Block{ID: m.ids[i], Epoch: 1, Sealed: sealed, From: m.member.Device()}
		if _, err := a.vault.Repair(a.ctx, b); err == nil {
			return nil
		}
		if err := a.vault.PutBlocks(a.ctx, []vault.Block{b}); err != nil {
			a.log().Warn("a true form of a block could not be stored", "folder", a.ID, "block", b.ID, "error", err)
		}
		return a.ctx.Err()
	})
	if err != nil {
		a.log().Info("a member could not be asked for blocks to mend", "folder", a.ID, "error", err)
	}
}
