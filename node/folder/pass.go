package folder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/merge"
)

// pass is one walk over all that is wanted, in tree order and in slices. What
// has to wait for something else is left for a later pass.
type pass struct {
	again  bool // something has changed since the walk began
	active bool
	cursor entry.Path
	kin    kin
	// fetched: something was to be had, in a role that takes nothing by itself.
	fetched bool
	misread []entry.Path // of unknown history, and to be read once more
	// waits: something is to go, but not before its content was taken elsewhere.
	waits    bool
	launched bool
}

const (
	passSlice    = 4096     // wanted paths looked at in one transaction
	batchItems   = 1000     // paths in one batch
	batchBytes   = 32 << 20 // content in one batch
	ownBatch     = 8 << 20  // a file from this size on has a batch of its own
	maxBatches   = 4
	maxSameFiles = 64 // files of one content looked at as the source of a move
)

// plan starts on a batch of what is wanted and can be had. The actor comes
// back to it, after whatever else there is to do, while [actor.planning].
func (a *actor) plan(now time.Time) {
	if a.stuck.ripen(now) || !a.wordDue.IsZero() && !now.Before(a.wordDue) {
		a.pass.again, a.wordDue = true, time.Time{}
	}
	if due := a.brake.due; !due.IsZero() && !now.Before(due) {
		a.pass.again, a.brake.due = true, time.Time{}
	}
	a.brake.meter.Forget(a.brake.holds, now)
	a.overtake(now)
	if !a.planning() {
		return
	}
	a.hold(now)
	if !a.pass.active {
		a.pass = pass{active: true}
	}
	c := a.cut(now)
	a.forget(c.forget)
	a.judgeMoves(len(c.items) > 0)
	if len(c.items) > 0 {
		a.launch(&batch{items: c.items, disk: a.disk})
	}
}

// judgeMoves tells what moves from what only goes. While a path is in trouble,
// content may be wanted where it cannot come: that is so if a whole pass finds
// nothing else to do.
func (a *actor) judgeMoves(launched bool) {
	a.pass.launched = a.pass.launched || launched
	switch {
	case len(a.stuck) == 0:
		a.setStrict(false)
	case !a.pass.active && a.pass.waits && !a.pass.launched && a.inflight.batches == 0 && a.caughtUp():
		a.setStrict(true)
	}
}

// planning tells whether there is more to look through, and room for it.
func (a *actor) planning() bool {
	return a.applying() && a.inflight.batches < maxBatches && (a.pass.active || a.pass.again)
}

// applying tells whether what is wanted is brought here at all.
func (a *actor) applying() bool {
	return a.disk != nil && !a.fenced && !a.interrupted && a.broken == nil && (takes(a.role) || a.fetching)
}

// cut is what a slice of a pass comes to.
type cut struct {
	items  []*item
	forget []*item // nothing to do but to want it no more
	bytes  int64
}

// cut takes the next batch's worth of what is wanted.
func (a *actor) cut(now time.Time) *cut {
	c := &cut{}
	a.pass.kin = nil
	seen, ended := 0, true
	err := a.view(func(x *index.Folder) error {
		for w, err := range x.WantedRange(a.pass.cursor) {
			if err != nil {
				return err
			}
			if seen++; seen > passSlice || len(c.items) >= batchItems || c.bytes >= batchBytes {
				a.pass.cursor, ended = w[0].Entry.Path, false
				return nil
			}
			it, err := a.consider(x, toWants(w), now)
			if err != nil {
				return err
			}
			if it != nil && a.fits(x, it) {
				a.take(c, it)
			}
		}
		return nil
	})
	a.readMisread()
	if err != nil || ended {
		a.pass.active, a.stale = false, true // the state goes by it
		a.fetching = a.fetching && (a.pass.fetched || err != nil)
	}
	return c
}

// readMisread has files of unknown history read once more that may be what is
// wanted, and do not look so.
func (a *actor) readMisread() {
	paths := a.pass.misread
	if a.pass.misread = nil; len(paths) == 0 {
		return
	}
	_ = a.update(func(x *index.Folder) error {
		for _, p := range paths {
			l, err := x.Get(p)
			if err == nil && l != nil && l.Unknown {
				err = a.readAgain(x, l)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// take adds an item to the batch, or launches it alone if it is large.
func (a *actor) take(c *cut, it *item) {
	if it.choice.Action == merge.Forget {
		c.forget = append(c.forget, it)
		return
	}
	a.inflight.add(it)
	c.items = append(c.items, it)
	c.bytes += it.size()
	if it.size() >= ownBatch {
		c.bytes += batchBytes // ends the batch
	}
}

// consider decides what to do about the versions that are wanted of one path.
// Nil: nothing for now.
func (a *actor) consider(x *index.Folder, wants []merge.Want, now time.Time) (*item, error) {
	p := wants[0].Entry.Path
	if _, reading := a.rereads[p]; reading {
		return nil, nil
	}
	if a.inflight.has(p) || a.stuck.blocks(p, now) || a.dirty.has(p) || a.going.has(p) {
		return nil, nil
	}
	w, ok := merge.Best(wants, func(w merge.Want) bool { return a.obtainable(x, w) })
	if !ok || a.brakes(p) || a.untold(p) {
		return nil, nil
	}
	if ignored, _, err := a.ignored(w.Entry); err != nil || ignored {
		return &item{path: p, remote: w.Entry}, err // wanted before it was ignored
	}
	l, err := x.Get(p)
	if err != nil {
		return nil, err
	}
	if l == nil && !a.scanned && a.onDisk(p) {
		return nil, nil // the scan that runs will say what it is
	}
	if !takes(a.role) && (l == nil || !l.Absent) {
		return nil, nil // only what was asked for by name
	}
	if l != nil && l.Unknown && a.mayBe(l, w.Entry) && a.readFor[p] != w.Entry.Version.Clock {
		// It was read under other keys while this was heard.
		a.readFor[p] = w.Entry.Version.Clock
		a.pass.misread = append(a.pass.misread, p)
		return nil, nil
	}
	a.pass.fetched = true
	it := &item{path: p, local: l, remote: w.Entry, tellers: w.Tellers}
	if it.deviation, err = x.Local(p); err != nil {
		return nil, err
	}
	if a.staysAway(it) {
		return it, nil
	}
	if w.Entry.Lives() {
		if ready, err := a.parentReady(x, it, now); err != nil || !ready {
			return nil, err
		}
	}
	if it.deviation != nil {
		return a.considerDeviation(x, it)
	}
	living := false
	if l != nil && l.Kind == entry.Directory && !l.Absent && w.Entry.Kind != entry.Directory {
		wait := false
		if living, wait, err = a.livingBelow(x, p); err != nil || wait || living && !a.caughtUp() {
			return nil, err
		}
	}
	if a.strangers(w.Entry, l) > maxStrangers {
		return it, nil // forgotten: l has met others since it was heard
	}
	it.choice = a.around.decide(it.here(), w.Entry, living)
	if it.choice.Action == merge.Forget && a.orphan(w) {
		if it.choice = merge.Adopted(it.here(), w.Entry); it.choice.Action != merge.Forget && !a.caughtUp() {
			return nil, nil // who has settled it may still tell so
		}
	}
	return a.equip(x, it)
}

// orphan tells whether only vaults hold a version: they never lay it beside
// what won over it, as every other holder does.
func (a *actor) orphan(w merge.Want) bool {
	for d := range w.Tellers {
		if !a.blind(d) {
			return false
		}
	}
	return len(w.Tellers) > 0
}

// onDisk tells whether anything lies at a path.
func (a *actor) onDisk(p entry.Path) bool {
	_, err := a.disk.tree.Lstat(p)
	return err == nil
}

// equip finds out where an item's content is to come from. Nil: not yet.
func (a *actor) equip(x *index.Folder, it *item) (*item, error) {
	l, r := it.here(), it.remote
	if it.choice.Keep != nil && a.crowded(it.path) {
		a.stuck.add(a.Clock(), it.path, Problem{
			Path: it.path, Code: "too_many_conflicts", Text: fmt.Sprintf("it has %d conflict copies", maxCopies),
			Hint: "kith resolve ends conflicts; until then its other versions wait.",
		})
		return nil, nil
	}
	if it.choice.Keep != nil && it.deviation == nil {
		it.copyJob = jobFor(it.choice.Keep, it.tellers)
	}
	if it.choice.Action != merge.Adopt {
		return it, nil
	}
	if r.Kind == entry.Deleted && l != nil && merge.HoldsContent(l) && !a.brake.strict {
		needed, err := a.neededBeside(x, it.path, l.Digest())
		if a.pass.waits = a.pass.waits || needed; err != nil || needed {
			return nil, err // what is to go is wanted elsewhere: not before it was taken from here
		}
	}
	if !merge.HoldsContent(r) || l != nil && l.SameContent(r) {
		return it, nil
	}
	if r.Kind == entry.File && len(r.Blocks) > 0 && (l == nil || !l.Lives()) {
		wait, err := a.findMove(x, it)
		if err != nil || wait {
			return nil, err
		}
	}
	if it.from == nil {
		it.job = jobFor(r, it.tellers)
	}
	return it, nil
}

// obtainable tells whether a version can be had now.
func (a *actor) obtainable(x *index.Folder, w merge.Want) bool {
	if w.Entry.Kind != entry.File || len(w.Entry.Blocks) == 0 {
		return true
	}
	if !a.choices.Of(w.Entry.Path).Here {
		if l, err := x.Get(w.Entry.Path); err == nil && (l == nil || !l.Lives() || l.Absent) {
			return true // it is only known
		}
	}
	for d := range w.Tellers {
		if m := a.roll[d]; m != nil && !a.Clock().Before(m.barren) && gather.Gives(m.Member, w.Entry.Size) {
			return true
		}
	}
	for range x.FindContent(w.Entry) {
		return true
	}
	return false
}

// wordTime is how long a member that has more to tell, and tells nothing, is
// waited for.
const wordTime = 2 * time.Second

// caughtUp tells whether all that connected members have to tell was heard, of
// those that go on telling.
func (a *actor) caughtUp() bool {
	now := a.Clock()
	for _, m := range a.roll {
		if silent := now.Sub(m.news); !m.caughtUp() && silent.Abs() < wordTime {
			a.wordDue = now.Add(wordTime)
			return false
		}
	}
	return true
}

// forget drops versions that say nothing new here.
func (a *actor) forget(items []*item) {
	if len(items) == 0 {
		return
	}
	err := a.update(func(x *index.Folder) error {
		for _, it := range items {
			if err := a.changeWanted(x, it.path, it.without); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, it := range items {
			a.stuck.add(a.Clock(), it.path, Problem{Path: it.path, Code: codeCannotRecord, Text: err.Error()})
		}
		return
	}
	a.pass.again = true // something may have waited for it
}

// jobFor is the gathering of an entry's content. The staged file is named
// after both, so that it is found again after a restart.
func jobFor(e *entry.Entry, tellers merge.Tellers) *gather.Job {
	d := e.Digest()
	sum := sha256.Sum256(append([]byte(e.Path+"\x00"), d[:]...))
	return &gather.Job{Entry: e, Name: hex.EncodeToString(sum[:12]), Holders: tellers}
}
