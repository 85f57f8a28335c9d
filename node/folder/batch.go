package folder

import (
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/merge"
)

// batch is a set of changes to apply together: their content is gathered at
// once, and made durable at once.
type batch struct {
	items []*item
	disk  *disk
}

// item is one path that is to take, or to outlive, a version told by others.
type item struct {
	path    entry.Path
	local   *entry.Entry // that was decided upon; nil for none
	remote  *entry.Entry
	tellers merge.Tellers
	choice  merge.Decision
	// needParent: the directory is to be made first.
	needParent bool

	// from is a file with just the content, that is to go by fromGone.
	from       *entry.Entry
	fromGone   *entry.Entry
	fromChoice merge.Decision

	leaving *leaving // what goes from the tree with it, nil for nothing

	job     *gather.Job // the content of the path, nil if none is needed
	copyJob *gather.Job // the content of a conflict copy

	copied bool         // its content lies here already, not only in what its author brought lately
	result *entry.Entry // what the path is now, once it is on disk

	// absent: the version is known from now on, and its content stays away.
	absent bool
	// deviation is what lies at the path instead of the local entry, on a
	// device that only receives.
	deviation *entry.Entry
	deviates  bool // and stays there
	moved     bool // and lies beside the path by now
}

// here is the local entry if what it says lies on disk, else nil.
func (it *item) here() *entry.Entry {
	switch {
	case it.moved:
		return nil
	case it.deviation != nil:
		return it.deviation
	case it.local == nil || it.local.Absent:
		return nil
	}
	return it.local
}

// size is how many bytes have to be gathered.
func (it *item) size() int64 {
	var n int64
	for _, j := range it.jobs() {
		n += j.Entry.Size
	}
	return n
}

func (it *item) jobs() []*gather.Job {
	var out []*gather.Job
	if it.job != nil {
		out = append(out, it.job)
	}
	if it.copyJob != nil {
		out = append(out, it.copyJob)
	}
	return out
}

// err is what stood in the way of gathering.
func (it *item) err() error {
	for _, j := range it.jobs() {
		if j.Err != nil {
			return j.Err
		}
	}
	return nil
}

// without drops the item's version from what is wanted of its path.
func (it *item) without(w []merge.Want) []merge.Want {
	var out []merge.Want
	for _, v := range w {
		if v.Entry.Version.Compare(it.remote.Version) != 0 {
			out = append(out, v)
		}
	}
	return out
}

// close lets go of what was staged and not placed.
func (it *item) close() {
	for _, j := range it.jobs() {
		if j.Staged != nil {
			_ = j.Staged.Close()
		}
	}
}

// inflight is what has been taken from the wanted and is not finished.
type inflight struct {
	paths   map[entry.Path]struct{}
	large   map[entry.Path]*gather.Job // whose progress is shown
	batches int
}

func newInflight() inflight {
	return inflight{paths: map[entry.Path]struct{}{}, large: map[entry.Path]*gather.Job{}}
}

func (i *inflight) has(p entry.Path) bool { _, ok := i.paths[p]; return ok }

func (i *inflight) add(it *item) {
	i.paths[it.path] = struct{}{}
	if it.job != nil && it.size() >= ownBatch {
		i.large[it.path] = it.job
	}
	if it.from != nil {
		i.paths[it.from.Path] = struct{}{}
	}
}

func (i *inflight) remove(it *item) {
	delete(i.paths, it.path)
	delete(i.large, it.path)
	if it.from != nil {
		delete(i.paths, it.from.Path)
	}
}

// here is how much of large files has been gathered.
func (i *inflight) here() (n int64) {
	for _, j := range i.large {
		n += j.Here()
	}
	return n
}

func (i *inflight) reset() { *i = newInflight() }

// launch gathers the content of a batch beside the actor, and keeps what goes
// with it; then the actor finishes it. With neither to do that is now.
func (a *actor) launch(b *batch) {
	a.inflight.batches++
	a.stale = true
	var jobs []*gather.Job
	for _, it := range b.items {
		jobs = append(jobs, it.jobs()...)
	}
	keep := a.toKeep(b)
	if len(jobs) == 0 && !keep {
		a.finish(b)
		return
	}
	a.littered = a.littered || len(jobs) > 0
	sources := make([]gather.Source, 0, len(a.roll))
	for _, d := range a.roll.inOrder() {
		sources = append(sources, a.roll[d].Member) // which may be a gather.Pacer
	}
	a.around.beside(b.disk, func() {
		b.disk.gatherer.Gather(b.disk.ctx, jobs, sources)
		if keep {
			a.keepOld(b.disk.ctx, b.disk, b)
		}
		a.gathered <- b
	})
}

// ripen lets paths be tried again whose time has come.
func (s stuck) ripen(now time.Time) (any bool) {
	for p, t := range s {
		if !t.due.IsZero() && !t.due.After(now) {
			t.due = time.Time{}
			s[p] = t
			any = true
		}
	}
	return any
}
