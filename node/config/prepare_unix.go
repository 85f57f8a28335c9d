//go:build unix

package config

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private refuses a directory, or a link in its place, that is not this user's
// or that others may write to.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%w: it is no directory", ErrNotPrivate)
	}
	if err := owned(info); err != nil {
		return err
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("%w: its mode is %04o, so others may write there (chmod go-w)", ErrNotPrivate, perm)
	}
	return nil
}

// tighten leaves a directory, which may be reached by a link, to its owner.
func tighten(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if err := owned(info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return os.Chmod(dir, 0o700)
}

func owned(info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to user %d, and this is user %d", ErrNotPrivate, stat.Uid, os.Geteuid())
	}
	return nil
}
