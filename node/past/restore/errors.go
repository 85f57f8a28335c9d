package restore

import (
	"errors"
	"syscall"
)

var (
	// ErrLost: a block could not be had from any source in a form that opens.
	ErrLost = errors.New("not held by any vault that could be asked")

	// ErrVerify: what was written is not what is read again.
	ErrVerify = errors.New("the disk gives back other bytes than were written")

	// ErrInUse: another restore is writing to the directory.
	ErrInUse = errors.New("another restore is writing there")

	// ErrNotThere: the path is not in the tree of that moment.
	ErrNotThere = errors.New("was not there then")

	// ErrMeta: nothing is to be replaced, and this is all that differs.
	ErrMeta = errors.New("its content is right, its mode or modification time is another and stays")

	// ErrName: no free name was found to restore beside.
	ErrName = errors.New("no free name beside it")
)

// hopeless tells whether an error says that no other file can be written
// either.
func hopeless(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}
