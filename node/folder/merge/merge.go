package folder

import (
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// action is what to do with a version that a peer holds and this device does not.
type action int

const (
	// forget: the version says nothing new here, or whoever holds it will
	// come back with a version that does.
	forget action = iota
	// merge: only the index changes. The local payload stays, under a version
	// that has seen both.
	merge
	// adopt: the path takes the remote payload.
	adopt
	// revive: the local payload outlives a delete. This device says so in a
	// new event.
	revive
	// stay: something lives below the path, so it stays a directory, or
	// becomes one again, by a new event of this device.
	stay
)

// decision is what a device does about one remote version of one path.
type decision struct {
	action action
	// version is that of the result for merge and adopt; for revive and stay
	// it is what the new event stands on.
	version version.Version
	// keep is content that must lie beside the path as a conflict copy,
	// durably, before the decision is carried out: the local entry, or, where
	// the remote content cannot have the path, the remote one.
	keep *entry.Entry
}

// decide is the merge rule: what a device that holds l (nil: nothing) at a
// path does with a version r of it. living says that something lives below
// the path here and is not about to go.
//
// A join of two versions is made only by the device that keeps the loser, or
// where there is nothing to keep; see model.md and merge_test.go.
func decide(l, r *entry.Entry, living bool) decision {
	switch {
	case l == nil:
		return settle(r, r.Version, nil, living)
	case l.Unknown:
		return meetUnknown(l, r, living)
	}
	switch l.Version.Compare(r.Version) {
	case version.Equal, version.After:
		return decision{action: forget}
	case version.Before:
		return settle(r, r.Version, nil, living)
	case version.Concurrent:
	}
	both := l.Version.Join(r.Version)
	if d, ok := editAgainstDelete(l, r, both); ok {
		return d
	}
	if l.SamePayload(r) {
		return decision{action: merge, version: both}
	}
	if l.Version.Beats(r.Version) {
		if holdsContent(r) && !l.Removes(r) && !l.SameContent(r) {
			return decision{action: forget} // who holds r keeps it, and joins
		}
		return decision{action: merge, version: both}
	}
	if holdsContent(l) && !r.Removes(l) && !l.SameContent(r) {
		return settle(r, both, l, living)
	}
	return settle(r, both, nil, living)
}

// editAgainstDelete is the rule that an edit beats a concurrent delete, unless
// the delete removed these very bytes.
func editAgainstDelete(l, r *entry.Entry, both version.Version) (decision, bool) {
	switch {
	case holdsContent(l) && r.Kind == entry.Deleted && !r.Removes(l) && r.Version.Beats(l.Version):
		return decision{action: revive, version: both}, true
	case holdsContent(r) && l.Kind == entry.Deleted && !l.Removes(r) && l.Version.Beats(r.Version):
		return decision{action: forget}, true // who holds the edit revives it
	}
	return decision{}, false
}

// meetUnknown is decide for a local l that was found on disk with no history.
// What is known wins, and what is not is never lost.
func meetUnknown(l, r *entry.Entry, living bool) decision {
	switch {
	case l.Kind == entry.Directory, l.SameContent(r), r.Removes(l):
		return settle(r, r.Version, nil, living)
	case r.Kind == entry.Deleted:
		return decision{action: revive, version: r.Version}
	}
	return settle(r, r.Version, l, living)
}

// settle gives the path to r under version v, but for what lives below it.
func settle(r *entry.Entry, v version.Version, keep *entry.Entry, living bool) decision {
	if !living || r.Kind == entry.Directory {
		return decision{action: adopt, version: v, keep: keep}
	}
	if holdsContent(r) {
		keep = r
	}
	return decision{action: stay, version: v, keep: keep}
}

// holdsContent tells whether losing e would lose something a person made.
func holdsContent(e *entry.Entry) bool { return e.Kind == entry.File || e.Kind == entry.Symlink }

// remember adds version r, told by a peer, to what is wanted of a path.
// Of the versions returned none is an ancestor of another; each knows who has
// told exactly it. What the same peer told before is history.
func remember(wanted []want, r *entry.Entry, teller entry.DeviceID, seq entry.Sequence) []want {
	mine := want{entry: r, tellers: tellers{teller: seq}}
	out := make([]want, 0, len(wanted)+1)
	superseded := false
	for _, w := range wanted {
		// A teller's later version of a path has seen its earlier ones.
		delete(w.tellers, teller)
		switch w.entry.Version.Compare(r.Version) {
		case version.Equal:
			for d, s := range w.tellers {
				mine.tellers[d] = s
			}
			continue
		case version.Before:
			continue
		case version.After:
			superseded = superseded || len(w.tellers) > 0
		case version.Concurrent:
		}
		if len(w.tellers) > 0 {
			out = append(out, w)
		}
	}
	if superseded {
		return out
	}
	return append(out, mine)
}

// want is one version of a path that peers hold and this device does not.
type want struct {
	entry   *entry.Entry
	tellers tellers
}

// tellers are the devices that announced a version, with the sequence in each
// one's index.
type tellers map[entry.DeviceID]entry.Sequence

// best is the version to apply: of those that can be had now the one that
// beats the others. A better one that nobody here has does not hold it up.
func best(wanted []want, obtainable func(want) bool) (want, bool) {
	var top want
	for _, w := range wanted {
		if obtainable(w) && (top.entry == nil || w.entry.Version.Beats(top.entry.Version)) {
			top = w
		}
	}
	return top, top.entry != nil
}

// withoutTeller takes back what a peer announced of a path: it has superseded
// it, or its index is gone. What nobody else announced can never be had.
func withoutTeller(wanted []want, teller entry.DeviceID) []want {
	var out []want
	for _, w := range wanted {
		delete(w.tellers, teller)
		if len(w.tellers) > 0 {
			out = append(out, w)
		}
	}
	return out
}
