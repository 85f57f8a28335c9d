//go:build (darwin || freebsd || netbsd) && !portable

package tree

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/kithmesh/kith/index/entry"
)

// diskOf is what a FileInfo of this platform tells beyond the portable.
func diskOf(info fs.FileInfo) (device uint64, disk entry.Disk, ours bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, entry.Disk{}, false
	}
	disk = entry.Disk{Inode: st.Ino, ChangeTime: st.Ctimespec.Nano()}
	return uint64(st.Dev), disk, int(st.Uid) == os.Geteuid() //nolint:gosec,unconvert // a bit pattern
}
