package past

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// UndoOptions say what else is known when a batch is undone.
type UndoOptions struct {
	// Now are the entries of this device, as in [LogOptions].
	Now iter.Seq2[*entry.Entry, error]
	// Exact is the moment from which on the sources have dropped no version;
	// zero if they never have. Where a batch is older, a path of which nothing
	// is held from before it is left as it is.
	Exact time.Time
}

// Undo is the way back from a batch.
type Undo struct {
	ID         BatchID
	AuthorName string
	Author     version.ReplicaID
	From, To   time.Time // of its first and last change, by the author's clock
	Steps      []Step    // in tree order
	Skipped    []Skip    // in tree order
	Gaps       Gaps
}

// Step is a path that a batch has changed and nothing else since.
type Step struct {
	Path entry.Path
	// Before is what is to be at the path again, whole; nil if nothing was.
	Before *entry.Entry
	// Now is what the batch has left there, whole; nil if nothing.
	Now *entry.Entry
}

// Skip is a path that is left as it is.
type Skip struct {
	Path entry.Path
	Why  Reason
}

// Reason is why a path of a batch is left as it is.
type Reason int

// The reasons.
const (
	ChangedSince Reason = iota // something else has changed it, meanwhile or since
	AlreadySo                  // it is as it was before the batch
	NotHeld                    // what would go is in no vault yet
	Thinned                    // what was before is not held any more
)

func (r Reason) String() string {
	return [...]string{
		"changed by something else since", "already as it was before", "what lies there now is in no vault yet", "no version from before is held any more",
	}[r]
}

// Undo plans how to undo a batch. It returns [ErrNoBatch] if there is none of
// that ID: batches are made of the versions that the sources still hold.
func (p *Past) Undo(ctx context.Context, id BatchID, o UndoOptions) (Undo, error) {
	u, err := p.undo(ctx, id, o)
	if err != nil {
		return u, fmt.Errorf("undo %s: %w", id, err)
	}
	return u, nil
}

func (p *Past) undo(ctx context.Context, id BatchID, o UndoOptions) (Undo, error) {
	t, gaps, err := p.timeline(ctx, "", o.Now)
	u := Undo{ID: id, Gaps: gaps}
	if err != nil {
		return u, err
	}
	r, ok := t.find(id)
	if !ok {
		return u, ErrNoBatch
	}
	u.Author, u.From, u.To = r.author, r.begun.Time(), r.done.Time()
	paths, gaps, err := p.pathsOf(ctx, &r, o.Now)
	u.Gaps.add(gaps)
	if err != nil {
		return u, err
	}
	for part := range slices.Chunk(paths, MaxAsk/max(1, len(p.Keys))+1) {
		if err := p.undoSome(ctx, &u, &r, part, o); err != nil {
			return u, err
		}
	}
	return u, nil
}

// pathsOf are the paths that a batch has changed, in tree order.
func (p *Past) pathsOf(ctx context.Context, r *run, now iter.Seq2[*entry.Entry, error]) ([]entry.Path, Gaps, error) {
	by, gaps, err := p.histories(ctx, r.ids, nil)
	if err = orAlone(err, now); err != nil {
		return nil, gaps, err
	}
	changed := map[entry.Path][]Version{}
	for path, vs := range by {
		if slices.ContainsFunc(vs, func(v Version) bool { return r.has(v.Entry) }) {
			changed[path] = nil
		}
	}
	err = eachKnown(now, func(e *entry.Entry) {
		if r.has(e) {
			changed[e.Path] = nil
		}
	})
	return sortedPaths(changed), gaps, err
}

// has tells whether a version was made by an event of the batch.
func (r *run) has(e *entry.Entry) bool {
	n := e.Version.Vector.Count(e.Version.Author)
	return e.Version.Author == r.author && r.first <= n && n <= r.last
}

// undoSome plans for some of the paths.
func (p *Past) undoSome(ctx context.Context, u *Undo, r *run, paths []entry.Path, o UndoOptions) error {
	ask := func(whole func(*entry.Entry) bool) (map[entry.Path][]Version, error) {
		vs, gaps, err := p.Histories(ctx, paths, whole)
		u.Gaps.add(gaps)
		return vs, orAlone(err, o.Now)
	}
	by, err := ask(nil)
	if err == nil {
		err = withNow(by, o.Now, func(e *entry.Entry) bool {
			_, ok := slices.BinarySearchFunc(paths, e.Path, entry.Path.Compare)
			return ok
		})
	}
	if err != nil {
		return err
	}
	wanted := map[event]bool{}
	steps := make([]undoing, 0, len(paths))
	for _, path := range paths {
		s := undoPath(by[path], r, o.Exact)
		if s.name != "" {
			u.AuthorName = s.name
		}
		if s.skip != nil {
			u.Skipped = append(u.Skipped, Skip{path, *s.skip})
			continue
		}
		for _, v := range []*Version{s.before, s.now} {
			if v != nil && v.Entry.Kind == entry.File {
				wanted[eventOf(v.Entry)] = true
			}
		}
		steps = append(steps, s)
	}
	wholes, err := ask(func(e *entry.Entry) bool { return wanted[eventOf(e)] })
	if err != nil {
		return err
	}
	for _, s := range steps {
		path := s.any().Path
		u.Steps = append(u.Steps, Step{Path: path, Before: wholeOf(s.before, wholes[path]), Now: wholeOf(s.now, wholes[path])})
	}
	return nil
}

// wholeOf is the entry of a version with its blocks; nil for none, and for one
// that does not live.
func wholeOf(v *Version, among []Version) *entry.Entry {
	if v == nil || !v.Entry.Lives() {
		return nil
	}
	for i := range among {
		if o := &among[i]; eventOf(o.Entry) == eventOf(v.Entry) && o.Content == v.Content && len(o.Entry.Blocks) > 0 {
			return o.Entry
		}
	}
	return v.Entry
}
