package folder

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/look"
)

// scans are those who wait for a look at everything that began after they
// asked.
type scans struct {
	waiting []chan error // for the next
	current []chan error // for the one that runs
	ended   []chan error // for what it found missing to be recorded
	all     bool         // the one that runs looks at everything
}

// end tells those who wait for a scan that has ended.
func (s *scans) end(err error) {
	for _, done := range s.ended {
		done <- err
	}
	s.ended = nil
}

// giveUp tells all who wait that there is nothing to scan.
func (s *scans) giveUp(err error) {
	s.ended = slices.Concat(s.ended, s.current, s.waiting)
	s.current, s.waiting, s.all = nil, nil, false
	s.end(err)
}

// Scan looks at the whole tree and returns when what it found is recorded. It
// returns an error if the tree is away or cannot be read.
func (f *Folder) Scan(ctx context.Context) error {
	done := make(chan error, 1)
	err := f.do(ctx, func(a *actor) {
		if !a.present() {
			done <- a.awayError()
			return
		}
		a.scans.waiting = append(a.scans.waiting, done)
		a.dirty.add("", true, a.Clock())
	})
	if err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-f.ended:
		return ErrStopped
	}
}

// awayError is the folder's problem as an error.
func (a *actor) awayError() error {
	if a.problem == nil {
		return ErrStopped
	}
	return errors.New(a.problem.Text)
}

// startLook starts a look at all that is due, unless one is under way.
func (a *actor) startLook(now time.Time) {
	if a.looking || !a.disk.ready { // before, changes could be missed
		return
	}
	if soon := now.Add(a.rescanInterval()); a.next.After(soon) {
		a.next = soon // the watcher has begun to miss things
	}
	if !a.next.IsZero() && !now.Before(a.next) {
		a.dirty.add("", true, now)
		a.next = now.Add(a.Rescan)
		if _, degraded := a.disk.watcher.Degraded(); degraded {
			a.disk.watcher.Renew()
		}
	}
	targets := a.dirty.take(now)
	if len(targets) == 0 || !a.present() {
		return
	}
	for _, t := range targets {
		if t.Path == "" {
			targets = []look.Target{t} // which is everything
			a.scans.all = true
			a.scans.current, a.scans.waiting = a.scans.waiting, nil
			break
		}
	}
	a.looking, a.stale = true, true
	a.lookNumber++
	a.targets = targets
	d := a.disk
	a.around.beside(d, func() {
		err := d.looker.Look(d.ctx, targets, func(f []look.Finding) error { return a.around.offer(d.ctx, a, f) })
		a.looked <- err
	})
}

// discovery is a batch of findings on its way to the actor.
type discovery struct {
	findings []look.Finding
	taken    chan error // room for one
}

func offer(ctx context.Context, a *actor, f []look.Finding) error {
	d := discovery{f, make(chan error, 1)}
	select {
	case a.found <- d:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-d.taken:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lookEnded takes the end of a look.
func (a *actor) lookEnded(err error) {
	now := a.Clock()
	a.looking, a.stale, a.pass.again = false, true, true
	maps.DeleteFunc(a.rereads, func(p entry.Path, _ struct{}) bool { return !a.dirty.has(p) })
	a.specialsGone()
	all := a.scans.all
	a.scans.all = false
	if err != nil {
		a.Log.Warn("look for changes", "error", err)
		a.present()
		a.dirty.add("", true, now.Add(lastRetry)) // nothing may be missed
	}
	if !all {
		if err == nil {
			a.stuck.readable(a.lookNumber, a.targets)
		}
		return
	}
	if a.disk != nil {
		a.next = now.Add(a.rescanInterval())
	}
	if err == nil {
		a.stuck.readable(a.lookNumber, nil)
	}
	a.scans.ended = append(a.scans.ended, a.scans.current...)
	a.scans.current = nil
	if err != nil || a.going.empty() {
		a.scans.end(err)
	}
	a.scanned = a.scanned || err == nil
	if a.scanned && a.interrupted {
		a.interrupted = false
		for _, d := range a.roll.inOrder() {
			a.listen(a.roll[d])
		}
	}
}

// rescanInterval is shorter while the watcher may miss things.
func (a *actor) rescanInterval() time.Duration {
	if _, degraded := a.disk.watcher.Degraded(); degraded {
		return min(a.Rescan, time.Minute)
	}
	return a.Rescan
}

// recheck marks a path to be looked at: it is not what the index says.
func (a *actor) recheck(p entry.Path, below bool) {
	a.dirty.add(p, below, a.Clock())
	a.stale = true
}
