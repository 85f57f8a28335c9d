package version

import (
	"errors"
	"fmt"
)

// Bounds on what a peer may claim. They leave room for more changes than a
// person's devices can make, and none for an overflow that would freeze a file.
const (
	// MaxReplicas bounds the length of a vector.
	MaxReplicas = 1024
	// MaxCount bounds one counter: a thousand changes a second for 8,900 years.
	MaxCount = 1 << 48
	// MaxClock bounds a clock: the year 73,117.
	MaxClock Clock = 1 << 61
)

// ErrBounds is wrapped by every refusal of [Version.Check].
var ErrBounds = errors.New("version out of bounds")

// Check refuses a version that no device can have made: an unsorted or too
// long vector, a zero or too large counter, a clock beyond [MaxClock], or an
// author that the vector does not hold. It wraps [ErrBounds].
func (v Version) Check() error {
	switch {
	case len(v.Vector) == 0:
		return fmt.Errorf("%w: empty vector", ErrBounds)
	case len(v.Vector) > MaxReplicas:
		return fmt.Errorf("%w: %d replicas", ErrBounds, len(v.Vector))
	case v.Clock == 0 || v.Clock > MaxClock:
		return fmt.Errorf("%w: clock %d", ErrBounds, v.Clock)
	case v.Vector.Count(v.Author) == 0:
		return fmt.Errorf("%w: author %s not in its vector", ErrBounds, v.Author)
	}
	return v.Vector.check()
}

func (v Vector) check() error {
	last := ReplicaID(0)
	for _, c := range v {
		if c.Replica <= last {
			return fmt.Errorf("%w: replica %s out of order", ErrBounds, c.Replica)
		}
		if c.Count == 0 || c.Count > MaxCount {
			return fmt.Errorf("%w: counter %d of %s", ErrBounds, c.Count, c.Replica)
		}
		last = c.Replica
	}
	return nil
}
