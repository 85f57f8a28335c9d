//go:build !linux || portable

package tree

import (
	"errors"
	"os"
	"runtime"
)

// setFile gives the open file its mode and modification time.
func (r *ready) setFile(m Meta) error {
	if runtime.GOOS != "windows" {
		if err := r.file.Chmod(os.FileMode(m.Mode & 0o777)); err != nil {
			return err
		}
	}
	h, st, err := r.dir.hold(r.name)
	if err != nil {
		return err
	}
	return h.set(st, Meta{Mode: st.Mode, ModTime: m.ModTime})
}

func busy(*os.File) (bool, error) { return false, ErrCannotTell }

func keepWritersOut(dir, string) (release func(), err error) { return func() {}, nil }

func cloneFile(_, _ *os.File) bool { return false }

func copyRange(_, _ *os.File, _, _, _ int64) int64 { return 0 }

func startWriteback(*os.File, int64, int64) {}

func (d dir) syncAll() error { return errors.ErrUnsupported }

func (d dir) syncsAll() bool { return false }

// syncSelf makes the names in d durable, where a directory can be synced.
func (d dir) syncSelf() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	p := d.path
	if p == "" {
		p = "."
	}
	f, err := d.top.Open(p)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncEverything() {}

// free cannot be asked for here.
func (d dir) free() (uint64, error) { return 0, errors.ErrUnsupported }
