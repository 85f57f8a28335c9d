package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"

	"github.com/kithmesh/kith/index/entry"
)

const (
	// tempPrefix begins the names of temporary files that package tree and
	// package durable write.
	tempPrefix = entry.Temporary
	// maxBacklog is how many events wait while watches are being set.
	maxBacklog = 1 << 16
	// listAtOnce is how many names of a directory are held in memory.
	listAtOnce = 1024
)

// runner is the state of one Run. All of it belongs to that goroutine.
type runner struct {
	*Watcher

	source  *source  // nil if there is none to be had
	tree    *os.Root // nil if the root is missing
	watched dirs
	backlog []fsnotify.Event // came while watches were being set
	lost    bool             // events were dropped
}

// turn waits for one thing to do, and does it.
func (r *runner) turn(ctx context.Context) {
	if r.lost {
		r.restart(ctx, "events were lost, all is looked at again")
		return
	}
	if len(r.backlog) > 0 {
		e := r.backlog[0]
		r.backlog = r.backlog[1:]
		r.handle(ctx, e)
		return
	}
	var events chan fsnotify.Event
	var faults chan error
	if r.source != nil {
		events, faults = r.source.Events, r.source.faults
	}
	select {
	case <-ctx.Done():
	case <-r.renew:
		r.restart(ctx, "watches are set anew")
	case e := <-events:
		r.handle(ctx, e)
	case err := <-faults:
		r.fault(err)
	}
}

// drain takes what has come without waiting, so that the system's queue does
// not run over while many watches are being set.
func (r *runner) drain() {
	for !r.lost {
		select {
		case e := <-r.source.Events:
			if len(r.backlog) == maxBacklog {
				r.backlog, r.lost = nil, true
				return
			}
			r.backlog = append(r.backlog, e)
		case err := <-r.source.faults:
			r.fault(err)
			return
		default:
			return
		}
	}
}

// fault deals with an error of the source. Any but a full queue ends it, so
// that one which persists cannot keep us busy.
func (r *runner) fault(err error) {
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		r.lost = true
		return
	}
	r.stop()
	r.degrade(fmt.Sprintf("watching ended: %v", err))
	r.report(Event{Recursive: true})
}

// restart sets all watches anew, on a new source: that is certain to hold no
// watch under the name of a directory that has moved.
func (r *runner) restart(ctx context.Context, why string) {
	r.log.Debug(why, "root", r.root, "watched", r.watched.count)
	r.stop()
	r.start(ctx)
	r.report(Event{Recursive: true})
}

func (r *runner) stop() {
	if r.source != nil {
		r.source.close()
	}
	if r.tree != nil {
		_ = r.tree.Close() // was only read
	}
	*r = runner{Watcher: r.Watcher}
}

func (r *runner) start(ctx context.Context) {
	r.degrade("")
	var err error
	if r.tree, err = os.OpenRoot(r.root); err != nil {
		r.degrade(fmt.Sprintf("the folder cannot be watched: %v", err))
		return
	}
	if r.source, err = open(); err != nil {
		r.degrade(fmt.Sprintf("the system gives no watches: %v", err))
		return
	}
	r.add(ctx, "")
}

// add watches p, which is not, and the directories below it.
func (r *runner) add(ctx context.Context, p entry.Path) {
	todo := []entry.Path{p}
	for len(todo) > 0 && ctx.Err() == nil {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if err := r.watch(p); err != nil {
			if !r.refused(p, err) {
				return
			}
			continue
		}
		// Listed only now: what is made from here on makes an event.
		var err error
		if todo, err = r.list(p, todo); err != nil {
			r.unlisted(p, err)
		}
		if r.drain(); r.lost || r.source == nil {
			return
		}
	}
}

// watch watches one directory. The system has one watch for a directory,
// whatever its name: where one is left under an older name, which an event
// still to come will say has gone, that event would end the new one with it.
func (r *runner) watch(p entry.Path) error {
	info, err := r.tree.Lstat(local(p))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return syscall.ENOTDIR
	}
	id := identify(info)
	if old, ok := r.watched.known(id); ok && old != p {
		r.drop(old)
	}
	if err := r.source.Add(r.name(p)); err != nil {
		return err
	}
	r.watched.add(p, id)
	return nil
}

// refused deals with a directory that could not be watched, and tells whether
// it makes sense to go on with others.
func (r *runner) refused(p entry.Path, err error) bool {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		r.degrade(fmt.Sprintf("the system's limit of watches (fs.inotify.max_user_watches) is reached after %d directories", r.watched.count))
		return false
	case errors.Is(err, fs.ErrPermission):
		// A scan shows what cannot be read; when it can be, an event comes.
		return true
	case r.gone(p, err):
		return true
	}
	r.degrade(fmt.Sprintf("watch %q: %v", p, err))
	return true
}

// gone tells whether err comes of p having gone meanwhile, of which an event
// tells even if it has come back since.
func (r *runner) gone(p entry.Path, err error) bool {
	return r.stays() && (errors.Is(err, fs.ErrNotExist) || !r.isDir(p))
}

// stays tells whether the root's path still leads to the root: a directory
// above it may have been renamed, and of that no event tells.
func (r *runner) stays() bool {
	there, err := os.Stat(r.root)
	if err != nil {
		return false
	}
	here, err := r.tree.Stat(".")
	return err == nil && os.SameFile(there, here)
}

// unlisted deals with a directory that is watched but could not be listed.
func (r *runner) unlisted(p entry.Path, err error) {
	if r.gone(p, err) {
		r.drop(p) // a symlink may have taken its place, and been watched
		return
	}
	r.degrade(fmt.Sprintf("list %q: %v", p, err))
}

// list appends the directories in p that are to be watched. It needs no look
// at any of them where the file system tells types with names.
func (r *runner) list(p entry.Path, to []entry.Path) ([]entry.Path, error) {
	d, err := r.tree.Open(local(p))
	if err != nil {
		return to, err
	}
	defer func() { _ = d.Close() }()
	for {
		entries, err := d.ReadDir(listAtOnce)
		for _, e := range entries {
			if sub := p.Join(e.Name()); e.IsDir() && !own(sub) && !r.skip(sub) {
				to = append(to, sub)
			}
		}
		if err == io.EOF {
			return to, nil
		}
		if err != nil {
			return to, err
		}
	}
}

// drop ends the watches on p and below it.
func (r *runner) drop(p entry.Path) {
	r.watched.cut(p, func(p entry.Path) {
		// It fails if the system has ended the watch already.
		_ = r.source.Remove(r.name(p))
	})
}

// handle sees to the watches that an event changes, and reports it.
func (r *runner) handle(ctx context.Context, e fsnotify.Event) {
	p, ok := r.path(e.Name)
	if !ok || own(p) {
		return
	}
	if p == "" {
		if e.Has(fsnotify.Remove | fsnotify.Rename) {
			r.restart(ctx, "the root has moved or is gone")
		} else {
			r.report(Event{})
		}
		return
	}
	wasDir := r.watched.has(p)
	if wasDir && !e.Has(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) || !wasDir && !e.Has(fsnotify.Create|fsnotify.Chmod) {
		r.report(Event{Path: p})
		return
	}
	// A directory has come or gone, or perhaps it can be read only now.
	// What we know of the directory may be older than the event or newer, and
	// another one may have taken its place: so begin from nothing.
	r.drop(p)
	isDir := r.isDir(p)
	if isDir && !r.skip(p) {
		r.add(ctx, p)
	}
	if r.source != nil { // else the whole folder has been reported
		r.report(Event{Path: p, Recursive: isDir || wasDir})
	}
}

func (r *runner) isDir(p entry.Path) bool {
	info, err := r.tree.Lstat(local(p))
	return err == nil && info.IsDir()
}

// name is the path of p for the system.
func (r *runner) name(p entry.Path) string { return filepath.Join(r.root, local(p)) }

// path is the path below the root of what the system calls name.
func (r *runner) path(name string) (entry.Path, bool) {
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(r.root, string(filepath.Separator)))
	return entry.Path(strings.TrimLeft(filepath.ToSlash(rest), "/")), ok
}

// local is p relative to the root, as package os takes it.
func local(p entry.Path) string {
	if p == "" {
		return "."
	}
	return filepath.FromSlash(string(p))
}

// own tells of kith's own directory and temporary files.
func own(p entry.Path) bool {
	s := string(p)
	return s == entry.Reserved || strings.HasPrefix(s, entry.Reserved+"/") ||
		strings.HasPrefix(s, tempPrefix) || strings.Contains(s, "/"+tempPrefix)
}
