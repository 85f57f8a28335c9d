//go:build !portable

package tree

import (
	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
)

// handle is a name's file held by a descriptor that can neither read nor
// write: whatever the file's mode is, and whatever becomes of its name.
type handle struct {
	fd   int
	mode uint32 // with set-ID and sticky bits
	in   dir
	name string
}

// hold takes hold of a name, and says what it is.
func (d dir) hold(name string) (handle, Stat, error) {
	fd, err := openAt(d.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return handle{}, Stat{}, err
	}
	h := handle{fd: fd, in: d, name: name}
	s, err := h.stat()
	if err != nil {
		h.release()
		return handle{}, Stat{}, err
	}
	return h, s, nil
}

func (h handle) release() { _ = unix.Close(h.fd) }

func (h *handle) stat() (Stat, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(h.fd, &st) }); err != nil {
		return Stat{}, err
	}
	h.mode = st.Mode & 0o7777
	s := statOf(&st)
	if s.Kind != entry.Symlink {
		return s, nil
	}
	var err error
	s.Target, err = dir{h.fd}.readlink("") // readlinkat(2): the link that fd itself is
	return s, err
}

// set changes what differs from s. A directory keeps its set-group-ID and
// sticky bits, which chmod(2) would take away.
func (h handle) set(s Stat, m Meta) error {
	if s.Kind != entry.Symlink && s.Mode != m.Mode {
		mode := m.Mode & 0o777
		if s.Kind == entry.Directory {
			mode |= h.mode &^ 0o777
		}
		if err := chmodFD(h.fd, mode); err != nil {
			return err
		}
	}
	if s.Kind != entry.Directory && s.ModTime != m.ModTime {
		err := touchFD(h.fd, m.ModTime)
		if err == unix.EINVAL && s.Kind == entry.Symlink {
			err = again(func() error {
				return unix.UtimesNanoAt(h.in.fd, h.name, modTimes(m.ModTime), unix.AT_SYMLINK_NOFOLLOW)
			})
		}
		return err
	}
	return nil
}

// setFile gives the open file its mode and modification time.
func (r *ready) setFile(m Meta) error {
	return withFD(r.file, func(fd int) error {
		if err := again(func() error { return unix.Fchmod(fd, m.Mode&0o777) }); err != nil {
			return err
		}
		return touchFD(fd, m.ModTime)
	})
}

// chmodFD is fchmod for any descriptor: by fchmodat2 (Linux 6.6), else by way
// of /proc.
func chmodFD(fd int, mode uint32) error {
	err := again(func() error { return unix.Fchmodat(fd, "", mode, unix.AT_EMPTY_PATH) })
	if err == unix.EOPNOTSUPP || err == unix.EPERM { // EPERM: old sandboxes, for any call they do not know
		return again(func() error { return unix.Fchmodat(unix.AT_FDCWD, procPath(fd), mode, 0) })
	}
	return err
}

// touchFD sets the modification time by any descriptor (Linux 5.8, else by way
// of /proc, which for symlinks cannot be: EINVAL).
func touchFD(fd int, modTime int64) error {
	times := modTimes(modTime)
	err := again(func() error { return unix.UtimesNanoAt(fd, "", times, unix.AT_EMPTY_PATH) })
	if err == unix.EINVAL {
		err = again(func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, procPath(fd), times, 0) })
		if err == unix.ELOOP {
			return unix.EINVAL
		}
	}
	return err
}

// modTimes leave the access time alone.
func modTimes(modTime int64) []unix.Timespec {
	return []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(modTime)}
}
