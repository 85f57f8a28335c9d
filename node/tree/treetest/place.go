package treetest

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Place gives the staged file s the metadata m and moves it to p.
func (t *Tree) Place(p entry.Path, s *Staged, m tree.Meta, expect *tree.Stat) (tree.Stat, error) {
	st, err := t.place(p, s, m, expect)
	if err != nil {
		return tree.Stat{}, fmt.Errorf("place %q: %w", p, err)
	}
	if s.node.kind == entry.File {
		t.disk.Placed(p, s.node.body)
	}
	return st, nil
}

func (t *Tree) place(p entry.Path, s *Staged, m tree.Meta, expect *tree.Stat) (tree.Stat, error) {
	if err := t.hook("place", p); err != nil {
		return tree.Stat{}, err
	}
	at, err := t.disk.spot(p)
	if err != nil {
		return tree.Stat{}, err
	}
	if expect != nil {
		if err := t.replaceable(at, *expect); err != nil {
			return tree.Stat{}, err
		}
	}
	as, err := s.ready(m)
	if err != nil {
		return tree.Stat{}, err
	}
	if expect == nil {
		err = t.renameNew("put", s.node, at)
	} else {
		err = t.exchange(at, s, as, *expect)
	}
	if err != nil {
		return tree.Stat{}, err
	}
	s.gone = true
	if err := t.hook("placed", p); err != nil {
		return as, nil // it lies there, whatever can be said of it
	}
	now := s.node.stat()
	if !sameMoved(now, as) {
		now = as
		now.Disk.ChangeTime = 0
	}
	return now, nil
}

// renameNew moves a node to a name that must be free.
func (t *Tree) renameNew(point string, n *node, to spot) error {
	if err := t.hook(point, to.path); err != nil {
		return err
	}
	switch {
	case n.parent == nil, t.disk.gone(to.dir):
		return fs.ErrNotExist
	case to.node() != nil:
		return tree.ErrExists
	}
	t.disk.rename(n, to)
	return nil
}

// replaceable looks before anything is moved.
func (t *Tree) replaceable(at spot, want tree.Stat) error {
	n, err := expect(at, want)
	switch {
	case err != nil:
		return err
	case n.kind == entry.Directory && len(n.children) > 0:
		return tree.ErrNotEmpty
	case n.kind == entry.File && n.writers > 0:
		return tree.ErrBusy
	}
	return nil
}

func expect(at spot, want tree.Stat) (*node, error) {
	n := at.node()
	if n == nil {
		return nil, fmt.Errorf("%w: %w", tree.ErrChanged, fs.ErrNotExist)
	}
	if !n.stat().Same(want) {
		return nil, tree.ErrChanged
	}
	return n, nil
}

// sameMoved is [tree.Stat.Same] for a file that has been renamed since.
func sameMoved(s, o tree.Stat) bool {
	o.Disk.ChangeTime = s.Disk.ChangeTime
	return s.Same(o)
}

// putAside gives a node that is to be exchanged or removed a name that tells
// all there is to know if the program ends.
func (t *Tree) putAside(point string, n *node, a asideName) (spot, error) {
	d := t.disk
	out := spot{dir: d.aside, name: fmt.Sprintf("%016x", d.names.Uint64())}
	d.asides[out.name] = a
	if err := t.hook(point, ""); err != nil {
		return out, err
	}
	if n.parent == nil {
		return out, fs.ErrNotExist
	}
	d.rename(n, out)
	return out, nil
}

// exchange puts a staged file in the place of what is expected there.
func (t *Tree) exchange(at spot, s *Staged, as, want tree.Stat) error {
	out, err := t.putAside("put aside", s.node, asideName{as.Disk.Inode, want, at.name})
	if err != nil {
		return err
	}
	err = t.hook("exchange", at.path)
	if err == nil && (at.node() == nil || t.disk.gone(at.dir)) {
		err = fmt.Errorf("%w: %w", tree.ErrChanged, fs.ErrNotExist)
	}
	if err != nil {
		if herr := t.hook("take back", ""); herr != nil {
			s.gone = true
			return herr
		}
		t.disk.rename(s.node, spot{dir: t.disk.tmp, name: s.name})
		return err
	}
	t.disk.exchange(s.node, at.node())
	err = t.hook("exchanged", at.path)
	if err == nil {
		err = t.known(out, want)
	}
	if err == nil {
		err = t.discard(out, want)
	}
	if err != nil {
		return t.exchangeBack(at, s, out, as, err)
	}
	return nil
}

// known refuses displaced content that was not expected.
func (t *Tree) known(out spot, want tree.Stat) error {
	n := out.node()
	switch {
	case n == nil:
		return fs.ErrNotExist
	case !sameMoved(n.stat(), want):
		return tree.ErrChanged
	case n.kind == entry.Directory && len(n.children) > 0:
		return tree.ErrNotEmpty
	case n.kind == entry.File && n.writers > 0:
		return tree.ErrBusy
	}
	return nil
}

// discard removes displaced content that is known. Only a directory can still
// refuse.
func (t *Tree) discard(out spot, want tree.Stat) error {
	err := t.hook("discard", "")
	n := out.node()
	if want.Kind == entry.Directory {
		if err == nil && len(n.children) > 0 {
			err = tree.ErrNotEmpty
		}
		if err != nil {
			return err
		}
	}
	if err == nil {
		t.disk.unlink(n)
	}
	return nil
}

// exchangeBack returns what came out to its place, and cause.
func (t *Tree) exchangeBack(at spot, s *Staged, out spot, as tree.Stat, cause error) error {
	if err := t.hook("exchange back", at.path); err != nil {
		s.gone = true
		return &tree.KeptError{Path: at.path, Cause: errors.Join(cause, err)}
	}
	if at.node() == nil || t.disk.gone(at.dir) {
		s.gone = true
		return t.putBack(at, out, cause)
	}
	t.disk.exchange(out.node(), at.node())
	if n := out.node(); !sameMoved(n.stat(), as) {
		s.gone = true
		return t.keep(at, out)
	}
	if err := t.hook("take back", ""); err != nil {
		s.gone = true
		return errors.Join(cause, err)
	}
	t.disk.rename(out.node(), spot{dir: t.disk.tmp, name: s.name})
	return cause
}

// putBack returns displaced content to its path, which is free, and cause.
func (t *Tree) putBack(at, out spot, cause error) error {
	err := t.renameNew("put back", out.node(), at)
	if errors.Is(err, tree.ErrExists) {
		return t.keep(at, out)
	}
	if err != nil {
		return &tree.KeptError{Path: at.path, Cause: errors.Join(cause, err)}
	}
	return cause
}

// keep gives displaced content a fresh name beside its path.
func (t *Tree) keep(at, out spot) error {
	to := spot{dir: at.dir, name: t.disk.beside(at.name)}
	if err := t.renameNew("keep", out.node(), to); err != nil {
		return &tree.KeptError{Path: at.path, Cause: err}
	}
	return &tree.KeptError{Path: at.path, Kept: at.path.Parent().Join(to.name)}
}
