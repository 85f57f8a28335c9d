package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Result is what a run has done. What it has not is named; a run that did not
// do all is partial, and doing the same again goes on with it.
type Result struct {
	Made, Replaced, Beside, Meta, Removed int64
	Bytes                                 int64 // of the files among them
	// Lost are files of which blocks could not be had, Failed what could not be
	// done at the target, Skipped what the plan has left out.
	Lost, Failed, Skipped []Skipped
}

// Partial tells whether something is missing.
func (r *Result) Partial() bool { return len(r.Lost)+len(r.Failed)+len(r.Skipped) > 0 }

// Bounds of a run.
const (
	workers   = 4         // want-lists that are fetched at the same time
	listBytes = 8 << 20   // of blocks in one want-list
	groupSize = 8192      // files that are made durable together
	groupData = 256 << 20 // bytes of these
	report    = 200 * time.Millisecond
)

// errRefused: what lies there could not be kept for later.
var errRefused = errors.New("what lies there is left")

// Run carries a plan out. It returns an error if it cannot go on: ctx has ended,
// the disk is full, nothing can be made durable. What was placed by then stays,
// and is in the result.
func (r *Restore) Run(ctx context.Context, p *Plan) (Result, error) {
	n := &running{Restore: r, plan: p, fetcher: newFetcher(r.Past, r.Local)}
	n.result.Skipped = slices.Clone(p.Skipped)
	n.progress = Progress{TotalFiles: p.Totals.Files, TotalBytes: p.Totals.Bytes}
	err := n.run(ctx)
	if err != nil {
		return n.result, fmt.Errorf("restore: %w", err)
	}
	return n.result, nil
}

// running is one run.
type running struct {
	*Restore
	plan    *Plan
	fetcher *fetcher

	lists chan *list
	ready chan *job

	mu       sync.Mutex
	refused  map[entry.Path]error // what is not to go
	result   Result
	progress Progress
	told     time.Time
	staged   map[*job]struct{} // what is to be discarded if the run ends early
}

func (n *running) run(ctx context.Context) (err error) {
	if losing := n.plan.losing(); len(losing) > 0 && n.Before != nil {
		if n.refused, err = n.Before(ctx, losing); err != nil {
			return err
		}
	}
	if err := n.Target.Begin(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Target.End()) }()
	n.staged = map[*job]struct{}{}
	if err := n.remove(ctx, true); err != nil {
		return err
	}
	if err := n.fill(ctx); err != nil {
		n.discard(ctx.Err() != nil)
		return err
	}
	if err := n.setMeta(ctx); err != nil {
		return err
	}
	if err := n.remove(ctx, false); err != nil {
		return err
	}
	n.tell(true, func(*Progress) {})
	return n.Target.Finish()
}

// fill makes all that is to be made: one goroutine goes through the plan, some
// fetch and write, one puts in place.
func (n *running) fill(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	n.lists, n.ready = make(chan *list), make(chan *job, groupSize)
	var writers sync.WaitGroup
	writers.Add(workers + 1)
	g.Go(func() error {
		defer writers.Done()
		defer close(n.lists)
		return n.walk(ctx)
	})
	for range workers {
		g.Go(func() error {
			defer writers.Done()
			for l := range n.lists {
				if err := n.fetch(ctx, l); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		writers.Wait()
		close(n.ready)
		return nil
	})
	g.Go(func() error { return n.finish(ctx) })
	return g.Wait()
}

// walk makes directories, and hands out files and symlinks.
func (n *running) walk(ctx context.Context) error {
	w := walker{running: n, list: newList()}
	for i := range n.plan.ops {
		if err := ctx.Err(); err != nil {
			return err
		}
		o := &n.plan.ops[i]
		if o.action == SetMeta || o.action == Beside && o.expect != nil {
			continue
		}
		if err := w.hand(ctx, o); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

type walker struct {
	*running
	list *list
}

func (w *walker) hand(ctx context.Context, o *op) error {
	e, err := w.plan.tree.Whole(o.row)
	if err != nil {
		return err
	}
	j := &job{run: w.running, op: o, at: w.plan.at(o), entry: e, action: o.action}
	if err := w.refusedOf(j); err != nil {
		return w.failed(j, err)
	}
	if e.Kind == entry.Directory {
		return w.directory(j)
	}
	j.name = stagedAs(j.at, e)
	switch {
	case e.Kind == entry.Symlink:
		if err := j.symlink(); err != nil {
			return w.failed(j, err)
		}
		return w.send(ctx, j)
	case len(e.Blocks) == 0:
		if err := j.complete(ctx, nil); err != nil {
			return w.failed(j, err)
		}
		return w.send(ctx, j)
	}
	return w.ask(ctx, j)
}

// ask asks for the blocks of a file that an earlier run has not staged.
func (w *walker) ask(ctx context.Context, j *job) error {
	j.remaining.Store(int64(len(j.entry.Blocks)))
	had, err := j.resume(ctx)
	if err != nil {
		return err
	}
	if j.remaining.Load() == 0 {
		if err := j.staged.Finish(j.meta()); err != nil {
			return w.failed(j, err)
		}
		return w.send(ctx, j)
	}
	off := int64(0)
	for i, b := range j.entry.Blocks {
		if had != nil && had[i] {
			off += int64(b.Length)
			continue
		}
		if w.list.full() {
			if err := w.flush(ctx); err != nil {
				return err
			}
		}
		w.list.add(part{job: j, off: off, length: b.Length}, want{b.ID, j.entry.Epoch})
		off += int64(b.Length)
	}
	return nil
}

func (w *walker) flush(ctx context.Context) error {
	l := w.list
	w.list = newList()
	if len(l.wants) == 0 {
		return nil
	}
	select {
	case w.lists <- l:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refusedOf says why something must not go, if it must not.
func (n *running) refusedOf(j *job) error {
	if j.op.expect == nil || len(n.refused) == 0 {
		return nil
	}
	err := n.refused[j.at]
	for _, b := range j.op.below() {
		if err == nil {
			err = n.refused[b.Path]
		}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errRefused, err)
}

// directory makes a directory, after what is in its way.
func (n *running) directory(j *job) error {
	var err error
	if j.op.expect != nil {
		err = n.Target.Remove(j.at, j.op.expect.Stat)
	}
	if err == nil {
		err = n.Target.Mkdir(j.at, j.entry.Mode)
	}
	if err != nil {
		return n.failed(j, err)
	}
	n.placed(j)
	return nil
}

func (n *running) send(ctx context.Context, j *job) error {
	select {
	case n.ready <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish makes files durable in groups, and then puts them in place.
func (n *running) finish(ctx context.Context) error {
	var group []*job
	bytes := int64(0)
	flush := func() error {
		if len(group) == 0 {
			return nil
		}
		if err := n.Target.Sync(); err != nil {
			return err
		}
		for _, j := range group {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := n.place(j); err != nil {
				return err
			}
		}
		group, bytes = group[:0], 0
		return nil
	}
	for j := range n.ready {
		group = append(group, j)
		if bytes += j.entry.Size; len(group) >= groupSize || bytes >= groupData {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return flush()
}

func (n *running) place(j *job) error {
	var expect *Lies
	if j.op.expect != nil {
		expect = &j.op.expect.Lies
	}
	if err := n.Target.Place(j.at, j.staged, j.meta(), expect); err != nil {
		return n.failed(j, err)
	}
	n.placed(j)
	return nil
}

// setMeta sets metadata, those of directories after what is in them.
func (n *running) setMeta(ctx context.Context) error {
	for i := range slices.Backward(n.plan.ops) {
		o := &n.plan.ops[i]
		if o.action != SetMeta && (o.action != Beside || o.expect == nil || o.expect.right) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		e := n.plan.tree.Entry(o.row)
		j := &job{op: o, at: n.plan.at(o), entry: e, action: SetMeta}
		if err := n.Target.SetMeta(j.at, tree.Meta{Mode: e.Mode, ModTime: e.ModTime}, o.expect.Stat); err != nil {
			if err := n.failed(j, err); err != nil {
				return err
			}
			continue
		}
		n.placed(j)
	}
	return nil
}

// remove removes what is to go, what is below a directory first.
func (n *running) remove(ctx context.Context, early bool) error {
	for _, g := range slices.Backward(n.plan.gone) {
		if n.makesWay(g.at) != early {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		j := &job{at: g.at, entry: &entry.Entry{Path: g.at}, action: Remove}
		err := n.refused[g.at]
		if err != nil {
			err = fmt.Errorf("%w: %w", errRefused, err)
		} else {
			err = n.Target.Remove(g.at, g.expect)
		}
		if err != nil {
			if err := n.failed(j, err); err != nil {
				return err
			}
			continue
		}
		n.placed(j)
	}
	return nil
}

// makesWay tells whether something else is to be made at a path or above it.
func (n *running) makesWay(p entry.Path) bool {
	for ; p != ""; p = p.Parent() {
		i, ok := slices.BinarySearchFunc(n.plan.gone, p, func(g removal, p entry.Path) int { return g.at.Compare(p) })
		if ok && n.plan.gone[i].early {
			return true
		}
	}
	return false
}
