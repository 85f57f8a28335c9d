package look

import (
	"io"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Tree is what a look reads of a folder's tree; see [tree.Tree] for what its
// methods promise.
type Tree interface {
	Lstat(p entry.Path) (tree.Stat, error)
	List(p entry.Path) ([]tree.Child, error)
	OpenFile(p entry.Path) (File, error)
}

// File is an open file of a [Tree].
type File interface {
	io.ReadCloser
	Stat() (tree.Stat, error)
	Busy() (bool, error)
}

// Of lets looks be made at a tree on disk.
func Of(t *tree.Tree) Tree { return onDisk{t} }

type onDisk struct{ *tree.Tree }

func (d onDisk) OpenFile(p entry.Path) (File, error) {
	f, err := d.Tree.OpenFile(p)
	if err != nil {
		return nil, err
	}
	return f, nil
}
