//go:build unix

package back

import (
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// setLinkTime gives a symlink its modification time.
func setLinkTime(root *os.Root, name string, t time.Time) error {
	dir, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	at := unix.NsecToTimespec(t.UnixNano())
	return unix.UtimesNanoAt(int(dir.Fd()), path.Base(name), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW) //nolint:gosec // a descriptor
}
