// Package version tells which of two versions of a path came later, or that
// neither did.
//
// A version is a vector of counters, one per replica that ever changed the
// path, a hybrid logical clock, and the replica that made it. The vector says
// what a version has seen; the clock only picks a winner between two versions
// that have not seen each other. A child's clock is always larger than its
// parent's, so the winner over any set of versions does not depend on the
// order in which they are met, however wrong the wall clocks are.
//
// Sources: Parker et al., "Detection of Mutual Inconsistency in Distributed
// Systems" (1983) for the vectors; Kulkarni et al., "Logical Physical Clocks"
// (2014) for the clock.
//
// All values are immutable: operations return new ones. The package is pure
// and safe for concurrent use.
package version

import (
	"cmp"
	"fmt"
	"time"
)

// ReplicaID names one incarnation of one device's index for one folder: a
// random number, never zero. A rebuilt or cloned index takes a new one, so a
// counter is never used twice.
type ReplicaID uint64

func (r ReplicaID) String() string { return fmt.Sprintf("%016x", uint64(r)) }

// Clock is a hybrid logical clock: microseconds since 1970, pushed ahead of
// the wall clock where causality asks for it.
type Clock uint64

// ClockAt is the clock of a wall time; times before 1970 count as 1970.
func ClockAt(t time.Time) Clock { return Clock(max(0, t.UnixMicro())) }

// Time is the wall time that a clock stands for.
func (c Clock) Time() time.Time { return time.UnixMicro(int64(min(c, MaxClock))) }

// Version identifies one state of one path.
type Version struct {
	Vector Vector
	Clock  Clock
	Author ReplicaID
}

// Next is the version of event number count of replica me, at wall time now,
// on top of v. A replica numbers all its events, whatever the path, so that
// its highest number alone tells whether an index is older than what its peers
// remember of it; count must exceed v's counter for me. The zero Version is
// the parent of a first version. A clock at [MaxClock], which only a liar can
// have made, stays there: the file can still be changed.
func (v Version) Next(me ReplicaID, count uint64, now Clock) Version {
	return Version{Vector: v.Vector.With(me, count), Clock: min(max(v.Clock+1, now), MaxClock), Author: me}
}

// Compare relates what v has seen to what o has seen.
func (v Version) Compare(o Version) Order { return v.Vector.Compare(o.Vector) }

// Beats tells whether v wins over a concurrent o. It is a total order over
// versions with different clocks or authors.
func (v Version) Beats(o Version) bool {
	return cmp.Or(cmp.Compare(v.Clock, o.Clock), cmp.Compare(v.Author, o.Author)) > 0
}

// Join is v's payload's version after all that o has seen is kept too: the
// joined vector under the clock and author of whichever beats the other.
//
// A join is a promise that the loser has been kept; see package folder.
func (v Version) Join(o Version) Version {
	w := v
	if o.Beats(v) {
		w = o
	}
	w.Vector = v.Vector.Join(o.Vector)
	return w
}

// IsZero tells the version of nothing: no replica has made it.
func (v Version) IsZero() bool { return len(v.Vector) == 0 && v.Clock == 0 && v.Author == 0 }
