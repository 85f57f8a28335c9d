package identity

import "errors"

var (
	// ErrDamaged is wrapped when there is a file and it holds no usable key.
	// There is no way to mend it but a copy of it; moving it away gives the
	// device a new identity, which must pair anew.
	ErrDamaged = errors.New("damaged device key (put back a copy of it; without one, move it away to start as a new device)")
	// ErrExposed is wrapped when the file is not private to its owner.
	ErrExposed = errors.New("device key is not private")
)
