//go:build unix

package restore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// nonBlocking lets a fifo that has taken a file's name not hold up its opening.
const nonBlocking = unix.O_NONBLOCK

// again repeats a call that was interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func fd(f *os.File) int { return int(f.Fd()) } //nolint:gosec // a descriptor

// lockAlone keeps other restores out for as long as the directory is open.
func lockAlone(f *os.File) error {
	err := again(func() error { return unix.Flock(fd(f), unix.LOCK_EX|unix.LOCK_NB) })
	if err == unix.EWOULDBLOCK {
		return ErrInUse
	}
	if err == unix.ENOTSUP || err == unix.ENOSYS || err == unix.ENOLCK {
		return nil
	}
	return err
}

// symlink makes a symlink whose target is not looked at.
func (h *handle) symlink(target, name string) error {
	return again(func() error { return unix.Symlinkat(target, fd(h.self), name) })
}

// setMeta sets the metadata of a name, and nothing that a symlink leads to.
func (h *handle) setMeta(name string, m tree.Meta, link bool) error {
	if !link {
		mode := m.Mode & 0o777
		err := again(func() error { return unix.Fchmodat(fd(h.self), name, mode, unix.AT_SYMLINK_NOFOLLOW) })
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			err = h.root.Chmod(name, fs.FileMode(mode))
		}
		if err != nil {
			return err
		}
	}
	times := []unix.Timespec{unix.NsecToTimespec(m.ModTime), unix.NsecToTimespec(m.ModTime)}
	return again(func() error { return unix.UtimesNanoAt(fd(h.self), name, times, unix.AT_SYMLINK_NOFOLLOW) })
}

// over moves a staged file to p, in h, over what lies there.
func (d *Directory) over(s *stagedFile, h *handle, p entry.Path) error {
	return again(func() error { return unix.Renameat(fd(s.in.self), s.name, fd(h.self), p.Name()) })
}

// carryOut moves what lies at p, in h, to a name beside the staged files,
// carryBack takes it back.
func (d *Directory) carryOut(s *stagedFile, h *handle, p entry.Path, name string) error {
	return again(func() error { return unix.Renameat(fd(h.self), p.Name(), fd(s.in.self), name) })
}

func (d *Directory) carryBack(s *stagedFile, h *handle, p entry.Path, name string) error {
	return again(func() error { return unix.Renameat(fd(s.in.self), name, fd(h.self), p.Name()) })
}

// hasOneName tells whether a file is to be found under one name only.
func hasOneName(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 1
}

// syncDirectory makes the names in a directory durable. Some file systems
// cannot and say so; there is nothing better to do on them.
func syncDirectory(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
