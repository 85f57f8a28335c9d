package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/tree"
)

// Restore brings back what a folder was. Past and Target must be given.
type Restore struct {
	Past   *past.Past
	Target Target

	// Known is what the index says of a path of the target, where that is the
	// folder itself; nil of what it does not know. It spares the reading of
	// files that have not changed since.
	Known func(entry.Path) *entry.Entry
	// Local is the plaintext of a block, where this device has it at hand. It is
	// called by several goroutines; what it gives is checked.
	Local func(entry.BlockID) ([]byte, bool)
	// Before is called before anything at the target goes, with all paths of
	// which something will: it sees to it that this can be had again. Paths that
	// it names with an error are left as they are and skipped; an error of its own
	// ends the run. It is not called for nothing, and nil does nothing.
	Before func(ctx context.Context, losing []entry.Path) (refused map[entry.Path]error, err error)
	// Progress is told how far a run has come, some times a second; nil is nobody.
	Progress func(Progress)
}

// Progress is how far a run has come, of the totals of its plan.
type Progress struct {
	Files, TotalFiles int64 // in place, or given up
	Bytes, TotalBytes int64 // fetched and written
}

// Plan compares the tree with the target and changes nothing. Files that may be
// right already are read. It wraps [ErrNotThere] if the path was not in the
// tree; what cannot be looked at is left out and named as skipped. It is to be
// closed.
func (r *Restore) Plan(ctx context.Context, q Request) (*Plan, error) {
	if q.Base != "" && q.Below != q.Base && !q.Below.Below(q.Base) {
		return nil, fmt.Errorf("plan to restore %q: it is not below %q", q.Below, q.Base)
	}
	p := &planner{
		Plan: &Plan{tree: q.Tree, base: q.Base}, here: looker{r, ctx, q.Tree}, overwrite: q.Overwrite,
		taken: map[entry.Path]struct{}{}, interrupted: r.Target.Interrupted(),
	}
	err := p.plan(q.Below)
	if err == nil {
		k := known{looker: looker{r, ctx, q.Tree}, planner: p, open: p.open}
		p.decided(k.of)
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("plan to restore %q: %w", q.Below, err)
	}
	return p.Plan, nil
}

// looker is the target as a planner sees it, for the time of one plan.
type looker struct {
	r    *Restore
	ctx  context.Context //nolint:containedctx // it lives as long as the call
	tree *past.Tree
}

func (l looker) Lstat(p entry.Path) (tree.Stat, error) {
	if err := l.ctx.Err(); err != nil {
		return tree.Stat{}, err
	}
	return l.r.Target.Lstat(p)
}

func (l looker) Names(p entry.Path) ([]string, error) { return l.r.Target.Names(p) }

func (l looker) Holds(p entry.Path, st tree.Stat, row past.Row) (bool, error) {
	e, err := l.tree.Whole(row)
	if err != nil {
		return false, err
	}
	return l.r.fileHolds(l.ctx, p, l.r.unchanged(p, st), e)
}

// unchanged is what the index says of a path, if the file is still what it was
// then.
func (r *Restore) unchanged(p entry.Path, st tree.Stat) *entry.Entry {
	if r.Known == nil {
		return nil
	}
	e := r.Known(p)
	if e == nil || e.Kind != entry.File || e.Absent || !tree.StatOf(e).Same(st) {
		return nil
	}
	return e
}

func (l looker) Known(p entry.Path, st tree.Stat, row past.Row) (bool, error) {
	path := l.tree.Path(row)
	by, gaps, err := l.r.Past.Histories(l.ctx, []entry.Path{path}, sizedAs(st))
	if err != nil {
		return false, errors.Join(err, gaps.Err())
	}
	return l.among(p, st, by[path])
}

// sizedAs wants the blocks of versions that a file may be.
func sizedAs(st tree.Stat) func(*entry.Entry) bool {
	return func(e *entry.Entry) bool { return st.Kind == entry.File && e.Kind == entry.File && e.Size == st.Size }
}

// among tells whether what lies at p is one of some versions.
func (l looker) among(p entry.Path, st tree.Stat, vs []past.Version) (bool, error) {
	for i := range vs {
		e := vs[i].Entry
		if e.Kind != st.Kind || e.Size != st.Size {
			continue
		}
		if e.Kind == entry.Symlink && e.Target == st.Target {
			return true, nil
		}
		if e.Kind != entry.File {
			continue
		}
		same, err := l.r.fileHolds(l.ctx, p, l.r.unchanged(p, st), e)
		if errors.Is(err, past.ErrNoKey) {
			continue
		}
		if err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// known answers whether what the open ops of a planner would replace is known;
// it asks for the versions of many paths at once.
type known struct {
	looker
	planner *planner
	open    []int
	by      map[entry.Path][]past.Version
	err     error
}

// knownBatch is of how many paths the versions are in memory.
const knownBatch = 256

func (k *known) of(n int) (bool, error) {
	if n%knownBatch == 0 {
		k.ask(k.open[n:min(n+knownBatch, len(k.open))])
	}
	if k.err != nil {
		return false, k.err
	}
	o := k.planner.ops[k.open[n]]
	if o.expect.Kind == entry.Directory {
		return k.allKnown(o.at, k.tree.Path(o.row), o.expect.Below)
	}
	return k.among(o.at, o.expect.Stat, k.by[k.tree.Path(o.row)])
}

// allKnown tells whether all files and symlinks in a directory at the target,
// which is a path of the folder, are what the index or a version says.
func (l looker) allKnown(at, home entry.Path, below []Below) (bool, error) {
	for part := range slices.Chunk(below, knownBatch) {
		var paths []entry.Path
		sizes := map[entry.Path]int64{}
		for _, b := range part {
			if b.Kind == entry.Directory || l.indexed(b.Path, b.Stat) {
				continue
			}
			p := home + b.Path[len(at):]
			paths = append(paths, p)
			sizes[p] = b.Size
		}
		if len(paths) == 0 {
			continue
		}
		by, _, err := l.r.Past.Histories(l.ctx, paths, func(e *entry.Entry) bool {
			return e.Kind == entry.File && e.Size == sizes[e.Path]
		})
		if err != nil {
			return false, err
		}
		for _, b := range part {
			p := home + b.Path[len(at):]
			if _, asked := sizes[p]; !asked {
				continue
			}
			if known, err := l.among(b.Path, b.Stat, by[p]); err != nil || !known {
				return false, err
			}
		}
	}
	return true, nil
}

// indexed tells whether what lies at a path is what the index says.
func (l looker) indexed(p entry.Path, st tree.Stat) bool {
	if st.Kind != entry.Symlink || l.r.Known == nil {
		return l.r.unchanged(p, st) != nil
	}
	e := l.r.Known(p)
	return e != nil && e.Kind == entry.Symlink && e.Target == st.Target
}

func (k *known) ask(open []int) {
	sizes := map[entry.Path]int64{}
	var paths []entry.Path
	for _, i := range open {
		o := &k.planner.ops[i]
		p := k.tree.Path(o.row)
		paths = append(paths, p)
		sizes[p] = o.expect.Size
	}
	k.by, _, k.err = k.r.Past.Histories(k.ctx, paths, func(e *entry.Entry) bool {
		return e.Kind == entry.File && e.Size == sizes[e.Path]
	})
}

// PlanUndo compares the way back from a batch with the target, which is the
// folder itself, and changes nothing. A path goes back only if what lies there
// is what the batch has left. The plan is to be closed.
func (r *Restore) PlanUndo(ctx context.Context, u *past.Undo) (*Plan, error) {
	steps := slices.SortedFunc(slices.Values(u.Steps), func(a, b past.Step) int { return a.Path.Compare(b.Path) })
	before := func(yield func(*entry.Entry, error) bool) {
		for i := range steps {
			if b := steps[i].Before; b != nil && !yield(b, nil) {
				return
			}
		}
	}
	t, err := past.NewTree(before, r.Past.Spool)
	if err != nil {
		return nil, fmt.Errorf("plan to undo %s: %w", u.ID, err)
	}
	p := &planner{Plan: &Plan{tree: t, own: true}, here: looker{r, ctx, t}, overwrite: Always}
	p.above()
	for i := range steps {
		s := &steps[i]
		if err := r.planStep(ctx, p, s); err != nil {
			p.skip(s.Path, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("plan to undo %s: %w", u.ID, err), t.Close())
	}
	return p.Plan, nil
}

// above makes the directories that are not there any more, of which the batch
// says nothing.
func (p *planner) above() {
	for row := range past.Row(p.tree.Len()) {
		e := p.tree.Entry(row)
		if e.Kind != entry.Directory || !e.Version.IsZero() {
			continue
		}
		if _, err := p.Lstat(e.Path); errors.Is(err, fs.ErrNotExist) {
			p.add(e, op{row: row, action: Make}, e.Path)
		}
	}
}

func (r *Restore) planStep(ctx context.Context, p *planner, s *past.Step) error {
	st, err := p.Lstat(s.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	now := s.Now
	switch {
	case missing && now == nil:
	case missing || now == nil || st.Kind != now.Kind || st.Size != now.Size || now.Kind != entry.Symlink && st.Mode != now.Mode:
		return fmt.Errorf("it is not as the batch has left it: %w", tree.ErrChanged)
	case now.Kind == entry.Symlink && st.Target != now.Target:
		return fmt.Errorf("it is not as the batch has left it: %w", tree.ErrChanged)
	case now.Kind == entry.File:
		same, err := r.fileHolds(ctx, s.Path, r.unchanged(s.Path, st), now)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("it is not as the batch has left it: %w", tree.ErrChanged)
		}
	}
	p.back(s, missing, st)
	return nil
}

// back plans one path of an undo, of which st says what lies there.
func (p *planner) back(s *past.Step, missing bool, st tree.Stat) {
	remove := func(early bool) {
		p.gone = append(p.gone, removal{at: s.Path, expect: st, early: early})
		p.Totals.Removed++
	}
	if s.Before == nil {
		if !missing {
			remove(false)
		}
		return
	}
	row, _ := p.tree.Find(s.Path)
	e := p.tree.Entry(row)
	sameKind := !missing && st.Kind == e.Kind
	switch {
	case missing:
		p.add(e, op{row: row, action: Make}, s.Path)
	case sameKind && (e.Kind == entry.Directory || s.Now.Epoch == s.Before.Epoch && s.Now.SameContent(s.Before)):
		p.right(row, e, s.Path, st)
	case sameKind:
		p.add(e, op{row: row, action: Replace, expect: &lying{Lies: Lies{Stat: st}}}, s.Path)
	default:
		remove(true)
		p.add(e, op{row: row, action: Make}, s.Path)
	}
}
