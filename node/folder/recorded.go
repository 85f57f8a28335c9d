package folder

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// This file tells the history what the folder's versions are, beside all else.

const (
	// recordPause is how long nothing must have changed before the history is
	// told: it would only make a large change slower. It is told after
	// recordLatest all the same.
	recordPause  = 500 * time.Millisecond
	recordLatest = 15 * time.Second
	// recordSlice is how many versions it is told of at once.
	recordSlice = 2000
	// recordRefs bounds the blocks that the versions of one slice name.
	recordRefs = 200_000
	// recordRetry is how long after an error it is tried again.
	recordRetry = time.Minute
)

// recordBeside runs until ctx ends; the channel is closed then.
func (f *Folder) recordBeside(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	if f.History == nil {
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		r := recorder{Folder: f}
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			timer.Reset(r.step(ctx))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			case done := <-f.asked:
				done <- r.tellAll(ctx)
			case <-f.edited.news():
				r.calm(ctx)
			}
		}
	}()
	return ended
}

// Record returns when the history was told all versions that are known now, for
// who is about to pin this moment in it. It does nothing where there is no
// history.
func (f *Folder) Record(ctx context.Context) error {
	if f.History == nil {
		return nil
	}
	done := make(chan error, 1)
	select {
	case f.asked <- done:
	case <-f.ended:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-done
}

// tellAll tells everything that there is to tell, whatever failed before.
func (r *recorder) tellAll(ctx context.Context) error {
	for {
		more, err := r.tell(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// calm returns when no more changes come.
func (r *recorder) calm(ctx context.Context) {
	latest, pause := time.NewTimer(recordLatest), time.NewTimer(recordPause)
	defer latest.Stop()
	defer pause.Stop()
	for {
		select {
		case done := <-r.asked:
			done <- r.tellAll(ctx)
		case <-r.edited.news():
			pause.Reset(recordPause)
		case <-pause.C:
			return
		case <-latest.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// recorder is how far the history was told.
type recorder struct {
	*Folder
	index   uint64
	through entry.Sequence
	failed  time.Time // when it last could not be told
}

// step tells what there is to tell, and returns when to come back.
func (r *recorder) step(ctx context.Context) time.Duration {
	if wait := recordRetry - r.Clock().Sub(r.failed); !r.failed.IsZero() && wait > 0 && wait <= recordRetry {
		return wait
	}
	r.failed = time.Time{}
	for {
		more, err := r.tell(ctx)
		if err == nil && !more {
			err = r.keepEdited(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return 0
		case errors.Is(err, index.ErrDamaged), errors.Is(err, index.ErrClosed), errors.Is(err, index.ErrNoFolder):
			return time.Hour // the folder is about to end
		case err != nil:
			r.Log.Warn("tell the history", "error", err)
			r.failed = r.Clock()
			return recordRetry
		case !more:
			return r.edited.wait(r.Clock())
		}
	}
}

// tell tells the next versions.
func (r *recorder) tell(ctx context.Context) (more bool, err error) {
	var entries []*entry.Entry
	through := entry.Sequence(0)
	err = r.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(r.ID)
		if err != nil {
			return err
		}
		if r.index != x.Epoch() {
			r.index, r.through = x.Epoch(), r.History.Recorded(x.Epoch())
		}
		if r.through > x.Head() {
			r.through = 0 // it remembers more than this index, which was set back
		}
		refs := 0
		through = x.Head()
		for e, err := range x.Since(r.through) {
			if err != nil {
				return err
			}
			if len(entries) >= recordSlice || refs >= recordRefs {
				more, through = true, entries[len(entries)-1].Sequence
				break
			}
			refs += len(e.Blocks)
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil || through == r.through {
		return false, err
	}
	var versions []*seal.Record
	for _, e := range entries {
		k := r.key(e.Epoch)
		if e.Unknown || k == nil {
			continue
		}
		v, err := k.SealRecord(e)
		if err != nil {
			r.Log.Warn("seal for the history", "path", string(e.Path), "error", err)
			continue
		}
		versions = append(versions, v)
	}
	if err := r.History.Record(ctx, versions, r.index, through); err != nil {
		return false, err
	}
	r.through = through
	return more, nil
}

// The content of a file that was edited here is kept as it is recorded, so that
// the next edit of it can be taken back: by then it is overwritten.
const (
	// maxEdited is the largest such file, in bytes.
	maxEdited = 64 << 20
	// editedPause is how long an edited file is left alone before.
	editedPause = time.Second
	// A file that is written again and again is kept less often the larger it
	// is, so that it does not drive all else out.
	editedLeast  = 10 * time.Second
	editedPerMiB = time.Minute
	// maxEdits bounds how many files wait to be kept, or for their next time.
	maxEdits = 10_000
)

// edited is which files were edited here and are to be kept.
type edited struct {
	mu    sync.Mutex
	due   map[entry.Path]time.Time
	again map[entry.Path]time.Time // not before
	some  chan struct{}
}

// news delivers after changes were committed.
func (d *edited) news() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.some == nil {
		d.some = make(chan struct{}, 1)
	}
	return d.some
}

// committed wakes who waits for news.
func (d *edited) committed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.some == nil {
		return
	}
	select {
	case d.some <- struct{}{}:
	default:
	}
}

// add notes an edit.
func (d *edited) add(e *entry.Entry, now time.Time) {
	if e.Kind != entry.File || len(e.Blocks) == 0 || e.Size > maxEdited {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.due == nil {
		d.due, d.again = map[entry.Path]time.Time{}, map[entry.Path]time.Time{}
	}
	if _, has := d.due[e.Path]; has || len(d.due) >= maxEdits {
		return
	}
	due := now.Add(editedPause)
	if again := d.again[e.Path]; again.After(due) {
		due = again
	}
	d.due[e.Path] = due
}

// take returns what is due, and forgets it.
func (d *edited) take(now time.Time) (out []entry.Path) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p, due := range d.due {
		if !due.After(now) {
			out = append(out, p)
			delete(d.due, p)
		}
	}
	slices.SortFunc(out, entry.Path.Compare)
	return out
}

// kept notes that a file was kept now.
func (d *edited) kept(e *entry.Entry, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p, again := range d.again {
		if len(d.again) < maxEdits {
			break
		}
		if !again.After(now) {
			delete(d.again, p)
		}
	}
	if len(d.again) < maxEdits {
		d.again[e.Path] = now.Add(max(editedLeast, time.Duration(e.Size)*(editedPerMiB>>20)))
	}
}

// wait is how long until something is due.
func (d *edited) wait(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	wait := time.Hour
	for _, due := range d.due {
		wait = min(wait, max(0, due.Sub(now)))
	}
	return wait
}

// keepEdited keeps files that were edited. One that cannot be is left out: what
// is about it comes again with its next edit.
func (r *recorder) keepEdited(ctx context.Context) error {
	for _, p := range r.edited.take(r.Clock()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var e *entry.Entry
		err := r.DB.View(func(tx *index.Tx) error {
			x, err := tx.Folder(r.ID)
			if err == nil {
				e, err = x.Get(p)
			}
			return err
		})
		if err != nil {
			return err
		}
		if e == nil || e.Kind != entry.File || e.Absent || e.Unknown {
			continue
		}
		err = r.keepOne(ctx, e)
		r.edited.kept(e, r.Clock())
		if err != nil && !errors.Is(err, errNotRead) && !errors.Is(err, ErrHistoryFull) {
			return err
		}
	}
	return nil
}

func (r *recorder) keepOne(ctx context.Context, e *entry.Entry) error {
	k := r.key(e.Epoch)
	if k == nil {
		return nil
	}
	v, err := k.SealRecord(e)
	if err != nil {
		return err
	}
	return r.History.Keep(ctx, []Old{{Record: v, Blocks: func(ctx context.Context, ids []entry.BlockID, got func(entry.BlockID, []byte) error) error {
		return r.readBlocks(ctx, e.Path, e, ids, got)
	}}})
}
