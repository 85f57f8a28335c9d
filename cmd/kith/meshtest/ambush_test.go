//go:build linux

package meshtest

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ambush kills a device a moment after something has come to be, or gone, in
// its tree: most often kith has just put it there, and not yet noted that. It
// tells whether anything happened before the patience was at an end.
func (d *device) ambush(ctx context.Context, patience, delay time.Duration) bool {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		d.mesh.fail("lie in wait for %s: %v", d.name, err)
		return false
	}
	defer unix.Close(fd)
	_ = filepath.WalkDir(d.root, func(full string, e fs.DirEntry, err error) error {
		switch {
		case err != nil || !e.IsDir():
			return nil
		case e.Name() == ".kith":
			return fs.SkipDir
		}
		_, _ = unix.InotifyAddWatch(fd, full, unix.IN_MOVED_TO|unix.IN_MOVED_FROM|unix.IN_DELETE) // it may have gone
		return nil
	})
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 50); n > 0 {
			pause(ctx, delay)
			d.kill()
			return true
		}
	}
	return false
}
