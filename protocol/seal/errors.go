package seal

import (
	"errors"
	"fmt"
)

// ErrSealed is wrapped by every refusal to open a block, a record or a
// batch.
var ErrSealed = errors.New("not to be opened")

var (
	// ErrTampered: what is sealed, or what it is bound to, was altered; or it
	// was sealed with other keys. The two cannot be told apart. It is an
	// [ErrSealed].
	ErrTampered = fmt.Errorf("%w: altered, or of another key, folder or epoch", ErrSealed)

	// ErrWrongEpoch: sealed, or to be sealed, under the keys of another epoch
	// than those at hand. When opening, it is an [ErrSealed].
	ErrWrongEpoch = errors.New("of another epoch")

	// ErrNewer: it is genuine, and has parts that this program does not know.
	// Nobody is to blame but its age. It is an [ErrSealed].
	ErrNewer = fmt.Errorf("%w: made by a newer version of kith", ErrSealed)

	// ErrNotBlock: the bytes are not those that the block ID stands for. When
	// sealing, what was read is not, or no longer, the block. When opening, a
	// holder of the key has lied, and it is an [ErrSealed] too.
	ErrNotBlock = errors.New("the bytes are not those of the block")

	// ErrRecord: not a record that a device could have made: a field is
	// missing, out of its bounds, or at odds with another.
	ErrRecord = errors.New("not a valid record")

	// ErrBatch: not a batch that a device could have made. When opening, it is
	// an [ErrSealed].
	ErrBatch = errors.New("not a valid batch")

	// ErrTooMany: more than one batch holds.
	ErrTooMany = errors.New("more than a batch holds")

	// ErrUnknown: an entry of unknown history has no version and stays local.
	ErrUnknown = errors.New("its history is unknown")

	// ErrKey: no keys can be derived from this folder key or epoch.
	ErrKey = errors.New("not a folder key")
)
