package tree

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
)

// Mkdir makes a directory at p, whose parent must exist, with the permission
// bits of mode: [ErrExists]. The directory has no more than these bits at any
// moment; without the owner's own it still receives files, see [Tree.Place].
func (t *Tree) Mkdir(p entry.Path, mode uint32) (Stat, error) {
	at, err := t.spot(p)
	if err != nil {
		return Stat{}, fmt.Errorf("make directory %q: %w", p, err)
	}
	defer at.close()
	st, err := t.mkdir(at, mode&0o777)
	if err != nil {
		return Stat{}, fmt.Errorf("make directory %q: %w", p, err)
	}
	return st, nil
}

func (t *Tree) mkdir(at spot, mode uint32) (Stat, error) {
	if err := t.permitted(func() error { return at.dir.mkdir(at.name, mode) }, at); err != nil {
		return Stat{}, err
	}
	t.touched(at)
	h, st, err := at.dir.hold(at.name)
	if err != nil {
		return Stat{}, err
	}
	defer h.release()
	if st.Kind != entry.Directory {
		return Stat{}, ErrChanged
	}
	if st.Mode == mode {
		return st, nil
	}
	if err := h.set(st, Meta{Mode: mode}); err != nil { // what the umask took
		return Stat{}, err
	}
	return h.stat()
}

// SetMeta sets mode and modification time of what lies at p if that is what
// expect says, and nothing else: [ErrChanged], [ErrBusy] if someone is writing
// to the file. Where nobody can tell who is ([ErrCannotTell]), a write of
// equal length between the look and the setting of the time is not noticed;
// then the caller should have seen the file quiet for a while.
func (t *Tree) SetMeta(p entry.Path, m Meta, expect Stat) (Stat, error) {
	at, err := t.spot(p)
	if err != nil {
		return Stat{}, fmt.Errorf("set mode and time of %q: %w", p, err)
	}
	defer at.close()
	st, err := t.setMeta(at, m, expect)
	if err != nil {
		return Stat{}, fmt.Errorf("set mode and time of %q: %w", p, err)
	}
	return st, nil
}

func (t *Tree) setMeta(at spot, m Meta, want Stat) (Stat, error) {
	if err := t.expect(at, want); err != nil {
		return Stat{}, err
	}
	release := func() {}
	if want.Kind == entry.File {
		var err error
		if release, err = keepWritersOut(at.dir, at.name); err != nil {
			return Stat{}, err
		}
	}
	defer release()
	h, st, err := at.dir.hold(at.name)
	if errors.Is(err, fs.ErrNotExist) {
		return Stat{}, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return Stat{}, err
	}
	defer h.release()
	if !st.Same(want) {
		return Stat{}, ErrChanged
	}
	t.at("set")
	if err := h.set(st, m); err != nil {
		return Stat{}, err
	}
	t.changed(at.path, at.parent)
	now, err := h.stat()
	if err != nil {
		return Stat{}, err
	}
	if now.Size != st.Size || st.Kind == entry.File && !coarsened(m.ModTime, now.ModTime) {
		return Stat{}, ErrChanged
	}
	return now, nil
}

// Move renames what lies at from, if it is what expect says, to the path to,
// which must be free ([ErrExists]) and whose parent must exist; then it sets
// the metadata m. A directory goes with all that is in it, unexamined. If
// something else was moved, it goes back: [ErrChanged]; if from has been taken
// meanwhile, it stays at to: [KeptError]. [ErrOtherDevice] if to is on another
// file system.
//
// A crash leaves it at from or at to, with the old metadata or the new.
func (t *Tree) Move(from, to entry.Path, expect Stat, m Meta) (Stat, error) {
	st, err := t.move(from, to, expect, m)
	if err != nil {
		return Stat{}, fmt.Errorf("move %q to %q: %w", from, to, err)
	}
	return st, nil
}

func (t *Tree) move(from, to entry.Path, want Stat, m Meta) (Stat, error) {
	src, err := t.spot(from)
	if err != nil {
		return Stat{}, err
	}
	defer src.close()
	dst, err := t.spot(to)
	if err != nil {
		return Stat{}, err
	}
	defer dst.close()
	if err := t.expect(src, want); err != nil {
		return Stat{}, err
	}
	t.at("move")
	err = t.permitted(func() error { return src.dir.renameNew(src.name, dst.dir, dst.name) }, src, dst)
	if errors.Is(err, ErrExists) && t.oneName(src, dst) {
		err = t.respell(src, dst, want)
	}
	switch {
	case crossesDevices(err):
		return Stat{}, fmt.Errorf("%w: %w", ErrOtherDevice, err)
	case errors.Is(err, fs.ErrNotExist):
		return Stat{}, fmt.Errorf("%w: %w", ErrChanged, err)
	case err != nil:
		return Stat{}, err
	}
	t.touched(src)
	t.touched(dst)
	t.at("moved")
	st, err := dst.dir.lstat(dst.name)
	if err == nil && !st.sameMoved(want) {
		err = ErrChanged
	}
	if err == nil && !st.has(m) {
		st, err = t.setMeta(dst, m, st)
	}
	if err != nil {
		return Stat{}, t.moveBack(src, dst, err)
	}
	return st, nil
}

// moveBack undoes a move, and returns cause.
func (t *Tree) moveBack(src, dst spot, cause error) error {
	t.at("move back")
	err := t.permitted(func() error { return dst.dir.renameNew(dst.name, src.dir, src.name) }, dst, src)
	if errors.Is(err, ErrExists) && t.oneName(dst, src) {
		if st, serr := dst.dir.lstat(dst.name); serr == nil {
			err = t.respell(dst, src, st)
		}
	}
	switch {
	case err == nil:
		return cause
	case errors.Is(err, fs.ErrNotExist): // gone by another hand
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return &KeptError{Path: src.path, Kept: dst.path, Cause: cause}
}
