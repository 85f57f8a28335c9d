package node_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// image is a copy of what a device has on its disk: its home, and its folder.
type image struct {
	device     *device
	home, root string
}

// image copies the disk of a device that is down.
func (d *device) image() image {
	d.t.Helper()
	i := image{d, filepath.Join(d.t.TempDir(), "home"), filepath.Join(d.t.TempDir(), "root")}
	if err := errors.Join(copied(d.places.Home, i.home), copied(d.root, i.root)); err != nil {
		d.t.Fatal(err)
	}
	return i
}

// copied copies files and directories with their modes and times.
func copied(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		at := filepath.Join(to, name)
		if e.IsDir() {
			return os.MkdirAll(at, info.Mode().Perm())
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(at, b, info.Mode().Perm()), os.Chtimes(at, info.ModTime(), info.ModTime()))
	})
}

// restoreHome puts the copy of the home back, in place of what is there.
func (i image) restoreHome() {
	i.device.t.Helper()
	if err := errors.Join(os.RemoveAll(i.device.places.Home), copied(i.home, i.device.places.Home)); err != nil {
		i.device.t.Fatal(err)
	}
}

// restoreTree puts the copies of the files back, in the directory that is there.
func (i image) restoreTree() {
	i.device.t.Helper()
	names, err := os.ReadDir(i.device.root)
	if err != nil {
		i.device.t.Fatal(err)
	}
	for _, n := range names {
		err = errors.Join(err, os.RemoveAll(i.device.at(n.Name())))
	}
	if err := errors.Join(err, copied(i.root, i.device.root)); err != nil {
		i.device.t.Fatal(err)
	}
}
