package treetest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Tree is a [Disk] that is open; see [tree.Tree] for what each method promises.
type Tree struct {
	disk      *Disk
	dead      bool
	recovered []entry.Path
}

// Open opens the disk, for one program alone, and puts right what a crash may
// have left, as [tree.Open] does.
func (d *Disk) Open() (*Tree, error) {
	switch {
	case d.Away != nil:
		return nil, fmt.Errorf("open folder: %w", d.Away)
	case d.tree != nil:
		return nil, fmt.Errorf("open folder: %w", tree.ErrInUse)
	}
	t := &Tree{disk: d}
	d.tree = t
	if err := t.recover(); err != nil {
		d.tree = nil
		return nil, fmt.Errorf("open folder: recover: %w", err)
	}
	return t, nil
}

// Close lets go of the disk.
func (t *Tree) Close() error {
	if t.disk.tree == t {
		t.disk.tree = nil
	}
	t.dead = true
	return nil
}

// Kill ends the program that has the disk open, if any does.
func (d *Disk) Kill() {
	if d.tree != nil {
		_ = d.tree.Close()
	}
}

// Check tells whether the root is where it was.
func (t *Tree) Check() error {
	if err := t.hook("check", ""); err != nil {
		return err
	}
	if t.disk.Away != nil {
		return fmt.Errorf("check folder: %w", t.disk.Away)
	}
	return nil
}

// Recovered lists what Open brought back.
func (t *Tree) Recovered() []entry.Path { return t.recovered }

// Free is how many bytes may be written.
func (t *Tree) Free() (uint64, error) {
	if err := t.hook("free", ""); err != nil {
		return 0, err
	}
	return t.disk.Room, nil
}

// hook is called before every step. The Tree of a program that has ended does
// nothing.
func (t *Tree) hook(point string, p entry.Path) error {
	if t.dead {
		return fs.ErrClosed
	}
	if err := t.disk.Hook(point, p); err != nil {
		return err
	}
	if t.dead {
		return fs.ErrClosed
	}
	return nil
}

// asideName tells what is in the aside and why, as the name of the file there
// does on a real disk.
type asideName struct {
	staged uint64
	want   tree.Stat
	base   string
}

// recover drops what was to be replaced or removed, and what was to replace
// it, and brings back all else.
func (t *Tree) recover() error {
	d := t.disk
	for _, name := range slices.Sorted(maps.Keys(d.aside.children)) {
		out := spot{dir: d.aside, name: name}
		n, a := out.node(), d.asides[name]
		if err := t.hook("recover", ""); err != nil {
			return err
		}
		a.want.Target = n.target // the inode stands for it
		if a.staged != 0 && n.inode == a.staged && n.kind != entry.Directory || t.known(out, a.want) == nil {
			d.unlink(n)
			continue
		}
		at := spot{dir: d.root, name: d.beside(a.base)}
		d.rename(n, at)
		t.recovered = append(t.recovered, entry.Path(at.name))
	}
	return nil
}

// beside is a fresh name for content that was displaced.
func (d *Disk) beside(base string) string {
	return fmt.Sprintf("%s (kept %012x)", base, d.names.Uint64()&(1<<48-1))
}
