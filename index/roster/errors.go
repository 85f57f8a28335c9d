package roster

import "errors"

var (
	// ErrStatement is wrapped when a statement cannot have been made by any
	// kith: a field out of bounds, or one that its kind does not have.
	ErrStatement = errors.New("not a valid roster statement")
	// ErrFolder is wrapped when a statement is about another folder than the
	// roster, or founds another one.
	ErrFolder = errors.New("statement about another folder")
	// ErrSignature is wrapped when a signature is not that of the author.
	ErrSignature = errors.New("wrong signature")
	// ErrFull is wrapped when a bound on the size of a roster is reached.
	ErrFull = errors.New("roster is full")
	// ErrRight is wrapped when a device is to state what it has no right to,
	// because it is no member, lacks the right, or speaks of itself.
	ErrRight = errors.New("no right to do this")
)
