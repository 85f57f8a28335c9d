package membership

import "errors"

var (
	// ErrDamaged is wrapped when a file is not what was written.
	ErrDamaged = errors.New("damaged")
	// ErrInvalid is wrapped when a peer, a folder or an offer cannot be stored
	// as it is: a field is missing, too long, or does not fit another.
	ErrInvalid = errors.New("not valid")
	// ErrFull is wrapped when there are too many peers, or offers of one peer.
	ErrFull = errors.New("too many")
	// ErrUnknown is wrapped when there is no such peer.
	ErrUnknown = errors.New("unknown")
)
