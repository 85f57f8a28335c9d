package merge

import (
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Want is one version of a path that peers hold and this device does not.
type Want struct {
	Entry   *entry.Entry
	Tellers Tellers
	// Released: a person approved that just this version is applied.
	Released bool
}

// Tellers are the devices that announced a version, with the sequence in each
// one's index.
type Tellers map[entry.DeviceID]entry.Sequence

// Remember adds version r, told by a peer, to what is wanted of a path.
// Of the versions returned none is an ancestor of another; each knows who has
// told exactly it. What the same peer told before is history.
func Remember(wanted []Want, r *entry.Entry, teller entry.DeviceID, seq entry.Sequence) []Want {
	// A teller's later version of a path has seen its earlier ones.
	for _, w := range wanted {
		delete(w.Tellers, teller)
	}
	return RememberToo(wanted, r, teller, seq)
}

// RememberToo is [Remember] for a teller that may hold several versions of a
// path, none of which has seen another: what it told before stands.
func RememberToo(wanted []Want, r *entry.Entry, teller entry.DeviceID, seq entry.Sequence) []Want {
	mine := Want{Entry: r, Tellers: Tellers{teller: seq}}
	out := make([]Want, 0, len(wanted)+1)
	superseded := false
	for _, w := range wanted {
		switch w.Entry.Version.Compare(r.Version) {
		case version.Equal:
			for d, s := range w.Tellers {
				if d != teller {
					mine.Tellers[d] = s
				}
			}
			mine.Released = w.Released
			continue
		case version.Before:
			continue
		case version.After:
			superseded = superseded || len(w.Tellers) > 0
		case version.Concurrent:
		}
		if len(w.Tellers) > 0 {
			out = append(out, w)
		}
	}
	if superseded {
		return out
	}
	return append(out, mine)
}

// Best is the version to apply: of those that can be had now the one that
// beats the others. A better one that nobody here has does not hold it up.
func Best(wanted []Want, obtainable func(Want) bool) (Want, bool) {
	var top Want
	for _, w := range wanted {
		if obtainable(w) && (top.Entry == nil || w.Entry.Version.Beats(top.Entry.Version)) {
			top = w
		}
	}
	return top, top.Entry != nil
}

// Withdraw takes back what a peer announced of a path: it has superseded
// it, or its index is gone. What nobody else announced can never be had.
func Withdraw(wanted []Want, teller entry.DeviceID) []Want {
	var out []Want
	for _, w := range wanted {
		delete(w.Tellers, teller)
		if len(w.Tellers) > 0 {
			out = append(out, w)
		}
	}
	return out
}
