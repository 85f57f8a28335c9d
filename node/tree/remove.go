package tree

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
)

// Remove removes what lies at p if it is what expect says: [ErrChanged],
// [ErrBusy] if someone is writing to it, [ErrNotEmpty] for a directory that
// holds something; fs.ErrNotExist if there is nothing. Content that was not
// expected goes back to its path or, if that is taken, is kept beside it:
// [KeptError].
//
// # Order
//
// A directory goes by rmdir(2), which looks and removes in one step. A file is
// moved aside under a name that tells what is expected, looked at, and removed
// or put back. A crash leaves it in aside: if it is what was expected, the
// next [Open] drops it, as was asked for; if not, it brings it back.
func (t *Tree) Remove(p entry.Path, expect Stat) error {
	at, err := t.spot(p)
	if err == nil {
		defer at.close()
		err = t.remove(at, expect)
	}
	if err != nil {
		return fmt.Errorf("remove %q: %w", p, err)
	}
	t.touched(at)
	return nil
}

func (t *Tree) remove(at spot, want Stat) error {
	st, err := t.look(at)
	if err != nil {
		return err
	}
	if !st.Same(want) {
		return ErrChanged
	}
	if want.Kind == entry.Directory {
		return t.removeDirectory(at)
	}
	if want.Kind == entry.File && written(at.dir, at.name) {
		return ErrBusy
	}
	t.at("remove")
	err = t.removeBy(at, want, false)
	if crossesDevices(err) {
		err = t.removeBy(at, want, true)
	}
	return err
}

func (t *Tree) removeDirectory(at spot) error {
	t.at("remove")
	err := t.permitted(func() error { return at.dir.rmdir(at.name) }, at)
	if err == nil || errors.Is(err, ErrNotEmpty) {
		return err
	}
	if st, lerr := at.dir.lstat(at.name); lerr == nil && st.Kind != entry.Directory {
		return ErrChanged
	}
	return err
}

// removeBy removes a file or symlink by way of aside.
func (t *Tree) removeBy(at spot, want Stat, other bool) error {
	out, done, err := t.asideFor(at, asideName{want: want, tag: fresh(), base: at.name}, other)
	if err != nil {
		return err
	}
	defer done()
	err = t.permitted(func() error { return at.dir.rename(at.name, out.dir, out.name) }, at)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return err
	}
	t.at("removed")
	if err := known(out, want); err != nil {
		return t.putBack(at, out, err)
	}
	return t.discard(out, want)
}
