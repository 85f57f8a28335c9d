package treetest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Staged is a file or symlink that is not in the folder yet.
type Staged struct {
	tree *Tree
	node *node
	name string
	gone bool
}

// Stage opens the staged file of that name, or creates an empty one.
func (t *Tree) Stage(name string) (*Staged, error) {
	if err := t.hook("stage", ""); err != nil {
		return nil, fmt.Errorf("stage %q: %w", name, err)
	}
	d := t.disk
	at := spot{dir: d.tmp, name: name}
	n := at.node()
	if n != nil && n.kind != entry.File {
		d.unlink(n)
		n = nil
	}
	if n == nil {
		n = d.newNode(entry.File, 0o600)
		n.staged = true
		d.create(n, at)
	}
	return &Staged{tree: t, node: n, name: name}, nil
}

// StageSymlink stages a symlink.
func (t *Tree) StageSymlink(name, target string) (*Staged, error) {
	if err := t.hook("stage symlink", ""); err != nil {
		return nil, fmt.Errorf("stage symlink %q: %w", name, err)
	}
	d := t.disk
	at := spot{dir: d.tmp, name: name}
	if n := at.node(); n != nil {
		d.unlink(n)
	}
	n := d.newNode(entry.Symlink, 0o777)
	n.target = target
	d.create(n, at)
	return &Staged{tree: t, node: n, name: name}, nil
}

// ReadAt implements [io.ReaderAt].
func (s *Staged) ReadAt(b []byte, off int64) (int, error) {
	if err := s.tree.hook("read staged", ""); err != nil {
		return 0, err
	}
	return readAt(s.node.body, b, off)
}

// WriteAt implements [io.WriterAt].
func (s *Staged) WriteAt(b []byte, off int64) (int, error) {
	if err := s.tree.hook("write staged", ""); err != nil {
		return 0, err
	}
	body := make([]byte, max(len(s.node.body), int(off)+len(b)))
	copy(body, s.node.body)
	copy(body[off:], b)
	s.tree.disk.write(s.node, body)
	return len(b), nil
}

// Truncate makes the file size bytes long.
func (s *Staged) Truncate(size int64) error {
	if err := s.tree.hook("truncate staged", ""); err != nil {
		return err
	}
	body := make([]byte, size)
	copy(body, s.node.body)
	s.tree.disk.write(s.node, body)
	return nil
}

// Size is how many bytes the file holds.
func (s *Staged) Size() (int64, error) { return int64(len(s.node.body)), nil }

// Allocated is as much.
func (s *Staged) Allocated() (int64, error) { return int64(len(s.node.body)), nil }

// StartWriteback does nothing.
func (s *Staged) StartWriteback(_, _ int64) {}

// Sync makes the file's content durable.
func (s *Staged) Sync() error {
	if err := s.tree.hook("sync staged", ""); err != nil {
		return err
	}
	if !s.tree.disk.Careless {
		s.node.dirty = false
	}
	return nil
}

// Close leaves the file staged.
func (s *Staged) Close() error { return nil }

// CleanTemporaries removes every staged file that keep does not want.
func (t *Tree) CleanTemporaries(keep func(name string) bool) error {
	d := t.disk
	for _, name := range slices.Sorted(maps.Keys(d.tmp.children)) {
		if keep(name) {
			continue
		}
		if err := t.hook("clean", ""); err != nil {
			return fmt.Errorf("clean temporaries: %w", err)
		}
		d.unlink(d.tmp.children[name])
	}
	return nil
}

// Sync makes durable all that was done before.
func (t *Tree) Sync() error {
	if err := t.hook("sync", ""); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	t.disk.Writeback()
	return nil
}

// Writeback makes durable all that was done before, as a system does by itself
// after some seconds.
func (d *Disk) Writeback() {
	d.journal = nil
	for _, n := range d.unsynced {
		n.dirty = false
	}
	d.unsynced = nil
}

// ready readies a staged file to be placed: durable, and with its metadata.
func (s *Staged) ready(m tree.Meta) (tree.Stat, error) {
	if s.gone || s.node.parent != s.tree.disk.tmp {
		return tree.Stat{}, fs.ErrClosed
	}
	if s.node.dirty && s.node.kind == entry.File {
		if err := s.Sync(); err != nil {
			return tree.Stat{}, err
		}
	}
	if err := s.tree.hook("set staged", ""); err != nil {
		return tree.Stat{}, err
	}
	s.tree.disk.setMeta(s.node, m)
	return s.node.stat(), nil
}
