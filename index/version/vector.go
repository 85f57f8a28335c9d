package version

// Counter is how many changes of one replica a version has seen.
type Counter struct {
	Replica ReplicaID
	Count   uint64
}

// Vector holds the counters of a version, ascending by replica, each above
// zero and no replica twice. The nil Vector has seen nothing.
type Vector []Counter

// Order relates two vectors.
type Order int

// The four relations. Before means: the first is an ancestor of the second.
const (
	Equal Order = iota
	Before
	After
	Concurrent
)

func (o Order) String() string {
	return [...]string{"equal", "before", "after", "concurrent"}[o]
}

// Count is the counter of one replica, zero if it has none.
func (v Vector) Count(r ReplicaID) uint64 {
	for _, c := range v {
		if c.Replica == r {
			return c.Count
		}
	}
	return 0
}

// With is v with the counter of r set to count, or v's own if that is larger.
func (v Vector) With(r ReplicaID, count uint64) Vector {
	return v.Join(Vector{{r, count}})
}

// Join is the smallest vector that has seen what v and o have seen.
func (v Vector) Join(o Vector) Vector {
	out := make(Vector, 0, max(len(v), len(o)))
	v.pairs(o, func(r ReplicaID, a, b uint64) {
		out = append(out, Counter{r, max(a, b)})
	})
	return out
}

// Compare relates what v has seen to what o has seen.
func (v Vector) Compare(o Vector) Order {
	var less, more bool
	v.pairs(o, func(_ ReplicaID, a, b uint64) {
		less = less || a < b
		more = more || a > b
	})
	switch {
	case less && more:
		return Concurrent
	case less:
		return Before
	case more:
		return After
	}
	return Equal
}

// Within tells whether o has seen all that v has: v equals o or is its ancestor.
func (v Vector) Within(o Vector) bool {
	c := v.Compare(o)
	return c == Equal || c == Before
}

// pairs calls fn for each replica in either vector, ascending, with both counts.
func (v Vector) pairs(o Vector, fn func(r ReplicaID, a, b uint64)) {
	for len(v) > 0 || len(o) > 0 {
		switch {
		case len(o) == 0 || len(v) > 0 && v[0].Replica < o[0].Replica:
			fn(v[0].Replica, v[0].Count, 0)
			v = v[1:]
		case len(v) == 0 || o[0].Replica < v[0].Replica:
			fn(o[0].Replica, 0, o[0].Count)
			o = o[1:]
		default:
			fn(v[0].Replica, v[0].Count, o[0].Count)
			v, o = v[1:], o[1:]
		}
	}
}
