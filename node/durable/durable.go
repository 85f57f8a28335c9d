// Package durable writes small files so that a crash at any instant leaves
// either the old content or the new one, whole.
//
// The bytes go to a temporary file beside the target, which is made durable
// before it takes the target's name; then the name is made durable too. When a
// call has returned without an error, the file survives a loss of power.
//
// It is meant for files of some kilobytes that change rarely: settings, keys,
// lists. Calls for different files may run at the same time; calls for one
// file are the caller's to order. A crash can leave a temporary file behind;
// [Sweep] removes those.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// prefix marks the temporary files, so that Sweep finds them.
const prefix = ".kith-tmp-"

// Write puts data at path with the given permissions, whatever was there.
func Write(path string, data []byte, perm fs.FileMode) error {
	return put(path, data, perm, os.Rename)
}

// Create puts data at path, where nothing may be yet: not even a symlink that
// leads nowhere. Otherwise it wraps [fs.ErrExist] and changes nothing.
func Create(path string, data []byte, perm fs.FileMode) error {
	return put(path, data, perm, place)
}

// Remove removes path and makes that durable. A path that is not there is
// removed already.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Sweep removes what a crash during [Write] or [Create] left in dir. Nobody
// may be writing there.
func Sweep(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		if strings.HasPrefix(e.Name(), prefix) && e.Type().IsRegular() {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func put(path string, data []byte, perm fs.FileMode, name func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	if err := fill(temp, data, perm); err != nil {
		return fmt.Errorf("write %q: %w", temp.Name(), err)
	}
	if err := name(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// fill writes, syncs and closes f. CreateTemp made it for the owner alone, and
// it gets its wider permissions, if any, only once it is complete.
func fill(f *os.File, data []byte, perm fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = chmod(f, perm)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// place gives a file a name that is free. A hard link refuses a taken name
// atomically; where links are not to be had (Android, FAT), looking first is
// the best there is.
func place(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return &fs.PathError{Op: "create", Path: to, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(from, to)
}
