//go:build unix

package control

import (
	"errors"
	"os"
	"syscall"
)

// takeLock locks the file at path for this process. The lock ends with the
// file being closed, and so with the process at the latest.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrAlreadyRunning
	}
	return nil, err
}

// refused is what connecting to a socket that nobody serves ends with.
const refused = syscall.ECONNREFUSED

// privateFile makes a socket 0600 that has no name yet; Linux takes the mode
// over when it gets one.
func privateFile(fd uintptr) { _ = syscall.Fchmod(int(fd), 0o600) }
