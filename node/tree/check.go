package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Check tells whether this is still the folder that was opened: its root's
// path leads to the same directory on the same device, and the marker is in
// it. It costs a few microseconds; it is to be asked before every scan and
// every apply, and before anything is concluded from files that are not there.
// It returns [ErrRootMissing], [ErrRootReplaced], [ErrMarkerMissing] or
// [ErrOtherFolder]; any other error leaves the question open, which is no yes.
func (t *Tree) Check() error {
	if err := t.inPlace(); err != nil {
		return fmt.Errorf("check folder %q: %w", t.path, err)
	}
	return nil
}

func (t *Tree) inPlace() error {
	info, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrRootMissing, err)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return ErrRootReplaced
	}
	now, err := openTop(t.path)
	if err != nil {
		return err
	}
	defer now.close()
	who, err := now.identify()
	if err != nil {
		return err
	}
	if !who.is(t.self) {
		return ErrRootReplaced
	}
	return checkMarker(now, t.id)
}
