package restore

import (
	"io"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Target is where files are restored to. Paths are relative to it. What its
// methods promise is as in package tree; errors say what was attempted.
type Target interface {
	reads
	stages
	changes
	frames
}

type reads interface {
	Lstat(p entry.Path) (tree.Stat, error)
	OpenFile(p entry.Path) (File, error)
}

// File is an open file of a [Target].
type File interface {
	io.ReaderAt
	io.Closer
}

type stages interface {
	Stage(name string) (Staged, error)
	StageSymlink(name, target string) (Staged, error)
}

// Staged is a file or a symlink that is not in its place yet.
type Staged interface {
	io.ReaderAt
	io.WriterAt
	// Finish closes it after the last write, to be placed with the same metadata.
	Finish(m tree.Meta) error
	StartWriteback(off, n int64)
	Discard() error
}

type changes interface {
	Mkdir(p entry.Path, mode uint32) error
	Place(p entry.Path, s Staged, m tree.Meta, expect *tree.Stat) error
	SetMeta(p entry.Path, m tree.Meta, expect tree.Stat) error
	Remove(p entry.Path, expect tree.Stat) error
	Sync() error
}

// frames are what is around a run.
type frames interface {
	// Begin makes the target ready for changes, and removes what an earlier run
	// has left behind.
	Begin() error
	// Finish makes all durable that was done, after the last change.
	Finish() error
	// End comes after each Begin, also when a run was given up.
	End() error
}

// InPlace is the folder's own tree as a target. The staged files of a run that
// was killed are removed by the folder when it opens its tree the next time;
// meanwhile it must not clean up those whose names begin with [StagedPrefix].
func InPlace(t *tree.Tree) Target { return inPlace{t} }

// StagedPrefix begins the names of staged files.
const StagedPrefix = "restore"

type inPlace struct{ *tree.Tree }

func (i inPlace) OpenFile(p entry.Path) (File, error) {
	f, err := i.Tree.OpenFile(p)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (i inPlace) Stage(name string) (Staged, error) { return staged(i.Tree.Stage(name)) }

func (i inPlace) StageSymlink(name, target string) (Staged, error) {
	return staged(i.Tree.StageSymlink(name, target))
}

func staged(s *tree.Staged, err error) (Staged, error) {
	if err != nil {
		return nil, err
	}
	return stagedInPlace{s}, nil
}

// stagedInPlace gets its metadata when it is placed.
type stagedInPlace struct{ *tree.Staged }

func (s stagedInPlace) Finish(tree.Meta) error { return s.Close() }

func (i inPlace) Mkdir(p entry.Path, mode uint32) error {
	_, err := i.Tree.Mkdir(p, mode)
	return err
}

func (i inPlace) Place(p entry.Path, s Staged, m tree.Meta, expect *tree.Stat) error {
	_, err := i.Tree.Place(p, s.(stagedInPlace).Staged, m, expect)
	return err
}

func (i inPlace) SetMeta(p entry.Path, m tree.Meta, expect tree.Stat) error {
	_, err := i.Tree.SetMeta(p, m, expect)
	return err
}

func (i inPlace) Begin() error  { return i.Tree.Check() }
func (i inPlace) Finish() error { return i.Tree.Sync() }
func (i inPlace) End() error    { return nil }
