package seal

import (
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// What is unseen lies within the vector of its entry. So it is written as a
// count for each replica of that vector, in its order, up to the last that is
// not zero: nothing else can be said that way.

// unseenCounts is e.Unseen as it is written, nil if there is none.
func unseenCounts(e *entry.Entry) []uint64 {
	if len(e.Unseen) == 0 {
		return nil
	}
	counts := make([]uint64, 0, len(e.Version.Vector))
	rest := e.Unseen
	for _, c := range e.Version.Vector {
		if len(rest) == 0 {
			break
		}
		n := uint64(0)
		if rest[0].Replica == c.Replica {
			n, rest = rest[0].Count, rest[1:]
		}
		counts = append(counts, n)
	}
	return counts
}

// unseenVector is the reverse. Ok is false for what unseenCounts does not
// write; counts that are too large are left to entry.Check.
func unseenVector(counts []uint64, v version.Vector) (unseen version.Vector, ok bool) {
	switch {
	case len(counts) == 0:
		return nil, true
	case len(counts) > len(v) || counts[len(counts)-1] == 0:
		return nil, false
	}
	for i, n := range counts {
		if n > 0 {
			unseen = append(unseen, version.Counter{Replica: v[i].Replica, Count: n})
		}
	}
	return unseen, true
}
