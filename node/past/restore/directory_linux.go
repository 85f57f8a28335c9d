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

// renameNew moves a staged file to p, in h, where nothing may be.
func (d *Directory) renameNew(s *stagedFile, h *handle, p entry.Path) error {
	err := again(func() error {
		return unix.Renameat2(fd(s.in.self), s.name, fd(h.self), p.Name(), unix.RENAME_NOREPLACE)
	})
	switch err {
	case unix.EEXIST:
		return tree.ErrExists
	case unix.EINVAL, unix.ENOSYS: // the file system, or the kernel, does not know how
		return d.renameFree(s, h, p)
	}
	return err
}

// rename puts a staged file in the place of what lies at p, in h: it exchanges
// the two and looks at what came out, which goes back if it is not what is
// expected.
func (d *Directory) rename(s *stagedFile, h *handle, p entry.Path, expect tree.Stat) error {
	exchange := func() error {
		return again(func() error {
			return unix.Renameat2(fd(s.in.self), s.name, fd(h.self), p.Name(), unix.RENAME_EXCHANGE)
		})
	}
	switch err := exchange(); err {
	case nil:
	case unix.EINVAL, unix.ENOSYS:
		return d.over(s, h, p)
	default:
		return err
	}
	out, err := s.in.lstat(s.name)
	expect.Disk.ChangeTime = out.Disk.ChangeTime // the exchange may have set it
	if err == nil && out == expect {
		return s.in.root.Remove(s.name)
	}
	return errors.Join(err, tree.ErrChanged, exchange())
}

// swap puts a staged file in the place of a directory, which then has the name
// old beside the staged files, and tells how that is taken back.
func (d *Directory) swap(s *stagedFile, h *handle, p entry.Path) (old string, back func() error, err error) {
	exchange := func() error {
		return again(func() error {
			return unix.Renameat2(fd(s.in.self), s.name, fd(h.self), p.Name(), unix.RENAME_EXCHANGE)
		})
	}
	switch err := exchange(); err {
	case nil:
		return s.name, exchange, nil
	case unix.EINVAL, unix.ENOSYS:
		return d.swapBySteps(s, h, p)
	default:
		return "", nil, err
	}
}

func diskOf(info fs.FileInfo) entry.Disk {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return entry.Disk{}
	}
	return entry.Disk{Inode: st.Ino, ChangeTime: syscall.TimespecToNsec(st.Ctim)}
}

// syncsAll tells whether one call makes the file system of f durable: on FUSE
// it reaches the server only for a few kinds of mount.
func syncsAll(f *os.File) bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd(f), &st); err != nil {
		return false
	}
	return uint32(st.Type) != unix.FUSE_SUPER_MAGIC //nolint:gosec // a bit pattern
}

// syncAll makes everything on the file system of f durable.
func syncAll(f *os.File) error { return again(func() error { return unix.Syncfs(fd(f)) }) }

// startWriteback has the system begin to write to disk, and does not wait.
func startWriteback(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(fd(f), off, n, unix.SYNC_FILE_RANGE_WRITE)
}
