//go:build portable || (!linux && !darwin && !freebsd && !netbsd)

package tree

import (
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
)

// diskOf knows neither inodes nor change times here: a change is one of size,
// mode or modification time.
func diskOf(fs.FileInfo) (device uint64, disk entry.Disk, ours bool) {
	return 0, entry.Disk{}, false
}
