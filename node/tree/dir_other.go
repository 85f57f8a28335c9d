//go:build !linux || portable

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// dir is a directory beneath an [os.Root], by its path: the root keeps every
// access inside the folder, whatever happens to the path. A symlink within the
// folder is refused when a directory is opened; one that appears later could
// lead an operation to another place in the same folder, never out of it.
type dir struct {
	top  *os.Root
	path string // slash-separated; empty for the root itself
}

// identity is who a directory is, and who may write to it.
type identity struct {
	device, inode uint64
	mode          uint32
	ours          bool
	info          fs.FileInfo
}

func (i identity) is(o identity) bool { return os.SameFile(i.info, o.info) }

func openTop(path string) (dir, error) {
	top, err := os.OpenRoot(path)
	return dir{top: top}, err
}

func (d dir) close() {
	if d.path == "" {
		_ = d.top.Close()
	}
}

// at is the platform's path of a name in d.
func (d dir) at(name string) (string, error) {
	p := entry.Path(d.path)
	if p == "." {
		p = ""
	}
	p = p.Join(name)
	if runtime.GOOS == "windows" {
		return filepath.Localize(string(p))
	}
	return string(p), nil
}

func (d dir) descend(rel entry.Path) (dir, error) {
	if rel == "" {
		return dir{top: d.top, path: "."}, nil
	}
	at := d
	for name := range strings.SplitSeq(string(rel), "/") {
		info, err := at.info(name)
		if err != nil {
			return dir{}, err
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			return dir{}, ErrThroughLink
		case !info.IsDir():
			return dir{}, ErrNotDirectory
		}
		if at.path == "" || at.path == "." {
			at.path = name
		} else {
			at.path += "/" + name
		}
	}
	return at, nil
}

func (d dir) descendToRead(rel entry.Path) (dir, error) { return d.descend(rel) }

func (d dir) info(name string) (fs.FileInfo, error) {
	p, err := d.at(name)
	if err != nil {
		return nil, err
	}
	return d.top.Lstat(p)
}

func (d dir) identify() (identity, error) {
	p := d.path
	if p == "" {
		p = "."
	}
	info, err := d.top.Stat(filepath.FromSlash(p))
	if err != nil {
		return identity{}, err
	}
	device, disk, ours := diskOf(info)
	return identity{device: device, inode: disk.Inode, mode: uint32(info.Mode().Perm()), ours: ours, info: info}, nil
}

func (d dir) setMode(mode uint32) error {
	return d.chmod(filepath.FromSlash(d.path), mode)
}

// chmod leaves a directory its set-group-ID and sticky bits.
func (d dir) chmod(p string, mode uint32) error {
	info, err := d.top.Stat(p)
	if err != nil {
		return err
	}
	keep := fs.FileMode(0)
	if info.IsDir() {
		keep = info.Mode() & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	}
	return d.top.Chmod(p, keep|fs.FileMode(mode&0o777))
}

func (d dir) open(name string, flags int, mode uint32) (*os.File, error) {
	p, err := d.at(name)
	if err != nil {
		return nil, err
	}
	if flags&os.O_EXCL == 0 {
		info, err := d.top.Lstat(p)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, ErrNotRegular
		}
	}
	return d.top.OpenFile(p, flags, fs.FileMode(mode))
}

func (d dir) rename(name string, to dir, toName string) error {
	from, err := d.at(name)
	if err != nil {
		return err
	}
	dest, err := to.at(toName)
	if err != nil {
		return err
	}
	return d.top.Rename(from, dest)
}

func (d dir) exchange(string, dir, string) error { return errors.ErrUnsupported }

// renameNew renames to a name that is free: by a hard link for files, else it
// looks first, and what appears there within microseconds would be replaced.
func (d dir) renameNew(name string, to dir, toName string) error {
	info, err := d.info(name)
	if err != nil {
		return err
	}
	if _, err := to.info(toName); err == nil {
		return ErrExists
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if info.Mode().IsRegular() {
		from, _ := d.at(name)
		dest, _ := to.at(toName)
		err := d.top.Link(from, dest)
		if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		if err == nil {
			return d.unlink(name)
		}
	}
	return d.rename(name, to, toName)
}

func crossesDevices(err error) bool { return errors.Is(err, syscall.EXDEV) }

func (d dir) mkdir(name string, mode uint32) error {
	p, err := d.at(name)
	if err != nil {
		return err
	}
	if err = d.top.Mkdir(p, fs.FileMode(mode)); errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	return err
}

func (d dir) symlink(target, name string) error {
	p, err := d.at(name)
	if err != nil {
		return err
	}
	if err = d.top.Symlink(target, p); errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	return err
}

func (d dir) unlink(name string) error {
	p, err := d.at(name)
	if err != nil {
		return err
	}
	return d.top.Remove(p)
}

func (d dir) rmdir(name string) error {
	in, err := d.descend(entry.Path(name))
	if err != nil {
		return err
	}
	if children, err := in.names(); err == nil && len(children) > 0 {
		return ErrNotEmpty
	}
	return d.unlink(name)
}

// lockAlone does nothing: there is no portable lock on a directory.
func (d dir) lockAlone() error { return nil }

func (d dir) lstat(name string) (Stat, error) {
	info, err := d.info(name)
	if err != nil {
		return Stat{}, err
	}
	s := statOf(info)
	if s.Kind == entry.Symlink {
		p, _ := d.at(name)
		s.Target, err = d.top.Readlink(p)
	}
	return s, err
}

func statOf(info fs.FileInfo) Stat {
	_, disk, _ := diskOf(info)
	s := Stat{Mode: uint32(info.Mode().Perm()), Disk: disk}
	switch {
	case info.Mode().IsRegular():
		s.Kind, s.Size, s.ModTime = entry.File, info.Size(), info.ModTime().UnixNano()
	case info.IsDir():
		s.Kind = entry.Directory
	case info.Mode()&fs.ModeSymlink != 0:
		s.Kind, s.Mode, s.ModTime = entry.Symlink, linkMode, info.ModTime().UnixNano()
	}
	return s
}

func statFile(f *os.File) (s Stat, links uint64, err error) {
	info, err := f.Stat()
	if err != nil {
		return Stat{}, 0, err
	}
	return statOf(info), 1, nil
}

func (d dir) names() ([]string, error) {
	p := d.path
	if p == "" {
		p = "."
	}
	f, err := d.top.Open(filepath.FromSlash(p))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.Readdirnames(-1)
}

func (d dir) list(p entry.Path) ([]Child, error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	children := make([]Child, 0, len(names))
	for _, name := range names {
		if hidden(p, name) {
			continue
		}
		s, err := d.lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at %q: %w", name, err)
		}
		children = append(children, Child{Name: name, Stat: s})
	}
	return children, nil
}

// handle is a name's file, by its name.
type handle struct {
	in   dir
	name string
}

func (d dir) hold(name string) (handle, Stat, error) {
	h := handle{d, name}
	s, err := h.stat()
	return h, s, err
}

func (h handle) release() {}

func (h handle) stat() (Stat, error) { return h.in.lstat(h.name) }

// set changes what differs from s; a symlink's time stays as it is.
func (h handle) set(s Stat, m Meta) error {
	p, err := h.in.at(h.name)
	if err != nil || s.Kind == entry.Symlink {
		return err
	}
	if s.Mode != m.Mode {
		if err := h.in.chmod(p, m.Mode); err != nil {
			return err
		}
	}
	if s.Kind == entry.File && s.ModTime != m.ModTime {
		return h.in.top.Chtimes(p, time.Time{}, time.Unix(0, m.ModTime))
	}
	return nil
}
