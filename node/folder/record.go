package folder

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree/ignore"
)

// record commits what a look has found, as far as it is still so. What is
// missing waits a little; see going.
func (a *actor) record(found []look.Finding) error {
	if a.disk == nil {
		return errGone
	}
	now := a.Clock()
	var present, missing []look.Finding
	for _, f := range found {
		switch {
		case f.Err != nil:
			a.unreadable(f)
		case f.Unsteady:
			a.dirty.unsteady(f.Path, now)
		case !f.Present:
			missing = append(missing, f)
		default:
			present = append(present, f)
		}
	}
	a.commit(present)
	a.recordGone(missing, now)
	if a.disk == nil {
		return errGone
	}
	return nil
}

var errGone = errors.New("the folder's tree went away")

// unreadable shows a path that could not be looked at.
func (a *actor) unreadable(f look.Finding) {
	code, hint := "unreadable", "It is left alone here and elsewhere until it can be read."
	if errors.Is(f.Err, fs.ErrPermission) {
		code, hint = "no_permission", "Let the user that kith runs as read it."
	}
	a.stuck.add(a.Clock(), f.Path, Problem{Path: f.Path, Code: code, Text: f.Err.Error(), Hint: hint})
	if t, ok := a.stuck[f.Path]; ok {
		t.look = a.lookNumber
		a.stuck[f.Path] = t
		a.dirty.add(f.Path, true, t.due)
	}
	a.stale = true
}

// commitGoing records the deletes that have waited long enough.
func (a *actor) commitGoing(now time.Time) {
	more := a.looking || a.dirty.fresh()
	if f := a.going.take(now, more); len(f) > 0 && a.present() {
		a.commit(f)
	}
	if a.going.empty() && !a.looking {
		a.scans.end(nil)
	}
}

// recordGone records what is missing, from below: at once if it has moved, or
// is a directory all of which has, else when no more has gone for a while.
func (a *actor) recordGone(missing []look.Finding, now time.Time) {
	if len(missing) == 0 || a.disk == nil {
		return
	}
	var moved []look.Finding
	some, others := map[entry.Path]bool{}, map[entry.Path]bool{} // directories of which something has moved, or something else has not
	_ = a.view(func(x *index.Folder) error {
		for _, f := range missing {
			e, err := x.Get(f.Path)
			if err != nil {
				return err
			}
			up := f.Path.Parent()
			if e == nil || e.Sequence != f.Seen || a.livesElsewhere(x, e) || some[f.Path] && !others[f.Path] {
				moved = append(moved, f)
				some[up] = true
				continue
			}
			others[up] = true
			a.going.add(now, f)
		}
		return nil
	})
	a.commit(moved)
}

// livesElsewhere tells whether a file's content has just come to be at another
// path, and is there still.
func (a *actor) livesElsewhere(x *index.Folder, e *entry.Entry) bool {
	if e.Kind != entry.File || len(e.Blocks) == 0 {
		return false
	}
	p, ok := a.arrivals.of(e, a.Clock())
	if _, going := a.going.missing[p]; !ok || going || !a.onDisk(p) {
		return false
	}
	o, err := x.Get(p)
	return err == nil && o != nil && o.Sequence > e.Sequence && o.SameContent(e)
}

// commit records findings that are still so: the path on disk is just what was
// found, and its entry is the one that was compared. Others are looked at again.
func (a *actor) commit(found []look.Finding) {
	var still []look.Finding
	for _, f := range found {
		if a.holds(f) {
			still = append(still, f)
		} else {
			a.recheck(f.Path, false)
		}
	}
	if len(still) == 0 || !a.present() {
		return
	}
	if err := a.makeDurable(still); err != nil {
		a.Log.Error("make changes durable", "error", err)
		a.notRecorded(still, err)
		return
	}
	rules := false
	var copies []func()
	a.below = nil
	err := a.update(func(x *index.Folder) error {
		for _, f := range still {
			e, err := x.Get(f.Path)
			if err != nil {
				return err
			}
			if e != nil && e.Sequence != f.Seen || e == nil && f.Seen != 0 {
				a.recheck(f.Path, false)
				continue
			}
			wrote, err := a.recordOne(x, e, f)
			if errors.Is(err, version.ErrBounds) || errors.Is(err, entry.ErrEntry) || errors.Is(err, entry.ErrPath) {
				a.stuck.add(a.Clock(), f.Path, Problem{Path: f.Path, Code: codeCannotRecord, Text: err.Error()})
				continue
			}
			if err != nil {
				return err
			}
			if wrote {
				rules = rules || f.Path.Name() == ignore.FileName
				copies = append(copies, func() { a.countCopy(f.Path, f.Present && f.Stat.Kind != 0) })
			}
		}
		return nil
	})
	if err != nil {
		a.notRecorded(still, err)
		return
	}
	for _, f := range still {
		a.dirty.steady(f.Path)
		if !f.Present || f.Stat.Kind != 0 {
			a.stuck.clear(f.Path)
		}
	}
	for _, count := range copies {
		count()
	}
	for _, p := range a.below {
		a.countCopy(p, false)
	}
	if rules {
		a.rulesChanged()
	}
	a.pass.again = true
}

// notRecorded has findings looked at again, and nothing applied to their paths
// meanwhile: those are known to differ.
func (a *actor) notRecorded(found []look.Finding, err error) {
	now := a.Clock()
	p := Problem{Code: codeCannotRecord, Text: err.Error()}
	if gather.Full(err) {
		p.Code, p.Hint = codeDiskFull, "Make room on the disk of this folder, and of kith's own state."
	}
	for _, f := range found {
		p.Path = f.Path
		a.dirty.add(f.Path, false, now.Add(lastRetry))
		a.stuck.add(now, f.Path, p)
		if t, ok := a.stuck[f.Path]; ok {
			t.look = a.lookNumber // a later one that has no trouble with it clears it
			a.stuck[f.Path] = t
		}
	}
}

// writtenBack is how long after a change the system has surely written it to
// disk by itself.
const writtenBack = 2 * time.Minute

// makeDurable sees to it that what was found survives a loss of power before it
// is told: otherwise the disk would come back without it, and that would look
// as if a person had deleted, or changed back, what others have by then.
func (a *actor) makeDurable(found []look.Finding) error {
	now := a.Clock()
	for _, f := range found {
		age := now.Sub(time.Unix(0, f.Stat.Disk.ChangeTime))
		if !f.Present || age < writtenBack {
			return a.disk.tree.Sync()
		}
	}
	return nil
}

// holds tells whether a finding is still what is on disk.
func (a *actor) holds(f look.Finding) bool {
	st, err := a.disk.tree.Lstat(f.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !f.Present && !a.disk.spelled(f.Path) {
		return !f.Present
	}
	return err == nil && f.Present && (st.Same(f.Stat) || st.Kind == 0 && f.Stat.Kind == 0)
}

// recordOne turns one finding into a new version, where it is one. e is the
// entry that it was compared with, nil for none.
func (a *actor) recordOne(x *index.Folder, e *entry.Entry, f look.Finding) (wrote bool, err error) {
	if f.Present && f.Stat.Kind == 0 {
		a.stuck.add(a.Clock(), f.Path, Problem{
			Path: f.Path, Code: codeSpecial, Text: "a fifo, socket or device is not synced",
			Hint: "Move it out of the folder, or name it in .kithignore.",
		})
	}
	if a.role == entry.RoleReceive {
		return a.recordLocal(x, e, f)
	}
	if !f.Present || f.Stat.Kind == 0 {
		return a.recordMissing(x, e)
	}
	n := a.entryOf(f)
	switch {
	case e != nil && e.Absent:
		if err := a.recordFound(x, e, n); err != nil {
			return false, err
		}
	case e != nil && e.Lives() && e.SameContent(n) && e.Mode == n.Mode && e.ModTime == n.ModTime:
		n.Version, n.Sequence, n.AuthorName, n.Epoch, n.Unknown, n.Unseen = e.Version, e.Sequence, e.AuthorName, e.Epoch, e.Unknown, e.Unseen
		return false, x.Touch(n)
	case e == nil && !a.settled, e != nil && e.Unknown:
		n.Unknown, n.AuthorName = true, ""
	default:
		if e != nil && e.Kind == entry.Directory && n.Kind != entry.Directory {
			if err := a.recordBelow(x, e.Path); err != nil {
				return false, err
			}
		}
		taken, err := a.takeOver(x, e, n)
		if err != nil {
			return false, err
		}
		if taken {
			return true, nil
		}
		n.Unseen = unseen(e)
		if n.Version, err = a.event(x, versionOf(e)); err != nil {
			return false, err
		}
	}
	a.brake.meter.Gone(f.Path)
	if e == nil || !e.Lives() {
		a.arrivals.add(n, a.Clock())
	}
	if a.History != nil && e != nil && !n.Unknown && !e.SameContent(n) {
		a.edited.add(n, a.Clock())
	}
	_, err = x.Put(n)
	return true, err
}

// recordBelow records as deleted what was below a directory that something else
// has taken the place of: before that, or others would see it live on there.
func (a *actor) recordBelow(x *index.Folder, dir entry.Path) error {
	var gone []*entry.Entry
	for e, err := range x.Below(dir) {
		if err != nil {
			return err
		}
		gone = append(gone, e)
	}
	for _, e := range slices.Backward(gone) {
		if _, err := a.recordMissing(x, e); err != nil {
			return err
		}
		a.below = append(a.below, e.Path)
	}
	return nil
}

func (a *actor) recordMissing(x *index.Folder, e *entry.Entry) (bool, error) {
	switch {
	case e == nil || !e.Lives() || e.Absent:
		return false, nil
	case e.Unknown:
		return true, x.Drop(e.Path)
	}
	if stays, err := a.staysElsewhere(x, e); stays || err != nil {
		return stays, err
	}
	gone := &entry.Entry{Path: e.Path, Kind: entry.Deleted, AuthorName: a.Name, Epoch: a.epoch(), Unseen: unseen(e)}
	if merge.HoldsContent(e) {
		gone.Gone = e.Digest()
	}
	a.brake.meter.Gone(e.Path)
	if taken, err := a.takeOver(x, e, gone); err != nil || taken {
		return taken, err
	}
	var err error
	if gone.Version, err = a.event(x, e.Version); err != nil {
		return false, err
	}
	_, err = x.Put(gone)
	return true, err
}

// takeOver gives what is on disk the version of a wanted one with the same
// payload. That is how it got there, if the program was killed between placing
// and committing it: to call it a change of this device would put it beside
// later versions rather than before them.
func (a *actor) takeOver(x *index.Folder, e, n *entry.Entry) (bool, error) {
	wants, err := x.Wanted(n.Path)
	if err != nil {
		return false, err
	}
	for _, w := range toWants(wants) {
		base := e
		if e != nil && e.Absent {
			base = nil
		}
		d := a.around.decide(base, w.Entry, false)
		if d.Action != merge.Adopt || d.Keep != nil || !w.Entry.SamePayload(n) {
			continue
		}
		n.Version, n.AuthorName, n.Epoch = d.Version, w.Entry.AuthorName, w.Entry.Epoch
		n.Unseen = unseenBy(d.Version, base, w.Entry)
		if _, err := x.Put(n); err != nil {
			return false, err
		}
		return true, a.changeWanted(x, n.Path, func(w []merge.Want) []merge.Want { return stillWanted(w, n) })
	}
	return false, nil
}

// entryOf is the entry of a path as it was found, without a version.
func (a *actor) entryOf(f look.Finding) *entry.Entry {
	e := &entry.Entry{
		Path: f.Path, AuthorName: a.Name, Kind: f.Stat.Kind, Mode: f.Stat.Mode,
		Epoch: cmp.Or(f.Epoch, a.epoch()), Disk: f.Stat.Disk,
	}
	switch e.Kind {
	case entry.File:
		e.Size, e.ModTime, e.Blocks = f.Stat.Size, f.Stat.ModTime, f.Blocks
	case entry.Symlink:
		e.ModTime, e.Target = f.Stat.ModTime, f.Stat.Target
	case entry.Deleted, entry.Directory:
	}
	return e
}

// countCopy keeps count of the conflict copies in the folder.
func (a *actor) countCopy(p entry.Path, lives bool) {
	if !merge.IsCopy(p) {
		return
	}
	if lives {
		a.copies[p] = struct{}{}
	} else {
		delete(a.copies, p)
	}
}

// rulesChanged makes the rules of ignoring be read again. What was passed over
// under the old ones, here or as told by others, is looked at anew.
func (a *actor) rulesChanged() {
	a.disk.ignores.Forget()
	a.disk.watcher.Renew()
	a.recheck("", true)
	a.listenAnew()
}
