package gather

import (
	"io"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Tree is where content is staged and found; see [tree.Tree] for what its
// methods promise.
type Tree interface {
	Free() (uint64, error)
	Stage(name string) (Staged, error)
	StageSymlink(name, target string) (Staged, error)
	OpenFile(p entry.Path) (File, error)
	Sync() error
}

// Staged is a file or symlink that is not in the folder yet; see [tree.Staged].
type Staged interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Extent
}

// Extent is how much room a [Staged] takes.
type Extent interface {
	Truncate(size int64) error
	Size() (int64, error)
	Allocated() (int64, error)
	StartWriteback(off, n int64)
}

// File is an open file of a [Tree].
type File interface {
	io.ReaderAt
	io.Closer
}

// Of lets content be gathered for a tree on disk; what it stages is of type
// [*tree.Staged].
func Of(t *tree.Tree) Tree { return onDisk{t} }

type onDisk struct{ *tree.Tree }

func (d onDisk) Stage(name string) (Staged, error) { return staged(d.Tree.Stage(name)) }

func (d onDisk) StageSymlink(name, target string) (Staged, error) {
	return staged(d.Tree.StageSymlink(name, target))
}

func staged(s *tree.Staged, err error) (Staged, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (d onDisk) OpenFile(p entry.Path) (File, error) {
	f, err := d.Tree.OpenFile(p)
	if err != nil {
		return nil, err
	}
	return f, nil
}
