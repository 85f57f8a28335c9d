package folder

import (
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

// settleSlice is how many files of unknown history become new versions in one
// transaction.
const settleSlice = 5000

// settle ends unknown history: once all that a member with a settled index has
// to say was heard and applied, what nobody knew of is new. Where no member
// is settled, as when all have lost their indexes, the first of those that are
// connected begins; where there is no other member, nobody can know better.
func (a *actor) settle() {
	if now := a.Clock(); !now.Before(a.unsettledDue) {
		a.unsettledDue = time.Time{}
	}
	if a.settled || !a.unsettledDue.IsZero() || !a.scanned || a.looking || !a.dirty.empty() || !a.going.empty() || !a.mayWriteHistory() {
		return
	}
	for done := false; !done; {
		err := a.update(func(x *index.Folder) error {
			more, err := a.settleSome(x)
			if err != nil || more {
				return err
			}
			done = true
			return x.SetJoined(true)
		})
		if err != nil {
			a.unsettledDue = a.Clock().Add(lastRetry)
			return
		}
	}
	a.settled = true
	a.Log.Info("the history of all files is known")
}

// mayWriteHistory tells whether nobody can know better any more.
func (a *actor) mayWriteHistory() bool {
	if a.Alone != nil && a.Alone() {
		return true
	}
	first := len(a.roll) > 0
	for d, m := range a.roll {
		switch {
		case m.caughtUp() && m.told.Settled:
			return true
		case m.told.Settled || !m.caughtUp() || d < a.Device:
			first = false
		}
	}
	return first
}

// unsettle has unknown history be ended once more if that of a path was left
// unknown, as it was to meet what others know, and nothing is to be met any more.
func unsettle(x *index.Folder, p entry.Path) error {
	if !x.Joined() {
		return nil
	}
	e, err := x.Get(p)
	if err != nil || e == nil || !e.Unknown {
		return err
	}
	if w, err := x.Wanted(p); err != nil || len(w) > 0 {
		return err
	}
	return x.SetJoined(false)
}

// settleSome makes versions of some of the files of unknown history.
func (a *actor) settleSome(x *index.Folder) (more bool, err error) {
	var paths []entry.Path
	if a.role == entry.RoleReceive {
		return false, nil // they stay what they are: files of this device alone
	}
	for p := range x.UnknownPaths() {
		w, err := x.Wanted(p)
		if err != nil {
			return false, err
		}
		if len(w) > 0 && takes(a.role) {
			continue // it will meet what others know
		}
		if len(paths) == settleSlice {
			more = true
			break
		}
		paths = append(paths, p)
	}
	for _, p := range paths {
		e, err := x.Get(p)
		if err != nil {
			return false, err
		}
		n := *e
		n.Unknown, n.AuthorName = false, a.Name
		if n.Version, err = a.event(x, e.Version); err != nil {
			return false, err
		}
		if _, err := x.Put(&n); err != nil {
			return false, err
		}
	}
	return more, nil
}
