package discovery

import (
	"errors"
	"slices"
	"syscall"
)

// isErrno tells whether an error of the system is one of these.
func isErrno(err error, these []syscall.Errno) bool {
	var e syscall.Errno
	return errors.As(err, &e) && slices.Contains(these, e)
}
