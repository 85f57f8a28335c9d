package folder

import (
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
		if err != nil || e != nil && e.Kind == entry.Directory && !e.Absent {
			return err == nil, err
		}
		w, err := x.Wanted(up)
		if err != nil || len(w) > 0 && takes(a.role) {
			return false, err // it is on its way
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
