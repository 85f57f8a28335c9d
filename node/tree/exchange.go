package tree

import (
	"errors"
	"fmt"
	"io/fs"
)

// exchange puts r in the place of what is expected there.
func (t *Tree) exchange(at spot, r *ready, want Stat) error {
	out := asideSpot(r.aside, r.asides, r.prefix,
		asideName{staged: r.stat.Disk.Inode, want: want, tag: fresh(), base: at.name})
	if err := t.permitted(func() error { return r.dir.rename(r.name, out.dir, out.name) }, r.spot); err != nil {
		return err
	}
	t.at("exchange")
	err := t.permitted(func() error { return out.dir.exchange(out.name, at.dir, at.name) }, at, out)
	if err != nil {
		if err := t.permitted(func() error { return out.dir.rename(out.name, r.dir, r.name) }, r.spot); err != nil {
			r.lost = true
			return err
		}
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return t.exchangeByHand(at, r, want)
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", ErrChanged, err)
		}
		return err
	}
	t.at("exchanged")
	err = known(out, want)
	if err == nil {
		err = t.discard(out, want)
	}
	if err != nil {
		return t.exchangeBack(at, r, out, err)
	}
	return nil
}

// exchangeBack returns what came out to its place, and cause. What comes out
// now should be the staged file as it was. If it is not, someone else was
// there in between, and that is kept beside.
func (t *Tree) exchangeBack(at spot, r *ready, out spot, cause error) error {
	t.at("exchange back")
	err := t.permitted(func() error { return out.dir.exchange(out.name, at.dir, at.name) }, at, out)
	if errors.Is(err, fs.ErrNotExist) {
		r.lost = true
		return t.putBack(at, out, cause)
	}
	if err != nil {
		r.lost = true
		return &KeptError{Path: at.path, Cause: errors.Join(cause, err)}
	}
	if st, err := out.dir.lstat(out.name); err != nil || !st.sameMoved(r.stat) {
		r.lost = true
		return t.keep(at, out)
	}
	if err := t.permitted(func() error { return out.dir.rename(out.name, r.dir, r.name) }, r.spot); err != nil {
		r.lost = true
		return errors.Join(cause, err)
	}
	return cause
}

// exchangeByHand is for file systems that cannot exchange two names: p is
// moved aside and looked at, then r moved in. For these microseconds p is
// absent; a note has the next [Open] put it back if a crash makes that last.
func (t *Tree) exchangeByHand(at spot, r *ready, want Stat) (err error) {
	name := asideName{staged: r.stat.Disk.Inode, want: want, tag: fresh(), base: at.name}
	out := asideSpot(r.aside, r.asides, r.prefix, name)
	if err := t.note(pathNote+name.tag, at.path); err != nil {
		return err
	}
	defer func() {
		if kept := (*KeptError)(nil); !errors.As(err, &kept) || kept.Kept != "" {
			t.forget(pathNote + name.tag)
		}
	}()
	err = t.permitted(func() error { return at.dir.rename(at.name, out.dir, out.name) }, at)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return err
	}
	t.at("exchanged")
	if err := known(out, want); err != nil {
		return t.putBack(at, out, err)
	}
	err = t.permitted(func() error { return r.dir.renameNew(r.name, at.dir, at.name) }, at, r.spot)
	if errors.Is(err, ErrExists) {
		return t.keep(at, out)
	}
	if err != nil {
		return t.putBack(at, out, err)
	}
	if err := t.discard(out, want); err != nil {
		r.lost = true
		return t.keep(at, out)
	}
	return nil
}
