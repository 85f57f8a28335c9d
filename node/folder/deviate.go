package folder

import (
	"context"
	"errors"
	"io/fs"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
)

// A device that only receives keeps the edits that are made on it to itself.
// The index then has two rows for a path: the folder's version, which is
// absent here, and the deviation, what lies here instead. A file that the
// folder does not know is one of unknown history that is never settled.

// recordLocal is recordOne for such a device.
func (a *actor) recordLocal(x *index.Folder, e *entry.Entry, f look.Finding) (wrote bool, err error) {
	if !f.Present || f.Stat.Kind == 0 {
		return a.recordLocalGone(x, e)
	}
	n := a.entryOf(f)
	if taken, err := a.takeOver(x, e, n); err != nil || taken {
		return taken, errors.Join(err, x.SetLocal(f.Path, nil))
	}
	if e != nil && e.Lives() && !e.Unknown && e.SamePayload(n) {
		n.Version, n.Sequence, n.AuthorName, n.Epoch, n.Unseen = e.Version, e.Sequence, e.AuthorName, e.Epoch, e.Unseen
		if !e.Absent {
			return false, x.Touch(n)
		}
		if err := x.SetLocal(n.Path, nil); err != nil {
			return false, err
		}
		_, err := x.Put(n)
		return true, err
	}
	return true, a.putLocal(x, e, n)
}

// putLocal notes that n lies at a path, and stays here; e is the path's row.
func (a *actor) putLocal(x *index.Folder, e, n *entry.Entry) error {
	n.Version, n.AuthorName = version.Version{}, ""
	if e == nil || e.Unknown {
		n.Unknown = true
		_, err := x.Put(n)
		return err
	}
	n.Unknown = false
	delete(a.reverting, n.Path) // that was of another edit
	had, err := x.Local(n.Path)
	if err != nil {
		return err
	}
	if err := x.SetLocal(n.Path, n); err != nil || !e.Lives() {
		return err
	}
	if !e.Absent {
		return a.putAway(x, e)
	}
	if had != nil && had.Lives() || !merge.HoldsContent(e) || e.SameContent(n) {
		return nil
	}
	// Who made n did not have e before their eyes. Should n become a change one
	// day, that is to say so.
	blind := *e
	blind.Unseen = e.Version.Vector
	_, err = x.Put(&blind)
	return err
}

// putAway notes that the content of e is not here any more.
func (a *actor) putAway(x *index.Folder, e *entry.Entry) error {
	away := *e
	away.Absent, away.Disk = true, entry.Disk{}
	_, err := x.Put(&away)
	return err
}

func (a *actor) recordLocalGone(x *index.Folder, e *entry.Entry) (bool, error) {
	if e == nil {
		return false, nil
	}
	had, err := x.Local(e.Path)
	if err != nil {
		return false, err
	}
	switch {
	case e.Unknown:
		return true, x.Drop(e.Path)
	case !e.Lives() && had != nil:
		return true, x.SetLocal(e.Path, nil)
	case !e.Lives(), e.Absent && had == nil, had != nil && !had.Lives():
		return false, nil
	}
	if err := x.SetLocal(e.Path, &entry.Entry{Path: e.Path, Kind: entry.Deleted, Epoch: a.epoch()}); err != nil || e.Absent {
		return true, err
	}
	return true, a.putAway(x, e)
}

// considerDeviation decides about a version of a path at which something else
// lies that stays here.
func (a *actor) considerDeviation(x *index.Folder, it *item) (*item, error) {
	dev, r := it.deviation, it.remote
	_, reverting := a.reverting[it.path]
	newer := it.local == nil || r.Version.Compare(it.local.Version) == version.After ||
		r.Version.Compare(it.local.Version) == version.Concurrent && r.Version.Beats(it.local.Version)
	if !newer && !reverting {
		return it, nil // forgotten
	}
	it.choice = merge.Decision{Action: merge.Adopt, Version: r.Version}
	switch {
	case reverting:
	case !dev.Lives():
		it.absent, it.deviates = r.Lives(), r.Lives() // it stays deleted here
		return it, nil
	case r.Kind == entry.Deleted:
		it.deviates = true
		return it, nil
	case merge.HoldsContent(dev) && !dev.SameContent(r):
		lost := *dev
		lost.Unknown = true // it is named after this device
		it.deviation, it.choice.Keep = &lost, &lost
	}
	return a.equip(x, it)
}

// Revert gives paths of the folder its own content again, at a path and below
// it: what was edited here is dropped. With dry it only says which.
func (f *Folder) Revert(ctx context.Context, p entry.Path, dry bool) (paths []entry.Path, err error) {
	var failed error
	err = f.do(ctx, func(a *actor) {
		if a.role != entry.RoleReceive {
			return
		}
		var revert []*entry.Entry
		failed = a.view(func(x *index.Folder) error {
			revert, err = localEdits(x, p)
			return err
		})
		for _, l := range revert {
			paths = append(paths, l.Path)
		}
		if failed == nil && !dry {
			failed = a.revert(revert)
		}
	})
	if err == nil {
		err = failed
	}
	return paths, err
}

// localEdits are the deviations at and below a path, new files among them.
func localEdits(x *index.Folder, p entry.Path) (out []*entry.Entry, err error) {
	within := func(o entry.Path) bool { return p == "" || o == p || o.Below(p) }
	for l, err := range x.Locals(p) {
		if err != nil {
			return nil, err
		}
		if !within(l.Path) {
			break
		}
		out = append(out, l)
	}
	for o := range x.UnknownPaths() {
		if !within(o) {
			continue
		}
		e, err := x.Get(o)
		if err != nil {
			return nil, err
		}
		if e.Kind != entry.Directory {
			out = append(out, e)
		}
	}
	return out, nil
}

func (a *actor) revert(edits []*entry.Entry) error {
	if !a.present() {
		return a.awayError()
	}
	for _, l := range edits {
		if err := a.revertOne(l); err != nil {
			return err
		}
	}
	a.pass.again = true
	return nil
}

// revertOne removes what the folder does not know, and wants again what it
// does. The content of an edit goes when that of the folder is there.
func (a *actor) revertOne(l *entry.Entry) error {
	var e *entry.Entry
	if err := a.view(func(x *index.Folder) (err error) { e, err = x.Get(l.Path); return err }); err != nil {
		return err
	}
	if l.Unknown || e == nil || !e.Lives() {
		if err := a.keepNow(l); err != nil {
			return err
		}
		err := a.disk.tree.Remove(l.Path, tree.StatOf(l))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		a.countCopy(l.Path, false)
		return a.update(func(x *index.Folder) error {
			if l.Unknown {
				return x.Drop(l.Path)
			}
			return x.SetLocal(l.Path, nil)
		})
	}
	a.reverting[l.Path] = struct{}{}
	return a.update(func(x *index.Folder) error {
		if !l.Lives() {
			if err := x.SetLocal(l.Path, nil); err != nil {
				return err
			}
		}
		return a.want(x, e)
	})
}
