package control

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// takeLock locks the file at path for this process. The lock ends with the
// file being closed, and so with the process at the latest.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, new(windows.Overlapped))
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return nil, ErrAlreadyRunning
	}
	return nil, err
}

// refused is what connecting to a socket that nobody serves ends with.
const refused = windows.WSAECONNREFUSED

// privateFile does nothing: the directory's rights guard the socket.
func privateFile(uintptr) {}
