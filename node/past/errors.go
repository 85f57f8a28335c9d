package past

import "errors"

var (
	// ErrNoKey: a record, or a block, of an epoch whose keys are not at hand.
	ErrNoKey = errors.New("the key of its epoch is not here")

	// ErrNoSource: none of the sources could be asked.
	ErrNoSource = errors.New("no vault could be asked")

	// ErrNoBatch: no batch of changes has this ID, or not any more.
	ErrNoBatch = errors.New("no such batch of changes")

	// ErrSpool: the temporary file of a tree does not hold what was put there.
	ErrSpool = errors.New("the temporary file of block lists is damaged")
)
