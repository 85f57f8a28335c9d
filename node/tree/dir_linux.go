//go:build !portable

package tree

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
)

// dir is a directory held open. All names given to its methods are single
// names: nothing but descend walks a path, and no method follows a symlink.
type dir struct{ fd int }

// identity is who a directory is, and who may write to it.
type identity struct {
	device, inode uint64
	mode          uint32 // with set-ID and sticky bits
	ours          bool   // it belongs to the user that this process acts for
}

func (i identity) is(o identity) bool { return i.device == o.device && i.inode == o.inode }

// openTop opens a folder's root. Its path is the user's own: links are followed.
func openTop(path string) (dir, error) {
	fd, err := openAt(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return dir{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return dir{fd}, nil
}

func (d dir) close() { _ = unix.Close(d.fd) }

// openAt opens one name, again if a signal came in between, which slow file
// systems report.
func openAt(fd int, name string, flags int, mode uint32) (int, error) {
	for {
		got, err := unix.Openat(fd, name, flags|unix.O_CLOEXEC|unix.O_NOCTTY, mode)
		if err != unix.EINTR {
			return got, err
		}
	}
}

// again repeats a call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// hasOpenat2 tells whether the kernel resolves beneath a directory (Linux 5.6;
// some sandboxes refuse the call). A variable so that tests reach both ways.
var hasOpenat2 = sync.OnceValue(func() bool {
	fd, err := unix.Openat2(unix.AT_FDCWD, ".", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC})
	if err == nil {
		_ = unix.Close(fd)
	}
	return err == nil
})

// descend opens a directory beneath d, for work on the names in it; rel may be
// empty. No component may be a symlink: [ErrThroughLink], [ErrNotDirectory].
func (d dir) descend(rel entry.Path) (dir, error) { return d.walk(rel, unix.O_PATH) }

// descendToRead is descend for a directory that is to be listed or synced.
func (d dir) descendToRead(rel entry.Path) (dir, error) { return d.walk(rel, unix.O_RDONLY) }

func (d dir) walk(rel entry.Path, flags int) (dir, error) {
	if rel == "" {
		rel = "."
	}
	if !hasOpenat2() || len(rel) >= unix.PathMax {
		return d.walkByStep(rel, flags)
	}
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_DIRECTORY | unix.O_CLOEXEC), //nolint:gosec // flags are not negative
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(d.fd, string(rel), &how)
		switch err {
		case nil:
			return dir{fd}, nil
		case unix.EINTR, unix.EAGAIN: // EAGAIN: raced with a rename, see openat2(2)
		case unix.ELOOP:
			return dir{}, ErrThroughLink
		case unix.ENOTDIR:
			return dir{}, ErrNotDirectory
		default:
			return dir{}, err
		}
	}
}

// walkByStep does with O_NOFOLLOW, name by name, what openat2 does at once.
func (d dir) walkByStep(rel entry.Path, flags int) (dir, error) {
	at := d
	names := strings.Split(string(rel), "/")
	for i, name := range names {
		how := unix.O_PATH
		if i == len(names)-1 {
			how = flags
		}
		fd, err := openAt(at.fd, name, how|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err == unix.ENOTDIR || err == unix.ELOOP {
			err = at.whyNot(name)
		}
		if i > 0 {
			at.close()
		}
		if err != nil {
			return dir{}, err
		}
		at = dir{fd}
	}
	return at, nil
}

// whyNot names what stands where a directory was looked for.
func (d dir) whyNot(name string) error {
	var st unix.Stat_t
	if err := d.stat(name, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return ErrThroughLink
	}
	return ErrNotDirectory
}

// processUser is whom this process acts for; that does not change.
var processUser = uint32(os.Geteuid()) //nolint:gosec // an ID is never negative

func (d dir) identify() (identity, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(d.fd, &st) }); err != nil {
		return identity{}, err
	}
	return identity{
		device: uint64(st.Dev), //nolint:unconvert // narrower on some platforms
		inode:  st.Ino,
		mode:   st.Mode & 0o7777,
		ours:   st.Uid == processUser,
	}, nil
}

// setMode gives the directory itself a mode. Its descriptor may be one that
// serves for look-ups only, which fchmod(2) refuses.
func (d dir) setMode(mode uint32) error { return chmodFD(d.fd, mode) }

// open opens a file; never a symlink, and never waiting for a fifo's writer.
func (d dir) open(name string, flags int, mode uint32) (*os.File, error) {
	if flags&unix.O_EXCL == 0 { // a new file is regular: waiting is no question
		flags |= unix.O_NOFOLLOW | unix.O_NONBLOCK
	}
	fd, err := openAt(d.fd, name, flags, mode)
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), name), nil
	case unix.ELOOP, unix.ENXIO: // a symlink; a socket, or a fifo without a reader
		return nil, ErrNotRegular
	case unix.EWOULDBLOCK: // someone holds a write lease
		return nil, ErrBusy
	}
	return nil, err
}

func (d dir) rename(name string, to dir, toName string) error {
	return again(func() error { return unix.Renameat(d.fd, name, to.fd, toName) })
}

// exchange swaps two names at once; errors.ErrUnsupported where the file
// system cannot.
func (d dir) exchange(name string, to dir, toName string) error {
	if testNoRenameFlags {
		return errors.ErrUnsupported
	}
	err := again(func() error { return unix.Renameat2(d.fd, name, to.fd, toName, unix.RENAME_EXCHANGE) })
	if flagsUnknown(err) {
		return errors.ErrUnsupported
	}
	return err
}

// renameNew renames to a name that is free: [ErrExists] if it is not. Where
// the file system cannot do so in one step, a hard link serves; where it has
// none, and for directories, the name is looked at first, and what appears
// there within the next microseconds would be replaced (of directories: only
// an empty one).
func (d dir) renameNew(name string, to dir, toName string) error {
	err := error(unix.EINVAL)
	if !testNoRenameFlags {
		err = again(func() error { return unix.Renameat2(d.fd, name, to.fd, toName, unix.RENAME_NOREPLACE) })
	}
	if flagsUnknown(err) {
		err = again(func() error { return unix.Linkat(d.fd, name, to.fd, toName, 0) })
		if err == nil {
			return d.unlink(name)
		}
		if err == unix.EPERM || err == unix.EMLINK || flagsUnknown(err) {
			var st unix.Stat_t
			if err = to.stat(toName, &st); err == unix.ENOENT {
				return d.rename(name, to, toName)
			} else if err == nil {
				err = unix.EEXIST
			}
		}
	}
	if err == unix.EEXIST {
		return ErrExists
	}
	return err
}

// testNoRenameFlags makes this file system one that knows no flags of
// renameat2. Tests only.
var testNoRenameFlags bool

// flagsUnknown tells that the kernel or the file system lacks a call, or a
// flag of it. EINVAL has other causes too, which come up again without flags.
func flagsUnknown(err error) bool {
	return err == unix.EINVAL || err == unix.ENOSYS || err == unix.EOPNOTSUPP
}

func crossesDevices(err error) bool { return errors.Is(err, unix.EXDEV) }

func (d dir) mkdir(name string, mode uint32) error {
	err := again(func() error { return unix.Mkdirat(d.fd, name, mode) })
	if err == unix.EEXIST {
		return ErrExists
	}
	return err
}

func (d dir) symlink(target, name string) error {
	err := again(func() error { return unix.Symlinkat(target, d.fd, name) })
	if err == unix.EEXIST {
		return ErrExists
	}
	return err
}

func (d dir) unlink(name string) error {
	return again(func() error { return unix.Unlinkat(d.fd, name, 0) })
}

func (d dir) rmdir(name string) error {
	err := again(func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
	if err == unix.ENOTEMPTY || err == unix.EEXIST { // either, by POSIX
		return ErrNotEmpty
	}
	return err
}

// lockAlone takes the directory for this open descriptor alone, until it is
// closed; [ErrInUse] if another has it. File systems without locks have none.
func (d dir) lockAlone() error {
	err := again(func() error { return unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err == unix.EWOULDBLOCK {
		return ErrInUse
	}
	return nil
}

// procPath names an open descriptor for the calls that need a path.
func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
