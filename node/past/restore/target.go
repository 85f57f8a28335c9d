package restore

import (
	"fmt"
	"io"
	"slices"

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
	// Names are all names in a directory, sorted.
	Names(p entry.Path) ([]string, error)
}

// Lies is what lies at a path.
type Lies struct {
	tree.Stat
	Below []Below // all that is in a directory which is to go, in tree order
}

// Below is one path in a directory.
type Below struct {
	Path entry.Path // at the target
	tree.Stat
}

// File is an open file of a [Target].
type File interface {
	io.ReaderAt
	io.Closer
}

type stages interface {
	Stage(name string) (Staged, error)
	StageSymlink(name, target string) (Staged, error)
	// Reopen gives what an earlier run has staged under a name, whatever is in it,
	// or nil.
	Reopen(name string) (Staged, error)
}

// Staged is a file or a symlink that is not in its place yet.
type Staged interface {
	io.ReaderAt
	io.WriterAt
	// Finish closes it after the last write, to be placed with the same metadata.
	Finish(m tree.Meta) error
	StartWriteback(off, n int64)
	// Discard closes it for good. keep: a later run may make use of it.
	Discard(keep bool) error
}

type changes interface {
	Mkdir(p entry.Path, mode uint32) error
	// Place puts what is staged in the place of what is expected there, a
	// directory with all that is in it; of nothing, if expect is nil.
	Place(p entry.Path, s Staged, m tree.Meta, expect *Lies) error
	SetMeta(p entry.Path, m tree.Meta, expect tree.Stat) error
	Remove(p entry.Path, expect tree.Stat) error
	Sync() error
}

// frames are what is around a run.
type frames interface {
	// Interrupted tells whether an earlier run may have been ended early.
	Interrupted() bool
	// Begin makes the target ready for changes.
	Begin() error
	// Finish makes all durable that was done, after the last change.
	Finish() error
	// End comes after each Begin, also when a run was given up. What is staged
	// then and was not discarded is kept for a later run, for a day.
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

// Reopen gives nothing: an interrupted run fetches again what it had not placed.
func (i inPlace) Reopen(string) (Staged, error) { return nil, nil }

func staged(s *tree.Staged, err error) (Staged, error) {
	if err != nil {
		return nil, err
	}
	return stagedInPlace{s}, nil
}

// stagedInPlace gets its metadata when it is placed.
type stagedInPlace struct{ *tree.Staged }

func (s stagedInPlace) Finish(tree.Meta) error { return s.Close() }

func (s stagedInPlace) Discard(bool) error { return s.Staged.Discard() }

func (i inPlace) Mkdir(p entry.Path, mode uint32) error {
	_, err := i.Tree.Mkdir(p, mode)
	return err
}

func (i inPlace) Place(p entry.Path, s Staged, m tree.Meta, expect *Lies) error {
	var stat *tree.Stat
	switch {
	case expect == nil:
	case expect.Kind == entry.Directory:
		if err := i.removeAll(p, expect); err != nil {
			return err
		}
	default:
		stat = &expect.Stat
	}
	_, err := i.Tree.Place(p, s.(stagedInPlace).Staged, m, stat)
	return err
}

// removeAll removes a directory, path by path, if nothing in it has changed.
func (i inPlace) removeAll(p entry.Path, expect *Lies) error {
	for _, b := range expect.Below {
		st, err := i.Lstat(b.Path)
		if err != nil {
			return err
		}
		if !st.Same(b.Stat) {
			return fmt.Errorf("remove %q: %w", b.Path, tree.ErrChanged)
		}
	}
	for _, b := range slices.Backward(expect.Below) {
		if err := i.Tree.Remove(b.Path, b.Stat); err != nil {
			return err
		}
	}
	return i.Tree.Remove(p, expect.Stat)
}

func (i inPlace) Names(p entry.Path) ([]string, error) {
	children, err := i.List(p)
	names := make([]string, len(children))
	for n := range children {
		names[n] = children[n].Name
	}
	return names, err
}

func (i inPlace) SetMeta(p entry.Path, m tree.Meta, expect tree.Stat) error {
	_, err := i.Tree.SetMeta(p, m, expect)
	return err
}

func (i inPlace) Interrupted() bool { return false }
func (i inPlace) Begin() error      { return i.Tree.Check() }
func (i inPlace) Finish() error     { return i.Tree.Sync() }
func (i inPlace) End() error        { return nil }
