package restore

import (
	"errors"
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// placeOver puts a staged file in the place of a directory, which goes with all
// that is in it. What is in it is looked at before, and again once nobody can
// find it by its path; if it is not just what is expected it goes back. d.mu is
// held.
func (d *Directory) placeOver(s *stagedFile, h *handle, p entry.Path, expect *Lies) error {
	within := func(q entry.Path) bool { return q == p || q.Below(p) }
	d.forget(within)
	st, err := h.lstat(p.Name())
	if err == nil && st.Kind != entry.Directory {
		err = tree.ErrChanged
	}
	if err == nil {
		err = h.holdsJust(p.Name(), p, expect.Below)
	}
	if err != nil {
		return err
	}
	lent := st.Mode&ownerMode != ownerMode // a directory moves only if it can be written to
	if lent {
		if err := h.root.Chmod(p.Name(), fs.FileMode(st.Mode|ownerMode)); err != nil {
			return err
		}
	}
	old, back, err := d.swap(s, h, p)
	if err == nil {
		if err = s.in.holdsJust(old, p, expect.Below); err != nil {
			err = errors.Join(tree.ErrChanged, err, back())
		}
	}
	if err != nil {
		if lent {
			err = errors.Join(err, h.root.Chmod(p.Name(), fs.FileMode(st.Mode)))
		}
		return err
	}
	for q := range d.modes {
		if within(q) {
			delete(d.modes, q)
		}
	}
	_ = s.in.removeAll(old) // what is left of it goes in the end, or that fails
	return nil
}

// swapBySteps is a swap where the system cannot exchange two names: for a moment
// nothing is at p.
func (d *Directory) swapBySteps(s *stagedFile, h *handle, p entry.Path) (old string, back func() error, err error) {
	old = "aside-" + s.name
	if err := d.carryOut(s, h, p, old); err != nil {
		return "", nil, err
	}
	if err := d.renameFree(s, h, p); err != nil {
		return "", nil, errors.Join(err, d.carryBack(s, h, p, old))
	}
	return old, func() error {
		return errors.Join(d.carryOut(s, h, p, s.name), d.carryBack(s, h, p, old))
	}, nil
}

// holdsJust tells whether a directory, that lies or lay at a path, holds what is
// listed and nothing else.
func (h *handle) holdsJust(name string, at entry.Path, below []Below) error {
	rest, err := h.follow(name, at, below)
	if err == nil && len(rest) > 0 {
		err = tree.ErrChanged
	}
	return err
}

// follow compares a directory with the begin of a list, and returns the rest.
func (h *handle) follow(name string, at entry.Path, below []Below) (rest []Below, err error) {
	c, err := h.child(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	names, err := c.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		q := at.Join(name)
		if len(below) == 0 || below[0].Path != q {
			return nil, tree.ErrChanged
		}
		want := below[0].Stat
		below = below[1:]
		st, err := c.lstat(name)
		switch {
		case err != nil:
			return nil, err
		case want.Kind == entry.Directory && st.Kind == entry.Directory:
			if below, err = c.follow(name, q, below); err != nil {
				return nil, err
			}
		case st != want:
			return nil, tree.ErrChanged
		}
	}
	return below, nil
}

// removeAll removes a name with all below it, also from directories that even
// their owner may not write to.
func (h *handle) removeAll(name string) error {
	err := h.root.RemoveAll(name)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return errors.Join(h.open(name), h.root.RemoveAll(name))
}

// open lets the owner of a directory, and of all below it, write to it.
func (h *handle) open(name string) (err error) {
	info, err := h.root.Lstat(name)
	if err != nil || !info.IsDir() {
		return err
	}
	if err := h.root.Chmod(name, ownerMode); err != nil {
		return err
	}
	c, err := h.child(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	names, err := c.names()
	for _, name := range names {
		err = errors.Join(err, c.open(name))
	}
	return err
}
