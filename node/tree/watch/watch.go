// Package watch tells which paths of a folder may have changed, as soon as
// they do.
//
// It keeps one watch of the operating system on each directory below a root.
// It opens directories to list them, and never a file.
//
// # Promises
//
//   - Once [Watcher.Ready] is closed, every change below the root is followed
//     by an event for its path or by a recursive one for a directory above it,
//     and that event can be taken only after the change: who looks at what
//     [Watcher.Take] returns misses nothing. The exceptions are directories
//     that could not be watched, of which [Watcher.Degraded] tells; those that
//     Options.Skip left out; and what the system makes no event for: writes to
//     mapped memory, other machines' changes on a network file system, an
//     unmount, and the second name of a directory that is mounted twice.
//     Scanning now and then finds those.
//   - An event may be one too many: the path may be as it was.
//   - There is no delay: an event can be taken within a millisecond or so.
//     What comes while nobody takes is merged, and beyond some thousands of
//     paths summed up by directory, so memory stays bounded.
//   - Nothing is ever lost silently. When the system drops events, all watches
//     are set anew and everything is reported as changed.
//   - Symlinks are never followed. kith's own directory and temporary files
//     are neither watched nor reported.
//   - While nothing changes, nothing runs.
//
// A Watcher is safe for concurrent use.
package watch

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/kithmesh/kith/index/entry"
)

// Event is a path that may have changed. If nothing is there any more, what
// was below it has gone too.
type Event struct {
	Path entry.Path
	// Recursive: so may everything below it. At the empty Path that is the
	// whole folder, or its root is not what it was.
	Recursive bool
}

// Options of a [Watcher]. The zero value works.
type Options struct {
	// Skip tells of directories that need no watching, nor does anything
	// below them. It is called by Run for every directory that is met, and
	// must not call back into the Watcher, Renew excepted. What it says of a
	// directory is asked once: [Watcher.Renew] makes it asked again.
	Skip func(p entry.Path) bool
	Log  *slog.Logger
}

// Watcher watches one directory tree.
type Watcher struct {
	root string
	skip func(p entry.Path) bool
	log  *slog.Logger

	ready   chan struct{}
	changed chan struct{} // holds one token if pending is not empty
	renew   chan struct{} // holds one token if Renew was called

	mu       sync.Mutex
	pending  pending
	degraded string
}

// New makes a watcher of the tree below root, an absolute path. Nothing
// happens before [Watcher.Run].
func New(root string, opts Options) *Watcher {
	w := &Watcher{
		root: filepath.Clean(root), skip: opts.Skip, log: opts.Log,
		ready: make(chan struct{}), changed: make(chan struct{}, 1), renew: make(chan struct{}, 1),
	}
	if w.skip == nil {
		w.skip = func(entry.Path) bool { return false }
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	return w
}

// Run watches until ctx ends, and then returns nil. It may be called once.
// Whatever cannot be watched is told by [Watcher.Degraded] and no error.
func (w *Watcher) Run(ctx context.Context) error {
	r := &runner{Watcher: w}
	defer r.stop()
	r.start(ctx)
	close(w.ready)
	for ctx.Err() == nil {
		r.turn(ctx)
	}
	return nil
}

// Ready is closed when the watches are set for the first time. A scan that
// began earlier may miss changes that no event tells of.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Changed delivers when there is something to [Watcher.Take].
func (w *Watcher) Changed() <-chan struct{} { return w.changed }

// Take returns what may have changed since it was last called, in tree order
// and without what a recursive event covers. It never waits.
func (w *Watcher) Take() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pending.take()
}

// Degraded tells that changes may go unnoticed, and why. That can begin at any
// event, and ends only with [Watcher.Renew], which should be called now and
// then for as long as it lasts.
func (w *Watcher) Degraded() (reason string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.degraded, w.degraded != ""
}

// Renew asks for all watches to be set anew, and does not wait for it. When
// they are, the whole folder is reported as changed. It is for a watcher that
// is degraded, for a root that was replaced, and for when Options.Skip would
// now answer otherwise.
func (w *Watcher) Renew() {
	select {
	case w.renew <- struct{}{}:
	default:
	}
}

func (w *Watcher) report(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending.add(e)
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// degrade notes why changes may go unnoticed; the first reason stays until
// all watches are set anew. The empty reason takes it back.
func (w *Watcher) degrade(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if reason != "" && w.degraded != "" {
		return
	}
	w.degraded = reason
	if reason != "" {
		w.log.Warn("changes may go unnoticed until the next scan", "root", w.root, "reason", reason)
	}
}
