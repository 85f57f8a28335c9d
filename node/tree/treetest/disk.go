// Package treetest is a folder on a disk that exists in memory only, for tests
// that need a disk to fail, to lose power, or to be fast.
//
// A [Disk] stands for what outlives a program: files with inodes and times,
// and what of them would survive a loss of power. Its own methods are what a
// person does to the files, each in one step. [Disk.Open] opens it for a
// program: the [Tree] that it returns keeps the contract of [tree.Tree], step
// by step, with the same errors; a test in this package does the same things
// to both and compares.
//
// # What can go wrong
//
// Between any two steps of a Tree, [Disk.Hook] is called. It may let a person
// act, return the error that the step is to fail with, or panic to end the
// program there. [Disk.Kill] ends a program: its Tree does nothing any more.
// [Disk.LosePower] also takes back what was not synced: changes of names in
// the order opposite to that in which they were made, as far back as a journal
// may be behind, and of the content of files any part.
//
// # Concurrency
//
// A Disk and all that comes from it belong to one goroutine at a time.
package treetest

import (
	"math/rand/v2"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// Disk is a folder's root, marked, on a file system of its own.
type Disk struct {
	// Hook is called before each step of an open Tree, with the path in
	// question, if any. An error makes the step fail.
	Hook func(point string, p entry.Path) error
	// Noticed is told of each change that a watcher would see: below says that
	// anything below the path may be new.
	Noticed func(p entry.Path, below bool)
	// Placed is told of each file that a Tree puts at a path.
	Placed func(p entry.Path, body []byte)
	// Clock is the time of the file system in nanoseconds since 1970, and
	// Grain how coarse it is.
	Clock func() int64
	Grain int64
	// Room is how many bytes are free.
	Room uint64
	// Away, if set, is why the root is not where it was; what is open stays so.
	Away error
	// Careless makes a Tree place files that are not synced: a fault to be
	// found.
	Careless bool

	id    entry.FolderID
	rng   *rand.Rand
	names *rand.Rand // of fresh names

	root, tmp, aside *node
	asides           map[string]asideName
	tree             *Tree // that is open
	inodes           inodes
	journal          []func() // takes back, last first, what was not synced
	unsynced         []*node  // whose content was not
	trash            []*node
}

// New makes an empty folder. What is left to chance follows from rng.
func New(id entry.FolderID, rng *rand.Rand) *Disk {
	d := &Disk{
		Hook: func(string, entry.Path) error { return nil }, Noticed: func(entry.Path, bool) {},
		Placed: func(entry.Path, []byte) {}, Clock: func() int64 { return 0 }, Grain: 1, Room: 1 << 40,
		id: id, rng: rng, names: rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64())), asides: map[string]asideName{},
	}
	for _, dir := range []**node{&d.root, &d.tmp, &d.aside} {
		*dir = &node{inode: d.inodes.next(d.rng), kind: entry.Directory, mode: 0o755, children: map[string]*node{}, links: 1}
	}
	d.journal = nil
	return d
}

// node is one file, directory, symlink or, of kind 0, something else.
type node struct {
	inode      uint64
	kind       entry.Kind
	mode       uint32
	modTime    int64
	changeTime int64
	body       []byte // of a file; replaced and never changed in place
	target     string // of a symlink
	children   map[string]*node

	parent  *node // nil while it has no name
	name    string
	links   int // 1 while it has a name
	writers int // who has it open for writing

	// The rest is what a loss of power leaves of the content.
	dirty bool
	safe  content
	// staged tells that a Tree has written it, and no person since.
	staged bool
	// failing is the error of reading it.
	failing error
}

type content struct {
	body                []byte
	modTime, changeTime int64
}

// inodes gives out numbers, and often those of what is gone once more, as file
// systems do.
type inodes struct {
	last uint64
	free []uint64
}

func (i *inodes) next(rng *rand.Rand) uint64 {
	if n := len(i.free); n > 0 && rng.IntN(2) == 0 {
		inode := i.free[n-1]
		i.free = i.free[:n-1]
		return inode
	}
	i.last++
	return i.last + 100
}

func (d *Disk) now() int64 {
	t := d.Clock()
	return t - t%max(d.Grain, 1)
}

func (d *Disk) newNode(kind entry.Kind, mode uint32) *node {
	now := d.now()
	n := &node{inode: d.inodes.next(d.rng), kind: kind, mode: mode, modTime: now, changeTime: now}
	if kind == entry.Directory {
		n.children = map[string]*node{}
	}
	return n
}

// path is where a node lies in the folder; ok is false of what lies elsewhere.
func (d *Disk) path(n *node) (p entry.Path, ok bool) {
	var names []string
	for n != d.root {
		if n == nil || n.parent == nil {
			return "", false
		}
		names = append(names, n.name)
		n = n.parent
	}
	for _, name := range slices.Backward(names) {
		p = p.Join(name)
	}
	return p, true
}

func (d *Disk) notice(n *node, below bool) {
	if p, ok := d.path(n); ok {
		d.Noticed(p, below)
	}
}
