package treetest

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Mkdir makes a directory at p.
func (t *Tree) Mkdir(p entry.Path, mode uint32) (tree.Stat, error) {
	at, err := t.disk.spot(p)
	if herr := t.hook("mkdir", p); herr != nil {
		err = herr
	}
	switch {
	case err != nil:
	case t.disk.gone(at.dir):
		err = fs.ErrNotExist
	case at.node() != nil:
		err = tree.ErrExists
	}
	if err != nil {
		return tree.Stat{}, fmt.Errorf("make directory %q: %w", p, err)
	}
	n := t.disk.newNode(entry.Directory, mode&0o777)
	t.disk.create(n, at)
	return n.stat(), nil
}

// SetMeta sets mode and time of what lies at p.
func (t *Tree) SetMeta(p entry.Path, m tree.Meta, want tree.Stat) (tree.Stat, error) {
	err := t.hook("set", p)
	var at spot
	if err == nil {
		at, err = t.disk.spot(p)
	}
	var st tree.Stat
	if err == nil {
		st, err = t.setMeta(at, m, want)
	}
	if err != nil {
		return tree.Stat{}, fmt.Errorf("set mode and time of %q: %w", p, err)
	}
	return st, nil
}

func (t *Tree) setMeta(at spot, m tree.Meta, want tree.Stat) (tree.Stat, error) {
	n, err := expect(at, want)
	switch {
	case err != nil:
		return tree.Stat{}, err
	case n.kind == entry.File && n.writers > 0:
		return tree.Stat{}, tree.ErrBusy
	}
	t.disk.setMeta(n, m)
	return n.stat(), nil
}

// Move renames what lies at from to the path to, which must be free.
func (t *Tree) Move(from, to entry.Path, want tree.Stat, m tree.Meta) (tree.Stat, error) {
	st, err := t.move(from, to, want, m)
	if err != nil {
		return tree.Stat{}, fmt.Errorf("move %q to %q: %w", from, to, err)
	}
	return st, nil
}

func (t *Tree) move(from, to entry.Path, want tree.Stat, m tree.Meta) (tree.Stat, error) {
	src, err := t.disk.spot(from)
	if err != nil {
		return tree.Stat{}, err
	}
	dst, err := t.disk.spot(to)
	if err != nil {
		return tree.Stat{}, err
	}
	if _, err := expect(src, want); err != nil {
		return tree.Stat{}, err
	}
	if err := t.hook("move", from); err != nil {
		return tree.Stat{}, err
	}
	n := src.node()
	switch {
	case n == nil, t.disk.gone(dst.dir):
		return tree.Stat{}, fmt.Errorf("%w: %w", tree.ErrChanged, fs.ErrNotExist)
	case dst.node() != nil:
		return tree.Stat{}, tree.ErrExists
	case to.Below(from):
		return tree.Stat{}, syscall.EINVAL
	}
	t.disk.rename(n, dst)
	err = t.hook("moved", to)
	var st tree.Stat
	if err == nil {
		st, err = t.moved(dst, want, m)
	}
	if err != nil {
		return tree.Stat{}, t.moveBack(src, dst, err)
	}
	return st, nil
}

// moved looks at what was moved, and gives it its metadata.
func (t *Tree) moved(dst spot, want tree.Stat, m tree.Meta) (tree.Stat, error) {
	n := dst.node()
	if n == nil {
		return tree.Stat{}, fs.ErrNotExist
	}
	st := n.stat()
	if !sameMoved(st, want) {
		return tree.Stat{}, tree.ErrChanged
	}
	if n.kind != entry.Symlink && st.Mode != m.Mode || n.kind != entry.Directory && st.ModTime != m.ModTime {
		return t.setMeta(dst, m, st)
	}
	return st, nil
}

func (t *Tree) moveBack(src, dst spot, cause error) error {
	err := t.hook("move back", src.path)
	n := dst.node()
	switch {
	case err == nil && n == nil:
		return fmt.Errorf("%w: %w", tree.ErrChanged, fs.ErrNotExist)
	case err == nil && src.node() == nil && !t.disk.gone(src.dir):
		t.disk.rename(n, src)
		return cause
	}
	return &tree.KeptError{Path: src.path, Kept: dst.path, Cause: cause}
}

// Remove removes what lies at p if it is what is expected.
func (t *Tree) Remove(p entry.Path, want tree.Stat) error {
	err := t.hook("look at what goes", p)
	var at spot
	if err == nil {
		at, err = t.disk.spot(p)
	}
	if err == nil {
		err = t.remove(at, want)
	}
	if err != nil {
		return fmt.Errorf("remove %q: %w", p, err)
	}
	return nil
}

func (t *Tree) remove(at spot, want tree.Stat) error {
	n := at.node()
	switch {
	case n == nil:
		return fs.ErrNotExist
	case !n.stat().Same(want):
		return tree.ErrChanged
	case n.kind == entry.Directory:
		return t.removeDirectory(at)
	case n.kind == entry.File && n.writers > 0:
		return tree.ErrBusy
	}
	if err := t.hook("remove", at.path); err != nil {
		return err
	}
	if n = at.node(); n == nil {
		return fmt.Errorf("%w: %w", tree.ErrChanged, fs.ErrNotExist)
	}
	out, err := t.putAside("put aside", n, asideName{0, want, at.name})
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", tree.ErrChanged, err)
	}
	if err != nil {
		return err
	}
	err = t.hook("removed", at.path)
	if err == nil {
		err = t.known(out, want)
	}
	if err != nil {
		return t.putBack(at, out, err)
	}
	return t.discard(out, want)
}

func (t *Tree) removeDirectory(at spot) error {
	if err := t.hook("remove directory", at.path); err != nil {
		return err
	}
	n := at.node()
	switch {
	case n == nil:
		return fs.ErrNotExist
	case n.kind != entry.Directory:
		return tree.ErrChanged
	case len(n.children) > 0:
		return tree.ErrNotEmpty
	}
	t.disk.unlink(n)
	return nil
}
