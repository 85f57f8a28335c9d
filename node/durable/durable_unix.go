//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func chmod(f *os.File, perm fs.FileMode) error { return f.Chmod(perm) }

// syncDir makes the names in dir durable. Some file systems cannot sync a
// directory and say so; there is nothing better to do on them.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
