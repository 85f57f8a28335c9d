//go:build unix

package identity

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private refuses a file that anyone but this user could have read or written.
func private(path string, info fs.FileInfo) error {
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("%w: its mode is %04o (if nobody else has read it: chmod 600 '%s')", ErrExposed, perm, path)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to user %d, and this is user %d", ErrExposed, stat.Uid, os.Geteuid())
	}
	return nil
}
