//go:build !portable

package tree

import "golang.org/x/sys/unix"

// syncAll makes everything on the file system of d durable, in one call. It
// reports errors of earlier write-back too (Linux 5.8).
func (d dir) syncAll() error {
	return again(func() error { return unix.Syncfs(d.fd) })
}

// syncsAll tells whether syncAll can be believed: on FUSE it reaches the
// server only for a few kinds of mount.
func (d dir) syncsAll() bool {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd, &st); err != nil {
		return false
	}
	return uint32(st.Type) != unix.FUSE_SUPER_MAGIC //nolint:gosec // a bit pattern
}

// syncSelf makes the names in d durable.
func (d dir) syncSelf() error {
	return again(func() error { return unix.Fsync(d.fd) })
}

// syncEverything is the last resort for what cannot be opened.
func syncEverything() { unix.Sync() }

// free is the number of bytes that this user may still write.
func (d dir) free() (uint64, error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(d.fd, &st) }); err != nil {
		return 0, err
	}
	unit := st.Frsize
	if unit == 0 {
		unit = st.Bsize
	}
	return st.Bavail * uint64(unit), nil //nolint:gosec // never negative
}
