//go:build !portable

package tree

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
)

func (d dir) stat(name string, st *unix.Stat_t) error {
	for {
		err := unix.Fstatat(d.fd, name, st, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.EINTR {
			return err
		}
	}
}

// lstat looks at one name. A symlink that turns into something else between
// the look and the reading of its target is looked at again.
func (d dir) lstat(name string) (Stat, error) {
	var st unix.Stat_t
	for {
		if err := d.stat(name, &st); err != nil {
			return Stat{}, err
		}
		s := statOf(&st)
		if s.Kind != entry.Symlink {
			return s, nil
		}
		target, err := d.readlink(name)
		if err == unix.EINVAL {
			continue
		}
		s.Target = target
		return s, err
	}
}

// statOf is all of a Stat but a symlink's target.
func statOf(st *unix.Stat_t) Stat {
	s := Stat{
		Mode: st.Mode & 0o777,
		Disk: entry.Disk{Inode: st.Ino, ChangeTime: st.Ctim.Nano()},
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		s.Kind, s.Size, s.ModTime = entry.File, st.Size, st.Mtim.Nano()
	case unix.S_IFDIR:
		s.Kind = entry.Directory
	case unix.S_IFLNK:
		s.Kind, s.Mode, s.ModTime = entry.Symlink, linkMode, st.Mtim.Nano()
	}
	return s
}

func (d dir) readlink(name string) (string, error) {
	var buf [unix.PathMax]byte
	for {
		n, err := unix.Readlinkat(d.fd, name, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", err
		}
		return string(buf[:n]), nil
	}
}

// statFile looks at an open file; links is the number of its names.
func statFile(f *os.File) (s Stat, links uint64, err error) {
	err = withFD(f, func(fd int) error {
		var st unix.Stat_t
		if err := again(func() error { return unix.Fstat(fd, &st) }); err != nil {
			return err
		}
		s, links = statOf(&st), uint64(st.Nlink) //nolint:unconvert // narrower on some platforms
		return nil
	})
	return s, links, err
}

// withFD lends the descriptor of f to call, and keeps it from being closed
// meanwhile.
func withFD(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = call(int(fd)) }); err != nil {
		return err
	}
	return inner
}
