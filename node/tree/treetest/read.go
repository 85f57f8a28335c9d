package treetest

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Lstat says what lies at p.
func (t *Tree) Lstat(p entry.Path) (tree.Stat, error) {
	if err := t.hook("lstat", p); err != nil {
		return tree.Stat{}, fmt.Errorf("look at %q: %w", p, err)
	}
	at, err := t.disk.spot(p)
	if err != nil {
		return tree.Stat{}, fmt.Errorf("look at %q: %w", p, err)
	}
	n := at.node()
	if n == nil {
		return tree.Stat{}, fmt.Errorf("look at %q: %w", p, fs.ErrNotExist)
	}
	return n.stat(), nil
}

// List says what is in directory p.
func (t *Tree) List(p entry.Path) ([]tree.Child, error) {
	if err := t.hook("list", p); err != nil {
		return nil, fmt.Errorf("list %q: %w", p, err)
	}
	if p != "" {
		if err := check(p); err != nil {
			return nil, fmt.Errorf("list %q: %w", p, err)
		}
	}
	dir, err := descend(t.disk.root, p)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", p, err)
	}
	out := make([]tree.Child, 0, len(dir.children))
	for _, name := range slices.Sorted(maps.Keys(dir.children)) {
		out = append(out, tree.Child{Name: name, Stat: dir.children[name].stat()})
	}
	return out, nil
}

// File is a file, open for reading.
type File struct {
	tree *Tree
	node *node
	path entry.Path // when it was opened
	at   int64
}

// OpenFile opens the file at p.
func (t *Tree) OpenFile(p entry.Path) (*File, error) {
	if err := t.hook("open", p); err != nil {
		return nil, fmt.Errorf("open %q: %w", p, err)
	}
	at, err := t.disk.spot(p)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", p, err)
	}
	n := at.node()
	switch {
	case n == nil:
		return nil, fmt.Errorf("open %q: %w", p, fs.ErrNotExist)
	case n.kind != entry.File:
		return nil, fmt.Errorf("open %q: %w", p, tree.ErrNotRegular)
	case n.failing != nil:
		return nil, fmt.Errorf("open %q: %w", p, n.failing)
	}
	return &File{tree: t, node: n, path: p}, nil
}

// Read implements [io.Reader].
func (f *File) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// ReadAt implements [io.ReaderAt].
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	if err := f.tree.hook("read", f.path); err != nil {
		return 0, err
	}
	return readAt(f.node.body, b, off)
}

func readAt(body, b []byte, off int64) (int, error) {
	if off >= int64(len(body)) {
		return 0, io.EOF
	}
	n := copy(b, body[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements [io.Closer].
func (f *File) Close() error { return nil }

// Stat says what this very file is now.
func (f *File) Stat() (tree.Stat, error) {
	if err := f.tree.hook("stat", f.path); err != nil {
		return tree.Stat{}, err
	}
	return f.node.stat(), nil
}

// Busy tells whether someone has the file open for writing.
func (f *File) Busy() (bool, error) {
	if err := f.tree.hook("busy", f.path); err != nil {
		return false, err
	}
	return f.node.writers > 0, nil
}
