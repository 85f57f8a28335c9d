package treetest

import (
	"io/fs"
	"strings"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// spot is one name in a directory, which may since have lost its own.
type spot struct {
	dir  *node
	name string
	path entry.Path
}

func (s spot) node() *node { return s.dir.children[s.name] }

// descend finds a directory beneath another, through directories only.
func descend(from *node, p entry.Path) (*node, error) {
	if p == "" {
		return from, nil
	}
	for name := range strings.SplitSeq(string(p), "/") {
		n := from.children[name]
		switch {
		case n == nil:
			return nil, fs.ErrNotExist
		case n.kind == entry.Symlink:
			return nil, tree.ErrThroughLink
		case n.kind != entry.Directory:
			return nil, tree.ErrNotDirectory
		case n.failing != nil:
			return nil, n.failing
		}
		from = n
	}
	return from, nil
}

// check refuses what no path of a folder may be.
func check(p entry.Path) error {
	if strings.HasPrefix(string(p), entry.Temporary) || strings.Contains(string(p), "/"+entry.Temporary) {
		return tree.ErrReserved
	}
	_, err := entry.ParsePath(string(p))
	return err
}

func (d *Disk) spot(p entry.Path) (spot, error) {
	if err := check(p); err != nil {
		return spot{}, err
	}
	dir, err := descend(d.root, p.Parent())
	return spot{dir, p.Name(), p}, err
}

// gone tells whether a directory has been removed.
func (d *Disk) gone(dir *node) bool {
	return dir.links == 0 && dir != d.root && dir != d.tmp && dir != d.aside
}

// step notes how to take back one change of names or metadata.
func (d *Disk) step(undo func()) { d.journal = append(d.journal, undo) }

// attach gives a node a name that is free.
func (d *Disk) attach(n *node, at spot) {
	at.dir.children[at.name] = n
	n.parent, n.name, n.links = at.dir, at.name, 1
	d.touch(at.dir)
	if p, ok := d.path(n); ok {
		d.Noticed(p, n.kind == entry.Directory)
	}
}

// detach takes a node's name away.
func (d *Disk) detach(n *node) {
	d.notice(n, false)
	delete(n.parent.children, n.name)
	d.touch(n.parent)
	n.parent, n.links = nil, 0
}

func (d *Disk) touch(n *node) { n.changeTime = d.now() }

// create gives a new node a name that is free.
func (d *Disk) create(n *node, at spot) {
	d.attach(n, at)
	d.step(func() { d.detach(n) })
}

// unlink takes away the name of a node for good.
func (d *Disk) unlink(n *node) {
	at := spot{dir: n.parent, name: n.name}
	d.detach(n)
	d.step(func() { d.attach(n, at) })
	if n.writers == 0 {
		d.inodes.free = append(d.inodes.free, n.inode)
	}
}

// rename moves a node to a name that is free.
func (d *Disk) rename(n *node, to spot) {
	from, was := spot{dir: n.parent, name: n.name}, n.changeTime
	d.detach(n)
	d.attach(n, to)
	d.touch(n)
	d.step(func() {
		d.detach(n)
		d.attach(n, from)
		n.changeTime = was
	})
}

// exchange swaps the names of two nodes.
func (d *Disk) exchange(a, b *node) {
	atA, atB := spot{dir: a.parent, name: a.name}, spot{dir: b.parent, name: b.name}
	timeA, timeB := a.changeTime, b.changeTime
	swap := func(atA, atB spot) {
		d.detach(a)
		d.detach(b)
		d.attach(a, atA)
		d.attach(b, atB)
	}
	swap(atB, atA)
	d.touch(a)
	d.touch(b)
	d.step(func() {
		swap(atA, atB)
		a.changeTime, b.changeTime = timeA, timeB
	})
}

// setMeta sets what differs, as far as the kind has it.
func (d *Disk) setMeta(n *node, m tree.Meta) {
	mode, modTime, changeTime := n.mode, n.modTime, n.changeTime
	if n.kind != entry.Symlink {
		n.mode = m.Mode & 0o777
	}
	if n.kind != entry.Directory {
		n.modTime = m.ModTime
	}
	if n.mode == mode && n.modTime == modTime {
		return
	}
	d.touch(n)
	d.notice(n, false)
	d.step(func() { n.mode, n.modTime, n.changeTime = mode, modTime, changeTime })
}

// write gives a file another content.
func (d *Disk) write(n *node, body []byte) {
	if !n.dirty {
		n.dirty, n.safe = true, content{n.body, n.modTime, n.changeTime}
		d.unsynced = append(d.unsynced, n)
	}
	n.body = body
	n.modTime, n.changeTime = d.now(), d.now()
	d.notice(n, false)
}

// stat is what the file system says of a node.
func (n *node) stat() tree.Stat {
	s := tree.Stat{Kind: n.kind, Mode: n.mode, Disk: entry.Disk{Inode: n.inode, ChangeTime: n.changeTime}}
	switch n.kind {
	case entry.File:
		s.Size, s.ModTime = int64(len(n.body)), n.modTime
	case entry.Symlink:
		s.Mode, s.ModTime, s.Target = 0o777, n.modTime, n.target
	case entry.Deleted, entry.Directory:
	}
	return s
}
