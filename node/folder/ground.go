package folder

import (
	"context"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/names"
	"github.com/kithmesh/kith/node/tree/watch"
)

// ground is a folder's tree, open, as each of its users sees it.
type ground struct {
	tree   files
	look   look.Tree
	gather gather.Tree
	local  func() ([]byte, error) // reads this device's own rules of ignoring
	watch  func(skip func(entry.Path) bool) watcher
	// traits is what the file system makes of names; nil: it holds all.
	traits func() (names.Traits, error)
}

// files is the tree as the actor reads and changes it; see [tree.Tree] for what
// the methods promise.
type files interface {
	reads
	changes
	keeps
}

type reads interface {
	Lstat(p entry.Path) (tree.Stat, error)
	List(p entry.Path) ([]tree.Child, error)
}

type changes interface {
	Mkdir(p entry.Path, mode uint32) (tree.Stat, error)
	SetMeta(p entry.Path, m tree.Meta, expect tree.Stat) (tree.Stat, error)
	Move(from, to entry.Path, expect tree.Stat, m tree.Meta) (tree.Stat, error)
	Place(p entry.Path, s gather.Staged, m tree.Meta, expect *tree.Stat) (tree.Stat, error)
	Remove(p entry.Path, expect tree.Stat) error
}

type keeps interface {
	Check() error
	Sync() error
	CleanTemporaries(keep func(name string) bool) error
	Recovered() []entry.Path
	Close() error
}

// watcher tells what may have changed; see [watch.Watcher].
type watcher interface {
	Run(ctx context.Context) error
	events
	Degraded() (reason string, ok bool)
	Renew()
}

type events interface {
	Ready() <-chan struct{}
	Changed() <-chan struct{}
	Take() []watch.Event
}

// openGround opens the tree on disk at the folder's root.
func openGround(a *actor) (ground, error) {
	t, err := tree.Open(a.Root, a.ID)
	if err != nil {
		return ground{}, err
	}
	return ground{
		tree: onDisk{t}, look: look.Of(t), gather: gather.Of(t), local: look.LocalRules(a.Root), traits: t.Traits,
		watch: func(skip func(entry.Path) bool) watcher {
			return watch.New(a.Root, watch.Options{Log: a.Log, Skip: skip})
		},
	}, nil
}

type onDisk struct{ *tree.Tree }

// Place places what [gather.Of] has staged.
func (d onDisk) Place(p entry.Path, s gather.Staged, m tree.Meta, expect *tree.Stat) (tree.Stat, error) {
	return d.Tree.Place(p, s.(*tree.Staged), m, expect)
}
