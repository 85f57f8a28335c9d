package recovery

import (
	"errors"
	"fmt"
)

var (
	// ErrPublic is wrapped when bytes are not what stands for a recovery
	// phrase in public.
	ErrPublic = errors.New("not the public side of a recovery phrase")
	// ErrPayload is wrapped when a payload is not one that was made for a
	// phrase: cut, altered, or of another phrase or folder.
	ErrPayload = errors.New("not keys that were sealed to this recovery phrase")
	// ErrNewer: the payload has a form that this program does not know. It is
	// an [ErrPayload].
	ErrNewer = fmt.Errorf("%w: made by a newer version of kith", ErrPayload)
	// ErrKeys is wrapped when there are no keys to be sealed, or one of them
	// or its epoch is zero.
	ErrKeys = errors.New("not keys of a folder")
)
