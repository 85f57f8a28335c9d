// Package look compares a folder's files on disk with its index, and says
// what differs. It decides nothing and writes nothing: the folder's actor does,
// after checking that a finding still holds.
//
// A look is one merge-join of the sorted walk of the tree with the index,
// which is kept in the same order, so that an unchanged file costs no look-up.
// The content of what has changed is read, cut into blocks and named here.
//
// # Promises
//
//   - What cannot be read is reported as that, and never as missing: an
//     unreadable directory says nothing about what lies in it.
//   - A file that someone is writing, or that changed while it was read, is
//     reported as unsteady and not as content.
//   - What is missing is reported after all else, and from below, so that
//     content which moved is found in its new place first.
//
// A Looker may be used by several goroutines at once.
package look

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/chunk"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/seal"
)

// Finding is a difference between disk and index at one path.
type Finding struct {
	Path entry.Path
	// Seen is the sequence of the entry that was compared; 0 for none. A
	// finding about an entry that has been replaced since says nothing.
	Seen entry.Sequence
	// Present tells whether something is at the path; Stat says what.
	Present bool
	Stat    tree.Stat
	// Blocks are those of a file, whose content was read, named under Epoch.
	Blocks []entry.Block
	Epoch  entry.Epoch
	// Unsteady: someone is writing the file. Look again later.
	Unsteady bool
	// Err is set if the path could not be looked at; nothing else is known.
	Err error
}

// Target is where to look.
type Target struct {
	Path entry.Path // "" for the whole folder
	// Below: also at all that lies below the path, known or not.
	Below bool
}

// Looker looks at one folder.
type Looker struct {
	Tree   Tree
	DB     *index.DB
	Folder entry.FolderID
	// Keys are those of an epoch, and Epochs those that there are, the one under
	// which new content is named last.
	Keys    func(entry.Epoch) *seal.Keys
	Epochs  func() []entry.Epoch
	Ignores *Ignores
	Now     func() time.Time
	// Spelled, if set, tells whether a path that was found is one under just
	// this name: for file systems that find it under others too.
	Spelled func(entry.Path) bool
	// Alone, if set, has a look run in its caller's goroutine, one file after
	// the other, so that it can be repeated exactly: findings are handed on
	// when Alone says that n are enough, and not by time.
	Alone func(n int) bool

	mu       sync.Mutex
	chunkers map[entry.Epoch]*chunk.Chunker
}

// chunker cuts as content of an epoch is cut.
func (l *Looker) chunker(e entry.Epoch, k *seal.Keys) *chunk.Chunker {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.chunkers == nil {
		l.chunkers = map[entry.Epoch]*chunk.Chunker{}
	}
	c := l.chunkers[e]
	if c == nil {
		c = chunk.New(chunk.Key(k.ChunkKey()))
		l.chunkers[e] = c
	}
	return c
}

// readers is how many files are read at a time.
const readers = 2

// Look reports what differs at the targets, in batches; found may block, and
// its error ends the look. Look returns that error, or the context's, or one
// of the index.
func (l *Looker) Look(ctx context.Context, targets []Target, found func([]Finding) error) error {
	out := newBatcher(found)
	if l.Alone != nil {
		return l.lookAlone(ctx, targets, out)
	}
	defer out.stop()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readers + 1)
	w := &walk{Looker: l, ctx: ctx, out: out, read: func(f Finding) error {
		g.Go(func() error { return out.add(l.content(ctx, f)) })
		return nil
	}}
	g.Go(func() error { return w.all(targets) })
	if err := g.Wait(); err != nil {
		return err
	}
	return out.finish(w.missing)
}

func (l *Looker) lookAlone(ctx context.Context, targets []Target, out *batcher) error {
	out.enough = l.Alone
	w := &walk{Looker: l, ctx: ctx, out: out, read: func(f Finding) error { return out.add(l.content(ctx, f)) }}
	if err := w.all(targets); err != nil {
		return err
	}
	return out.finish(w.missing)
}
