package folder

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/names"
)

// disk is the folder's tree while it is there, with all that works on it.
type disk struct {
	ground
	ignores  *look.Ignores
	looker   *look.Looker
	gatherer *gather.Gatherer
	watcher  watcher
	names    names.Traits

	ctx    context.Context // ends when the tree goes away
	cancel context.CancelFunc
	users  sync.WaitGroup // what runs beside the actor

	ready bool // the watcher sees every change from now on

	mu     sync.RWMutex // held for reading while a file is read for a member
	closed bool
}

const (
	diskRetry = 2 * time.Second // how often a tree that is away is looked for
	// reserve is what a folder leaves free on its disk, in bytes.
	reserve = 64 << 20
)

// openDisk opens the tree, or notes why it cannot be.
func (a *actor) openDisk(now time.Time) {
	g, err := a.around.open(a)
	if err != nil {
		a.diskDue = now.Add(diskRetry)
		a.away(err)
		return
	}
	d := &disk{ground: g, ignores: look.NewIgnores(g.look, g.local)}
	d.ctx, d.cancel = context.WithCancel(a.ctx)
	d.looker = &look.Looker{
		Tree: g.look, DB: a.DB, Folder: a.ID, Keys: a.key, Epochs: a.Epochs, Ignores: d.ignores, Now: a.Clock, Alone: a.around.alone,
	}
	d.gatherer = &gather.Gatherer{
		Tree: g.gather, DB: a.DB, Folder: a.ID, Keys: a.key, Log: a.Log, Reserve: reserve, Alone: a.around.alone != nil,
	}
	d.watcher = g.watch(func(p entry.Path) bool {
		ignored, _, err := d.ignores.Match(p, true)
		return err == nil && ignored
	})
	a.around.beside(d, func() { _ = d.watcher.Run(d.ctx) })
	for _, p := range g.tree.Recovered() {
		a.Log.Warn("brought back what a crash had left aside", "path", string(p))
	}
	if a.problem != nil {
		a.Log.Info("the folder's tree is back", "path", a.Root)
	}
	if g.traits != nil {
		if d.names, err = g.traits(); err != nil {
			a.Log.Warn("find out what names the file system holds", "error", err)
		}
	}
	a.disk, a.problem, a.stale = d, nil, true
	if d.names.Folds() {
		d.looker.Spelled = d.spelled
	}
	keep := a.staged()
	a.cleanUp(keep)
	a.littered = len(keep) > 0
	a.Folder.disk.Store(d)
	a.dirty.add("", true, now)
}

// staged are the names of staged files that are still of use.
func (a *actor) staged() map[string]bool {
	keep := map[string]bool{}
	_ = a.view(func(x *index.Folder) error {
		for w, err := range x.WantedRange("") {
			if err != nil {
				return err
			}
			for i := range w {
				keep[jobFor(&w[i].Entry, nil).Name] = true
			}
		}
		return nil
	})
	return keep
}

// cleanUp removes the staged files that are of no use any more. None may be
// in use.
func (a *actor) cleanUp(keep map[string]bool) {
	a.littered = false
	if err := a.disk.tree.CleanTemporaries(func(name string) bool { return keep[name] }); err != nil {
		a.Log.Warn("remove temporary files", "error", err)
		a.littered = true
	}
}

// closeDisk lets go of the tree and waits for all that works on it.
func (a *actor) closeDisk() {
	d := a.disk
	if d == nil {
		return
	}
	a.disk = nil
	a.Folder.disk.Store(nil)
	d.cancel()
	a.around.join(d)
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	if err := d.tree.Close(); err != nil {
		a.Log.Warn("close the folder's tree", "error", err)
	}
	a.dirty, a.going = newDirty(), newGoing()
	a.inflight.reset()
	a.looking = false
	for len(a.looked) > 0 {
		<-a.looked
	}
	for len(a.gathered) > 0 {
		<-a.gathered
	}
}

// present checks that the tree is still the folder's, before anything is
// concluded from it or done to it. If it is not, the folder stops.
func (a *actor) present() bool {
	if a.disk == nil {
		return false
	}
	err := a.disk.tree.Check()
	if err == nil {
		return true
	}
	a.closeDisk()
	a.diskDue = a.Clock().Add(diskRetry)
	a.away(err)
	return false
}

// away notes why there is no tree.
func (a *actor) away(err error) {
	p := diskProblem(err)
	if a.problem == nil || a.problem.Code != p.Code {
		a.Log.Warn("the folder has stopped", "path", a.Root, "error", err)
	}
	a.problem, a.stale = &p, true
	a.scans.giveUp(err)
}

func diskProblem(err error) Problem {
	p := Problem{Code: "tree_unusable", Text: err.Error()}
	for _, known := range []struct {
		err        error
		code, hint string
	}{
		{tree.ErrRootMissing, "root_missing", "If its disk is away, connect it. If the folder has moved, leave it here and accept it again at its new place."},
		{tree.ErrRootReplaced, "root_replaced", "Connect its disk, or put the folder's own directory back."},
		{tree.ErrMarkerMissing, "marker_missing", "Nothing is deleted anywhere. If this is the right directory, put the file .kith/folder back; otherwise leave the folder here."},
		{tree.ErrOtherFolder, "other_folder", "Put the folder's own directory back, or leave the folder here."},
		{tree.ErrInUse, "in_use", "Stop the other program that runs this folder."},
	} {
		if errors.Is(err, known.err) {
			p.Code, p.Hint = known.code, known.hint
		}
	}
	return p
}

// diskChanged delivers when the watcher has something; never without a tree.
func (a *actor) diskChanged() <-chan struct{} {
	if a.disk == nil {
		return nil
	}
	return a.disk.watcher.Changed()
}

// diskReady delivers once, when the watcher has begun to see every change.
func (a *actor) diskReady() <-chan struct{} {
	if a.disk == nil || a.disk.ready {
		return nil
	}
	return a.disk.watcher.Ready()
}

// noticed takes what the watcher says has changed.
func (a *actor) noticed() {
	now := a.Clock()
	for _, e := range a.disk.watcher.Take() {
		a.dirty.add(e.Path, e.Recursive, now)
		a.stuck.retry(e.Path)
	}
	a.stale = true
}

// Check looks whether the tree is still there, so that a status tells the
// truth about a disk that was unmounted: of that no event tells.
func (f *Folder) Check(ctx context.Context) error {
	return f.do(ctx, func(a *actor) {
		if a.disk == nil {
			a.diskDue = a.Clock()
			return
		}
		a.present()
	})
}
