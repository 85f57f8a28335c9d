//go:build !linux

package back

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// syncAll makes everything durable that lies beneath a directory.
func syncAll(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		f, err := root.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// full tells that there is no use in going on: the disk takes nothing more.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) }
