// Package back brings files of the past back to a disk.
//
// It is given the tree of a moment (package past) and a directory, beneath which
// everything happens. What is there already and right is left alone, so that a
// restore which was interrupted goes on when it is asked for again.
//
// # Promises
//
//   - Nothing outside of the directory is read or written, and no symlink is
//     followed.
//   - A file appears under its name whole, after all of it was read again and
//     compared with what its blocks are named after. What stands in its way is
//     what it was when that was decided, or it stays and the file goes beside.
//   - What cannot be had is named in the result, and the rest is restored.
//   - Nothing is deleted but what an undo names, and only if it still is what the
//     batch had left.
//
// A restore is one call; its fetches run beside it and have ended when it
// returns.
package back

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
)

// Overwrite says what becomes of a path that holds something else.
type Overwrite int

// The ways to treat what is there.
const (
	Never     Overwrite = iota // what is restored goes beside it
	IfChanged                  // it is replaced if it is known, so that nothing is lost
	Always                     // it is replaced
)

// Options say where things go, and how.
type Options struct {
	Past *past.Past
	Root *os.Root
	// Staging is a directory beneath the root for files on their way: it is
	// made, and removed in the end.
	Staging   string
	Overwrite Overwrite
	Dry       bool // nothing is changed; the result says what would be
	// Known tells whether what lies at a path is just what some device is known
	// to have had there; nil: nothing is.
	Known func(p entry.Path) bool
	// Keep is called before a path is replaced or removed; an error leaves the
	// path as it is. Nil keeps nothing.
	Keep func(ctx context.Context, p entry.Path) error
	// Now is when the restore is: names beside others say so.
	Now      time.Time
	Progress func(Progress) error // nil: nobody asks
}

// Progress is how far a restore has come.
type Progress struct {
	Files, Bytes           int64
	TotalFiles, TotalBytes int64
}

// What has become of a path.
type What int

// What can become of a path. What was right already is only counted.
const (
	Written  What = iota // nothing was there
	Replaced             // something else was
	Beside               // something else is, and stays
	Removed              // by an undo
	Skipped              // it has changed since
	Missing              // no source has all of it
	Failed               // the disk refuses it
)

// Path is one path and what has become of it.
type Path struct {
	Path entry.Path
	As   entry.Path // where it is, for Beside
	What What
	Err  error // for Missing and Failed
}

// Result is what a restore has done, or would do.
type Result struct {
	Files, Bytes int64 // written
	Same         int64 // files that were right already
	Removed      int64
	Paths        []Path
}

// Partial tells whether something was left undone.
func (r *Result) Partial() bool {
	for _, p := range r.Paths {
		if p.What == Missing || p.What == Failed || p.What == Skipped {
			return true
		}
	}
	return false
}

// Restore brings back what a tree has at a path and below it.
func Restore(ctx context.Context, tree *past.Tree, at entry.Path, o Options) (Result, error) {
	r := newRun(ctx, o)
	from, to := tree.Below(at)
	for row := from; row < to; row++ {
		e := tree.Entry(row)
		r.total(e)
	}
	if err := r.above(at); err != nil {
		return r.out, err
	}
	for row := from; row < to; row++ {
		e, err := tree.Whole(row)
		if err == nil {
			err = r.take(e)
		}
		if err != nil {
			return r.out, errors.Join(err, r.close())
		}
	}
	return r.end()
}

// Undo takes back steps of a batch.
func Undo(ctx context.Context, steps []past.Step, o Options) (Result, error) {
	o.Overwrite = Always
	r := newRun(ctx, o)
	for i := range steps {
		if steps[i].Before != nil {
			r.total(steps[i].Before)
		}
	}
	// What goes is gone before what comes, so that a file can take the place of
	// a directory; the deepest first.
	for i := len(steps) - 1; i >= 0; i-- {
		s := &steps[i]
		if s.Now != nil && (s.Before == nil || s.Before.Kind != s.Now.Kind) {
			r.remove(s.Now)
		}
	}
	for i := range steps {
		s := &steps[i]
		if s.Before == nil {
			continue
		}
		if s.Now != nil && s.Before.Kind == s.Now.Kind && !r.still(s.Now) {
			r.note(Path{Path: s.Path, What: Skipped})
			continue
		}
		if err := errors.Join(r.above(s.Path), r.take(s.Before)); err != nil {
			return r.out, errors.Join(err, r.close())
		}
	}
	return r.end()
}

func newRun(ctx context.Context, o Options) *run {
	r := &run{Options: o, ctx: ctx, moved: map[entry.Path]entry.Path{}}
	r.fetch = newFetcher(ctx, o.Past)
	return r
}

// end finishes what is under way.
func (r *run) end() (Result, error) {
	err := r.flush()
	if err == nil {
		err = r.finishDirectories()
	}
	if err == nil && !r.Dry && r.out.Files > 0 {
		err = syncAll(r.Root)
	}
	err = errors.Join(err, r.close())
	if err != nil {
		err = fmt.Errorf("restore into %q: %w", r.Root.Name(), err)
	}
	return r.out, err
}
