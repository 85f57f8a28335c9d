package vault

import (
	"cmp"
	"slices"

	"github.com/kithmesh/kith/index/version"
)

// This file decides, without any disk, which versions of a record were newest
// when.

// held is one version of a record in the index.
type held struct {
	key recordKey
	row recordRow
	// until is when it was superseded: when the first version was received that
	// has seen it. It is received itself or before where that was known
	// already, and maxMoment while it is newest.
	until moment
}

// setUntil works out when each version of one record was superseded, and leaves
// them in the order of receipt. What a version has seen is told by its vector
// alone: a late arrival of an old version changes nothing, and of versions that
// have not seen each other all are newest. Two with equal vectors do not
// supersede each other: which of them is true only a holder of the key can
// tell.
func setUntil(vs []held) {
	slices.SortFunc(vs, func(a, b held) int { return cmp.Compare(a.row.sequence, b.row.sequence) })
	var newest []int
	for i := range vs {
		v := &vs[i]
		v.until = maxMoment
		kept := newest[:0]
		for _, j := range newest {
			switch v.row.version.Compare(vs[j].row.version) {
			case version.After:
				vs[j].until = v.row.received
				continue
			case version.Before:
				v.until = min(v.until, v.row.received)
			case version.Equal, version.Concurrent:
			}
			kept = append(kept, j)
		}
		newest = kept
		if v.until == maxMoment {
			newest = append(newest, i)
		}
	}
}

// newestAt are the versions that were newest at a moment: all that had been
// received and none of which was an ancestor of another. The first is the one
// that wins over the others.
func newestAt(vs []held, t moment) []held {
	var out []held
	for i := range vs {
		if vs[i].row.received <= t && t < vs[i].until {
			out = append(out, vs[i])
		}
	}
	slices.SortStableFunc(out, func(a, b held) int {
		switch {
		case a.row.version.Beats(b.row.version):
			return -1
		case b.row.version.Beats(a.row.version):
			return 1
		}
		return 0
	})
	return out
}
