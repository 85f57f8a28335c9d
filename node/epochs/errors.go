package epochs

import "errors"

var (
	// ErrName: the epoch is not named after the key, or has one already.
	ErrName = errors.New("the name of the epoch is not that of its key")
	// ErrRemoval: the key began after removals of which the folder knows
	// nothing.
	ErrRemoval = errors.New("the folder has not seen so many removals")
	// ErrMany: the folder has [MaxKeys], or none to follow, or has seen more
	// removals than an epoch can count.
	ErrMany = errors.New("too many keys for one folder")
)
