package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
)

// keepCopies lays the conflict copies that items need beside their paths,
// durable and committed, and returns the items that can go on.
func (a *actor) keepCopies(items []*item) []*item {
	var ready []*item
	var copies []*entry.Entry
	for _, it := range items {
		if it.choice.Keep == nil {
			ready = append(ready, it)
			continue
		}
		e, err := a.keepCopy(it)
		if err != nil {
			a.trouble(it, fmt.Errorf("keep a copy of %q: %w", it.path, err))
			continue
		}
		if e != nil {
			copies = append(copies, e)
			a.brake.meter.Brought(it.remote.AuthorName, e.Path, true, a.Clock())
		}
		ready = append(ready, it)
	}
	if len(copies) == 0 {
		return ready
	}
	if err := a.commitCopies(copies); err != nil {
		for _, it := range ready {
			if it.choice.Keep != nil {
				a.trouble(it, fmt.Errorf("keep a copy of %q: %w", it.path, err))
			}
		}
		a.recheck("", true)
		return slices.DeleteFunc(ready, func(it *item) bool { return it.choice.Keep != nil })
	}
	return ready
}

func (a *actor) commitCopies(copies []*entry.Entry) error {
	if err := a.disk.tree.Sync(); err != nil {
		return err
	}
	err := a.update(func(x *index.Folder) error {
		for _, e := range copies {
			had, err := x.Get(e.Path)
			if err != nil {
				return err
			}
			if e.Unknown { // of an edit that stays here: its copy does so, too
				if err := a.putLocal(x, had, e); err != nil {
					return err
				}
				continue
			}
			e.Unseen = unseen(had)
			if e.Version, err = a.event(x, versionOf(had)); err != nil {
				return err
			}
			if _, err := x.Put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range copies {
		a.countCopy(e.Path, true)
		a.Log.Info("kept a conflict copy", "path", string(e.Path))
	}
	return nil
}

// keepCopy places one conflict copy and returns its entry, nil if a copy with
// this content is there already.
func (a *actor) keepCopy(it *item) (*entry.Entry, error) {
	lost := it.choice.Keep
	for try := range merge.MaxCopyTries {
		p := a.around.copyName(lost, a.Name, try)
		free, kept, err := a.around.nameFor(a, p, lost)
		if err != nil {
			return nil, err
		}
		if kept {
			return nil, nil
		}
		if !free {
			continue
		}
		var st tree.Stat
		if it.deviation != nil {
			// It is this device's own: it moves, and the path is free.
			st, err = a.disk.tree.Move(it.path, p, tree.StatOf(it.deviation), metaOf(lost))
		} else {
			st, err = a.disk.tree.Place(p, it.copyJob.Staged, metaOf(lost), nil)
		}
		if errors.Is(err, fs.ErrExist) {
			a.recheck(p, false)
			continue
		}
		if err != nil {
			return nil, err
		}
		e := *lost
		it.moved = it.deviation != nil
		e.Path, e.Disk, e.Unknown, e.AuthorName, e.Epoch = p, st.Disk, it.deviation != nil && lost == it.deviation, a.Name, a.epochFor(lost)
		e.Absent, e.Unseen = false, nil
		return &e, nil
	}
	return nil, fmt.Errorf("all names for it are taken: %w", fs.ErrExist)
}

// nameFor tells whether a conflict copy may have the name p, or whether just
// its content has it already.
func nameFor(a *actor, p entry.Path, lost *entry.Entry) (free, kept bool, err error) {
	var e *entry.Entry
	if err := a.view(func(x *index.Folder) (err error) { e, err = x.Get(p); return err }); err != nil {
		return false, false, err
	}
	_, err = a.disk.tree.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e == nil || !e.Lives(), false, nil
	case err != nil:
		return false, false, err
	}
	return false, e != nil && e.Lives() && e.SameContent(lost), nil
}
