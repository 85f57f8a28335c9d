package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/ignore"
)

// finish puts in place what a batch has gathered. The order of steps is what
// makes a crash harmless: conflict copies are durable and committed before
// anything loses its path, and what was placed is durable before it is
// committed. Between placing and committing the index is behind the disk, and
// a look after a restart records what it finds there as a change of this
// device with the content that the others have: it merges without a trace.
func (a *actor) finish(b *batch) {
	a.inflight.batches--
	a.stale = true
	for _, it := range b.items {
		a.inflight.remove(it)
		defer it.close()
	}
	if b.disk != a.disk || !a.present() {
		return
	}
	a.pass.again = true
	ready := a.kept(a.stillReady(b.items))
	ready = slices.DeleteFunc(ready, func(it *item) bool { return !a.parentMade(it) })
	ready = a.keepCopies(ready)
	if a.disk == nil {
		return
	}
	// What comes first, from above; what goes after it, from below.
	slices.SortStableFunc(ready, func(x, y *item) int {
		switch {
		case x.remote.Lives() && y.remote.Lives():
			return x.path.Compare(y.path)
		case !x.remote.Lives() && !y.remote.Lives():
			return y.path.Compare(x.path)
		case x.remote.Lives():
			return -1
		}
		return 1
	})
	done := ready[:0]
	for _, it := range ready {
		if a.apply(it) {
			done = append(done, it)
		}
	}
	if len(done) == 0 {
		return
	}
	if err := a.disk.tree.Sync(); err != nil {
		// Nothing is committed: a look will find what lies there now.
		for _, it := range done {
			a.trouble(it, fmt.Errorf("make %q durable: %w", it.path, err))
		}
		a.recheck("", true)
		return
	}
	a.commitBatch(done)
}

// stillReady leaves out what could not be gathered, what is decided upon an
// entry that is not there any more, and what has come to be held meanwhile: a
// person who is asked about it finds it as it was.
func (a *actor) stillReady(items []*item) []*item {
	var ready []*item
	a.hold(a.Clock())
	_ = a.view(func(x *index.Folder) error {
		for _, it := range items {
			if err := it.err(); err != nil {
				a.notGathered(it, err)
				continue
			}
			if a.brakes(it.path) {
				continue
			}
			same, err := unchangedEntry(x, it.path, it.local)
			if err == nil && same && it.from != nil {
				same, err = unchangedEntry(x, it.from.Path, it.from)
			}
			if err != nil {
				return err
			}
			if same {
				ready = append(ready, it)
			}
		}
		return nil
	})
	return ready
}

func unchangedEntry(x *index.Folder, p entry.Path, was *entry.Entry) (bool, error) {
	e, err := x.Get(p)
	if err != nil || e == nil || was == nil {
		return e == nil && was == nil, err
	}
	return e.Sequence == was.Sequence, nil
}

// notGathered notes why content could not be had.
func (a *actor) notGathered(it *item, err error) {
	p := Problem{Path: it.path, Code: "unavailable", Text: err.Error()}
	switch {
	case errors.Is(err, gather.ErrUnavailable):
		p.Hint = "It comes as soon as a device that has it is connected."
	case gather.Full(err):
		p.Code, p.Hint = codeDiskFull, "Make room on the disk of this folder."
	case errors.Is(err, gather.ErrEpoch):
		p.Code = "no_key"
	case errors.Is(err, fs.ErrPermission):
		p.Code, p.Hint = "no_permission", "Let the user that kith runs as write to the folder."
	}
	if errors.Is(err, gather.ErrUnavailable) {
		a.lacked(it)
		if it.job != nil && it.job.Fetched > 0 {
			a.stuck.clear(it.path) // it gets on, so that the pauses begin anew
		}
	}
	level := slog.LevelWarn
	if errors.Is(err, gather.ErrUnavailable) || errors.Is(err, context.Canceled) {
		level = slog.LevelDebug // the status shows it, and it can be true of many files at once
	}
	a.Log.Log(a.ctx, level, "get content", "path", string(it.path), "error", err)
	a.stuck.add(a.Clock(), it.path, p)
	if it.local != nil {
		a.recheck(it.path, false) // what was to be kept may have changed
	}
}

// A member that announced so many files in a row which it could not give is
// left alone for a while, so that others get their turn.
const (
	maxLacking = 2000
	barrenTime = 30 * time.Second
)

// lacked notes that the members which announced a file could not give it.
func (a *actor) lacked(it *item) {
	for d := range it.tellers {
		m := a.roll[d]
		if m == nil {
			continue
		}
		if m.lacking++; m.lacking >= maxLacking {
			m.lacking, m.barren = 0, a.Clock().Add(barrenTime)
			a.Log.Warn("a device does not have what it announced", "device", d)
		}
	}
}

// errNoDirectory: a directory could not be made; the path that needs it is
// tried again later.
var errNoDirectory = errors.New("it could not be made")

// makeDirectory makes a directory that nobody told of but something is to live
// in, with those above it, as a change of this device: one that gives way to
// whatever others turn out to have there, as its mode is nobody's wish.
func (a *actor) makeDirectory(p entry.Path) bool {
	if p == "" {
		return true
	}
	var e *entry.Entry
	if a.view(func(x *index.Folder) (err error) { e, err = x.Get(p); return err }) != nil {
		return false
	}
	here := e != nil && e.Lives() && !e.Absent
	if here && e.Kind == entry.Directory {
		return true
	}
	if here || !a.makeDirectory(p.Parent()) {
		return false
	}
	mode := uint32(0o755)
	if e != nil && e.Absent && e.Kind == entry.Directory {
		mode = e.Mode
	}
	st, err := a.disk.tree.Mkdir(p, mode)
	if err != nil {
		a.recheck(p, true)
		return false
	}
	if err := a.disk.tree.Sync(); err != nil {
		return false
	}
	return a.update(func(x *index.Folder) error {
		if e != nil && e.Absent && e.Kind == entry.Directory && e.Mode == st.Mode {
			n := *e // it is here again, and nothing new
			n.Absent, n.Disk = false, st.Disk
			_, err := x.Put(&n)
			return err
		}
		n := &entry.Entry{
			Path: p, Kind: entry.Directory, Mode: st.Mode, AuthorName: a.Name, Epoch: a.epoch(), Disk: st.Disk, Unseen: unseenOver(e),
		}
		var err error
		if n.Version, err = a.around.event(x, versionOf(e), leastClock); err != nil {
			return err
		}
		_, err = x.Put(n)
		return err
	}) == nil
}

// leastClock has a new event beat no version but those that it follows on.
const leastClock version.Clock = 0

// versionOf is the version that a new event at the path of e stands on.
func versionOf(e *entry.Entry) version.Version {
	if e == nil {
		return version.Version{}
	}
	return e.Version
}

// commitBatch commits what lies on disk now, and wants it no more. An item
// that the index refuses holds up no other.
func (a *actor) commitBatch(done []*item) {
	if a.commitItems(done) != nil && len(done) > 1 && a.broken == nil {
		for _, it := range done {
			a.commitBatch([]*item{it})
		}
	}
}

func (a *actor) commitItems(done []*item) error {
	rules := false
	err := a.update(func(x *index.Folder) error {
		for _, it := range done {
			if err := a.commitItem(x, it); err != nil {
				return fmt.Errorf("commit %q: %w", it.path, err)
			}
			rules = rules || it.path.Name() == ignore.FileName
		}
		return nil
	})
	if err != nil && len(done) == 1 {
		a.stuck.add(a.Clock(), done[0].path, Problem{Path: done[0].path, Code: codeCannotRecord, Text: err.Error()})
		a.recheck(done[0].path, true)
	}
	if err != nil {
		return err
	}
	for _, it := range done {
		a.stuck.clear(it.path)
		a.took(it)
		a.brought(it)
		delete(a.reverting, it.path)
		for d := range it.tellers {
			if m := a.roll[d]; m != nil && it.job != nil {
				m.lacking = 0
			}
		}
		a.countCopy(it.path, it.result.Lives())
		if it.from != nil {
			a.countCopy(it.from.Path, false)
		}
	}
	if rules {
		a.rulesChanged()
	}
	return nil
}

func (a *actor) commitItem(x *index.Folder, it *item) error {
	e := it.result
	if it.choice.Action == merge.Revive || it.choice.Action == merge.Stay {
		v, err := a.event(x, it.choice.Version)
		if err != nil {
			return err
		}
		e.Version, e.AuthorName = v, a.Name
	}
	a.noteCopied(x, it)
	if _, err := x.Put(e); err != nil {
		return err
	}
	if it.deviation != nil && !it.deviates {
		if err := x.SetLocal(it.path, nil); err != nil {
			return err
		}
	}
	if err := a.changeWanted(x, it.path, func(w []merge.Want) []merge.Want { return stillWanted(w, e) }); err != nil {
		return err
	}
	if it.from == nil {
		return nil
	}
	gone := *it.fromGone
	gone.Version, gone.Unseen = it.fromChoice.Version, unseenBy(it.fromChoice.Version, it.from, it.fromGone)
	if _, err := x.Put(&gone); err != nil {
		return err
	}
	return a.changeWanted(x, gone.Path, func(w []merge.Want) []merge.Want { return stillWanted(w, &gone) })
}

// trouble notes why a change could not be applied, and how to go on.
func (a *actor) trouble(it *item, err error) {
	now := a.Clock()
	p := Problem{Path: it.path, Code: "cannot_apply", Text: err.Error()}
	if kept, ok := errors.AsType[*tree.KeptError](err); ok && kept.Kept == "" {
		a.mustReopen = true // which brings back what has no place now
	}
	switch {
	case errors.Is(err, tree.ErrChanged), errors.Is(err, tree.ErrExists):
		// A person was there first.
		a.recheck(it.path, true)
		if it.from != nil {
			a.recheck(it.from.Path, false)
		}
		if errors.Is(err, tree.ErrKept) {
			a.Log.Warn("changed while it was being replaced", "path", string(it.path), "error", err)
		}
		return
	case errors.Is(err, tree.ErrBusy):
		p.Code, p.Hint = "open_for_writing", "It is replaced when the program that has it open closes it."
	case errors.Is(err, tree.ErrNotEmpty):
		a.recheck(it.path, true)
		p.Code, p.Hint = "directory_not_empty", "It is removed when nothing lies in it any more."
	case errors.Is(err, fs.ErrNotExist):
		a.recheck(it.path.Parent(), true)
		p.Code = "no_directory"
	case gather.Full(err):
		p.Code, p.Hint = codeDiskFull, "Make room on the disk of this folder."
	case errors.Is(err, fs.ErrPermission):
		p.Code, p.Hint = "no_permission", "Let the user that kith runs as write to the directory."
	case errors.Is(err, tree.ErrReserved), errors.Is(err, entry.ErrPath):
		p.Code, p.Hint = "name_not_allowed", "Rename it on the device where it was made."
	}
	a.Log.Warn("apply a change", "path", string(it.path), "error", err)
	a.stuck.add(now, it.path, p)
}
