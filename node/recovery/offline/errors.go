package offline

import "errors"

var (
	// ErrNoVault: the directory is not that of a vault's keeper.
	ErrNoVault = errors.New("no vault lies there")
	// ErrUnlisted is wrapped when nothing in the directory says which folder it
	// is of.
	ErrUnlisted = errors.New("the list of its folder's members is missing")
	// ErrOtherWords: nothing was sealed to the words that a folder can have.
	ErrOtherWords = errors.New("these words do not open it")
	// ErrNoHome: no device has stored its memberships there.
	ErrNoHome = errors.New("there is no device in this home")
	// ErrNoKeys: the device has no keys of the folder.
	ErrNoKeys = errors.New("the device has no keys of it")
)

// StoreError is one of a store that could not be read; it says what that says.
type StoreError struct{ Err error }

func (e *StoreError) Error() string { return e.Err.Error() }

// Unwrap is the store's.
func (e *StoreError) Unwrap() error { return e.Err }
