//go:build unix

package tree

import (
	"os"
	"syscall"
)

// allocated counts in the units of 512 bytes that stat(2) reports, whatever
// the file system's own are.
func allocated(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512, nil
	}
	return 0, nil
}
