//go:build !portable

package tree

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lease asks for a read lease, as fcntl(2) and F_SETLEASE(2const) describe: it
// is refused with EAGAIN exactly if the file is open for writing by anyone,
// through whatever name, or mapped writable. It can be had on regular files by
// their owner or with CAP_LEASE (else EACCES), where the file system has leases
// (else EINVAL). It returns [ErrBusy] or [ErrCannotTell].
//
// While the lease is held, someone who opens the file for writing or truncates
// it waits, and with O_NONBLOCK gets EWOULDBLOCK; this process gets SIGIO then,
// which Go programs ignore unless they ask for it.
func lease(fd int) error {
	if testNoLeases {
		return ErrCannotTell
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		return nil
	case err == unix.EAGAIN && leasesAreTrue(fd):
		return ErrBusy
	}
	return fmt.Errorf("%w: %w", ErrCannotTell, err)
}

// testNoLeases makes this file system one that has no leases. Tests only.
var testNoLeases bool

// busy asks for a lease and gives it back at once: about a microsecond.
func busy(f *os.File) (is bool, err error) {
	err = withFD(f, func(fd int) error {
		if err := lease(fd); err != nil {
			return err
		}
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
		return err
	})
	if errors.Is(err, ErrBusy) {
		return true, nil
	}
	return false, err
}

// keepWritersOut holds a lease on a regular file, where it can be had, until
// release. [ErrBusy] if someone has the file open for writing.
func keepWritersOut(d dir, name string) (release func(), err error) {
	fd, err := openAt(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == unix.EWOULDBLOCK {
		return nil, ErrBusy
	}
	if err != nil {
		return func() {}, nil //nolint:nilerr // what is there, the caller looks at; an unreadable file has no lease
	}
	if err := lease(fd); errors.Is(err, ErrBusy) {
		_ = unix.Close(fd)
		return nil, err
	}
	return func() { _ = unix.Close(fd) }, nil // gives the lease back
}

// leasesAreTrue tells whether EAGAIN means a writer: network file systems also
// return it when their server has granted this client nothing (a delegation on
// NFS 4, an oplock on SMB).
func leasesAreTrue(fd int) bool {
	const (
		cifs = 0xFF534D42
		smb2 = 0xFE534D42
	)
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return false
	}
	switch uint32(st.Type) { //nolint:gosec // a bit pattern
	case unix.NFS_SUPER_MAGIC, cifs, smb2, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC:
		return false
	}
	return true
}

// cloneFile makes to share the content of from, which only some file systems
// can (btrfs, xfs, bcachefs, overlay and network ones on top of them).
func cloneFile(to, from *os.File) bool {
	return withFD(to, func(toFD int) error {
		return withFD(from, func(fromFD int) error { return unix.IoctlFileClone(toFD, fromFD) })
	}) == nil
}

// copyRange copies within the kernel, as far as that goes; it returns how far.
func copyRange(to, from *os.File, toOff, fromOff, n int64) int64 {
	var done int64
	_ = withFD(to, func(toFD int) error {
		return withFD(from, func(fromFD int) error {
			for done < n {
				in, out := fromOff+done, toOff+done
				got, err := unix.CopyFileRange(fromFD, &in, toFD, &out, int(min(n-done, 1<<30)), 0)
				if err == unix.EINTR {
					continue
				}
				if err != nil || got <= 0 {
					return err
				}
				done += int64(got)
			}
			return nil
		})
	})
	return done
}

// startWriteback has the kernel begin to write a range to disk, and waits for
// none of it, so that the fsync to come is short.
func startWriteback(f *os.File, off, n int64) {
	_ = withFD(f, func(fd int) error {
		return unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE)
	})
}
