package folder

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/merge"
)

// parentReady tells whether the directory of a path that is to live is there,
// or is to be made along with it, with those above it.
func (a *actor) parentReady(x *index.Folder, it *item, now time.Time) (bool, error) {
	for up := it.path.Parent(); up != ""; up = up.Parent() {
		if a.inflight.has(up) || a.dirty.has(up) || a.going.has(up) {
			return false, nil
		}
		e, err := x.Get(up)
		if err != nil {
			return false, err
		}
		if e != nil && e.Kind == entry.Directory && !e.Absent {
			break
		}
		if coming, err := a.coming(x, up); err != nil || coming {
			return false, err
		}
		if e != nil && e.Lives() && !e.Absent {
			a.parentInTheWay(it, e, now)
			return false, nil
		}
		it.needParent = true
	}
	// Made here, it would be a change of this device's, with a mode that says
	// nothing: so only if nobody has one to tell.
	return !it.needParent || a.caughtUp(), nil
}

// coming tells whether there is a version of a path that is to be applied.
func (a *actor) coming(x *index.Folder, p entry.Path) (bool, error) {
	w, err := x.Wanted(p)
	return len(w) > 0 && takes(a.role), err
}

// parentMade makes the directory of an item, with those above it, if that was
// found to be needed and still is. One that was told of since is waited for:
// the item comes again when that is there.
func (a *actor) parentMade(it *item) bool {
	if !it.needParent {
		return true
	}
	coming := false
	err := a.view(func(x *index.Folder) (err error) {
		for up := it.path.Parent(); up != "" && err == nil && !coming; up = up.Parent() {
			e, failed := x.Get(up)
			if failed != nil || e != nil && e.Kind == entry.Directory && !e.Absent {
				return failed
			}
			coming, err = a.coming(x, up)
		}
		return err
	})
	if err != nil || coming {
		return false
	}
	if !a.makeDirectory(it.path.Parent()) {
		a.trouble(it, fmt.Errorf("make the directory of %q: %w", it.path, errNoDirectory))
		return false
	}
	return true
}

// parentInTheWay notes that something else is where a directory should be. A
// peer that holds the directory will say that it stays; one that never had it
// cannot make it out of someone's file or symlink.
func (a *actor) parentInTheWay(it *item, e *entry.Entry, now time.Time) {
	if _, known := a.stuck[it.path]; !known {
		a.Log.Warn("refused a path below a "+e.Kind.String(), "path", string(it.path), "devices", it.tellers)
	}
	a.stuck.add(now, it.path, Problem{
		Path: it.path, Code: "parent_not_directory", Text: "here, " + string(e.Path) + " is a " + e.Kind.String(),
		Hint: "Move or rename one of the two.",
	})
}

// livingBelow tells whether something lives below a directory, or else whether
// something there is still to go.
func (a *actor) livingBelow(x *index.Folder, p entry.Path) (living, wait bool, err error) {
	for e, err := range x.Below(p) {
		if err != nil {
			return false, false, err
		}
		if !e.Lives() || e.Absent {
			continue
		}
		if ignored, _, err := a.ignored(e); err != nil || ignored {
			if err != nil {
				return false, false, err
			}
			continue // it stays, and its directory is left over for it
		}
		if a.inflight.has(e.Path) {
			return false, true, nil
		}
		w, err := x.Wanted(e.Path)
		if err != nil {
			return false, false, err
		}
		top, ok := merge.Best(toWants(w), func(w merge.Want) bool { return a.obtainable(x, w) })
		if ok && top.Entry.Kind == entry.Deleted {
			return false, true, nil
		}
		return true, false, nil
	}
	return false, false, nil
}
