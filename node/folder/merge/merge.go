// Package merge decides what a device does about a version of a path that a
// peer holds and it does not: the merge rules of kith, and nothing else.
//
// It is pure: no disk, no clock, no index. It rests on two promises of those
// that carry a decision out, and keeps two in return.
//
//   - What a decision wants kept lies beside the path, durably, before the
//     decision takes effect. A joined version tells all others that the loser
//     is safe.
//   - A new event's version stands on the decision's version.
//   - Devices that have exchanged all versions decide for the same payload
//     under the same vector, in whatever order they met them.
//   - No content that a person made is dropped, unless a version that had seen
//     it replaced or removed it.
//
// The model test in this package checks both on random histories.
package merge

import (
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Action is what to do with a remote version.
type Action int

const (
	// Forget: the version says nothing new here, or whoever holds it will
	// come back with a version that does.
	Forget Action = iota
	// Join: only the index changes. The local payload stays, under a version
	// that has seen both.
	Join
	// Adopt: the path takes the remote payload.
	Adopt
	// Revive: the local payload outlives a delete. This device says so in a
	// new event.
	Revive
	// Stay: something lives below the path, so it stays a directory, or
	// becomes one again, by a new event of this device.
	Stay
)

func (a Action) String() string {
	return [...]string{"forget", "join", "adopt", "revive", "stay"}[a]
}

// Decision is what a device does about one remote version of one path.
type Decision struct {
	Action Action
	// Version is that of the result for Join and Adopt; for Revive and Stay
	// it is what the new event stands on.
	Version version.Version
	// Keep is content that must lie beside the path as a conflict copy,
	// durably, before the decision is carried out: the local entry, or, where
	// the remote content cannot have the path, the remote one.
	Keep *entry.Entry
}

// Decide is the merge rule: what a device that holds l (nil: nothing) at a
// path does with a version r of it. living says that something lives below
// the path here and is not about to go.
//
// A join of two versions is made only by the device that keeps the loser, or
// where there is nothing to keep. What r superseded unseen is kept by whoever
// holds it, under a name that is the same on all of them.
func Decide(l, r *entry.Entry, living bool) Decision {
	switch {
	case l == nil:
		return settle(r, r.Version, nil, living)
	case l.Unknown:
		return meetUnknown(l, r, living)
	}
	switch l.Version.Compare(r.Version) {
	case version.Equal, version.After:
		return Decision{Action: Forget}
	case version.Before:
		if HoldsContent(l) && unseen(l, r) && !r.Removes(l) && !l.SameContent(r) {
			return settle(r, r.Version, l, living)
		}
		return settle(r, r.Version, nil, living)
	case version.Concurrent:
	}
	both := l.Version.Join(r.Version)
	if d, ok := editAgainstDelete(l, r, both); ok {
		return d
	}
	if l.SamePayload(r) {
		return Decision{Action: Join, Version: both}
	}
	if l.Version.Beats(r.Version) {
		if HoldsContent(r) && !l.Removes(r) && !l.SameContent(r) {
			return Decision{Action: Forget} // who holds r keeps it, and joins
		}
		return Decision{Action: Join, Version: both}
	}
	if HoldsContent(l) && !r.Removes(l) && !l.SameContent(r) {
		return settle(r, both, l, living)
	}
	return settle(r, both, nil, living)
}

// unseen tells whether r has superseded what l holds without having had it
// before its eyes. What counts is the event that l's payload is from: a version
// that has since seen others, and won over them or held the same, holds what it
// held before.
func unseen(l, r *entry.Entry) bool {
	n := l.Version.Vector.Count(l.Version.Author)
	return n > 0 && n <= r.Unseen.Count(l.Version.Author)
}

// Adopted is what becomes of a version r that l wins over, where nobody who holds
// r would keep it: whoever holds l lays it beside instead. The name of the copy
// is the same on all devices, so that it does no harm if two do so.
func Adopted(l, r *entry.Entry) Decision {
	if l == nil || l.Unknown || l.Version.Compare(r.Version) != version.Concurrent ||
		!HoldsContent(r) || l.Removes(r) || l.SameContent(r) {
		return Decision{Action: Forget}
	}
	return Decision{Action: Join, Version: l.Version.Join(r.Version), Keep: r}
}

// editAgainstDelete is the rule that an edit beats a concurrent delete, unless
// the delete removed these very bytes.
func editAgainstDelete(l, r *entry.Entry, both version.Version) (Decision, bool) {
	switch {
	case HoldsContent(l) && r.Kind == entry.Deleted && !r.Removes(l) && r.Version.Beats(l.Version):
		return Decision{Action: Revive, Version: both}, true
	case HoldsContent(r) && l.Kind == entry.Deleted && !l.Removes(r) && l.Version.Beats(r.Version):
		return Decision{Action: Forget}, true // who holds the edit revives it
	}
	return Decision{}, false
}

// meetUnknown is Decide for a local l that was found on disk with no history.
// What is known wins, and what is not is never lost.
func meetUnknown(l, r *entry.Entry, living bool) Decision {
	switch {
	case l.Kind == entry.Directory, l.SameContent(r), r.Removes(l):
		return settle(r, r.Version, nil, living)
	case r.Kind == entry.Deleted:
		return Decision{Action: Revive, Version: r.Version}
	}
	return settle(r, r.Version, l, living)
}

// settle gives the path to r under version v, but for what lives below it.
func settle(r *entry.Entry, v version.Version, keep *entry.Entry, living bool) Decision {
	if !living || r.Kind == entry.Directory {
		return Decision{Action: Adopt, Version: v, Keep: keep}
	}
	if HoldsContent(r) {
		keep = r
	}
	return Decision{Action: Stay, Version: v, Keep: keep}
}

// HoldsContent tells whether losing e would lose something a person made: the
// bytes of a file, the target of a symlink.
func HoldsContent(e *entry.Entry) bool { return e.Kind == entry.File || e.Kind == entry.Symlink }
