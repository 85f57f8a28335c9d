package index

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// Compact writes the index at path anew without what was deleted from it: a
// database keeps that in its free pages until they are used again. Nobody may
// have it open. A crash leaves the old file or the new one, whole.
func Compact(path string) (err error) {
	aside := path + ".compacting"
	defer func() {
		if err != nil {
			err = fmt.Errorf("compact index %q: %w", path, errors.Join(err, remove(aside)))
		}
	}()
	if err := remove(aside); err != nil {
		return err
	}
	from, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return err
	}
	to, err := bbolt.Open(aside, 0o600, &bbolt.Options{Timeout: time.Second})
	if err == nil {
		err = errors.Join(bbolt.Compact(to, from, 1<<20), to.Close())
	}
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
