//go:build unix

package watch

import (
	"io/fs"
	"syscall"
)

// identify finds the identity of what info is of.
func identify(info fs.FileInfo) identity {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}
	}
	return identity{uint64(s.Dev), uint64(s.Ino)}
}
