package back

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// syncAll makes everything durable that was written beneath a directory.
func syncAll(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close()) //nolint:gosec // a descriptor
}

// full tells that there is no use in going on: the disk takes nothing more.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
