package folder

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/brake"
	"github.com/kithmesh/kith/node/folder/merge"
)

// held is what the brake holds; see package brake. Paths whose content a
// wanted version would take away are kept count of as they come and go, and
// are looked at one by one only when there are many.
type held struct {
	doomed  map[entry.Path]string // by whom
	by      map[string]int64      // author: how many are doomed
	meter   brake.Meter
	batches []brake.Batch
	since   map[string]time.Time // by author; who is in it is held
	stale   bool
	exact   int           // how many were doomed when it was last looked at
	at      time.Time     // when that was
	due     time.Time     // when it is looked at again, if that was put off
	every   time.Duration // how often that is
	// strict: what is wanted elsewhere cannot come there, so that what goes
	// here does not move.
	strict bool
}

func newHeld(limits brake.Limits) held {
	return held{meter: brake.Meter{Limits: limits}, doomed: map[entry.Path]string{}, by: map[string]int64{}, since: map[string]time.Time{}}
}

func (h *held) doom(p entry.Path, author string) {
	if was, ok := h.doomed[p]; ok {
		h.count(was, -1)
	}
	h.doomed[p] = author
	h.count(author, 1)
}

func (h *held) spare(p entry.Path) {
	if author, ok := h.doomed[p]; ok {
		h.count(author, -1)
	}
	delete(h.doomed, p)
}

func (h *held) count(author string, n int64) {
	if h.by[author] += n; h.by[author] == 0 {
		delete(h.by, author)
	}
}

func (h *held) reset() {
	clear(h.doomed)
	clear(h.by)
	h.stale = true
}

func (h *held) holds(author string) bool { _, ok := h.since[author]; return ok }

// countDoomed keeps count after what is wanted of a path has changed.
func (a *actor) countDoomed(x *index.Folder, p entry.Path, wants []merge.Want) error {
	_, was := a.brake.doomed[p]
	if !was && (len(wants) == 0 || x.Totals().Files < a.Brake.Files) {
		return nil
	}
	author, doomed := "", false
	if len(wants) > 0 {
		l, err := x.Get(p)
		if err != nil {
			return err
		}
		author, doomed = a.dooms(l, wants)
	}
	switch {
	case doomed:
		a.brake.doom(p, author)
	case was:
		a.brake.spare(p)
	default:
		return nil
	}
	a.brake.stale = true
	return nil
}

// dooms tells whether what is wanted takes the content of l away for good.
func (a *actor) dooms(l *entry.Entry, wants []merge.Want) (author string, yes bool) {
	if l == nil || l.Kind != entry.File || l.Absent || l.Unknown || len(l.Blocks) == 0 {
		return "", false
	}
	top, ok := merge.Best(wants, func(merge.Want) bool { return true })
	if !ok || top.Released || top.Entry.SameContent(l) {
		return "", false
	}
	if top.Entry.Kind == entry.Deleted && a.moves(l) {
		return "", false
	}
	d := a.around.decide(l, top.Entry, false)
	return top.Entry.AuthorName, d.Action == merge.Adopt && d.Keep == nil
}

// goes tells whether no file is left at a path that takes a version.
func goes(e *entry.Entry) bool { return e.Kind == entry.Deleted || e.Kind == entry.Directory }

// moves tells whether the content of a file is wanted elsewhere, and can come
// there.
func (a *actor) moves(e *entry.Entry) bool { return a.needed[e.Digest()] > 0 && !a.brake.strict }

// setStrict counts anew if what goes was taken for what moves, or is from now on.
func (a *actor) setStrict(strict bool) {
	if a.brake.strict != strict {
		a.brake.strict, a.recount, a.pass.again = strict, true, true
	}
}

// brakes tells whether a path is held.
func (a *actor) brakes(p entry.Path) bool {
	author, doomed := a.brake.doomed[p]
	if !doomed {
		return false
	}
	return a.brake.holds(author)
}

// untold tells whether a path is to wait until its member has told the rest: the
// whole of it is judged, and not what happens to come first.
func (a *actor) untold(p entry.Path) bool {
	_, doomed := a.brake.doomed[p]
	return doomed && !a.caughtUp()
}

const (
	// judgedAtOnce is up to how many doomed paths each change is judged as it
	// comes: some tens of milliseconds.
	judgedAtOnce = 1000
	// judgedEvery is how often more than that are, if it does not take long.
	judgedEvery = time.Second
	// judgedPart is which part of the time that takes at the most.
	judgedPart = 10
)

// hold works out what is held. While much is doomed that is costly, so it is
// done again only when there is a good deal more, or some time has passed:
// meanwhile everything by an author who is held is held.
func (a *actor) hold(now time.Time) {
	h := &a.brake
	h.due = time.Time{}
	if !h.stale {
		return
	}
	some, new_ := a.tooMuch(now)
	if !some {
		a.stale, a.pass.again = a.stale || len(h.batches) > 0, a.pass.again || len(h.batches) > 0
		h.batches, h.stale, h.exact = nil, false, 0
		clear(h.since)
		return
	}
	if n := len(h.doomed); !new_ && n > judgedAtOnce && n > h.exact/10*9 && n < h.exact+h.exact/10 && now.Sub(h.at).Abs() < h.every {
		h.due = h.at.Add(h.every)
		return
	}
	doomed, files, err := a.allDoomed()
	if err != nil {
		return
	}
	h.stale, h.exact, h.at = false, len(h.doomed), a.Clock()
	h.every = max(judgedEvery, judgedPart*h.at.Sub(now))
	h.batches = h.meter.Hold(doomed, files, h.holds, now)
	since := h.since
	h.since = map[string]time.Time{}
	for _, b := range h.batches {
		t, ok := since[b.Author]
		if !ok {
			t = now
			a.Log.Warn("held changes that take away much of the folder", "author", b.Author, "deletes", b.Deletes, "rewrites", b.Rewrites, "batch", b.ID)
		}
		h.since[b.Author] = t
	}
	a.stale, a.pass.again = true, true
}

// tooMuch tells whether an author may have to be held, and whether there is one
// who is not held yet. More may count as doomed than is.
func (a *actor) tooMuch(now time.Time) (some, others bool) {
	h := &a.brake
	if len(h.by) == 0 {
		return false, false
	}
	var files int64
	_ = a.view(func(x *index.Folder) error { files = filesHere(x); return nil })
	for author, n := range h.by {
		if h.reaches(author, n, files, now) {
			some, others = true, others || !h.holds(author)
		}
	}
	return some, others
}

// filesHere is how many files lie here.
func filesHere(x *index.Folder) int64 { t := x.Totals(); return t.Files - t.Absent }

// allDoomed looks at the doomed paths once more: what moved is not.
func (a *actor) allDoomed() (out []brake.Doomed, files int64, err error) {
	err = a.view(func(x *index.Folder) error {
		files = filesHere(x)
		for p := range a.brake.doomed {
			l, err := x.Get(p)
			if err != nil {
				return err
			}
			w, err := x.Wanted(p)
			if err != nil {
				return err
			}
			wants := toWants(w)
			author, yes := a.dooms(l, wants)
			top, _ := merge.Best(wants, func(merge.Want) bool { return true })
			if yes && goes(top.Entry) {
				_, beside := a.liesBeside(x, l)
				yes = !beside
			}
			if !yes {
				a.brake.spare(p)
				continue
			}
			a.brake.doom(p, author)
			out = append(out, brake.Doomed{
				Path: p, Version: top.Entry.Version, Author: author, Deletes: top.Entry.Kind == entry.Deleted, Bytes: l.Size,
			})
		}
		return nil
	})
	return out, files, err
}

// liesBeside tells whether a file's content lies at another path, too, where it
// is to stay.
func (a *actor) liesBeside(x *index.Folder, e *entry.Entry) (at entry.Path, yes bool) {
	n := 0
	for o := range x.FindContent(e) {
		if n++; n > maxSameFiles {
			break
		}
		if _, doomed := a.brake.doomed[o.Path]; !doomed && o.Path != e.Path {
			return o.Path, true
		}
	}
	return "", false
}

// Held is a batch that waits for a person.
type Held struct {
	brake.Batch
	Since time.Time
	Files int64 // that lie here
}

// Held are the batches that wait for a person.
func (f *Folder) Held(ctx context.Context) (out []Held, err error) {
	var failed error
	err = f.do(ctx, func(a *actor) { out, failed = a.heldNow() })
	return out, errors.Join(err, failed)
}

func (a *actor) heldNow() (out []Held, err error) {
	if !takes(a.role) {
		return nil, nil // nothing is about to happen
	}
	a.brake.stale, a.brake.at = true, time.Time{}
	a.brake.exact = 0
	a.hold(a.Clock())
	var files int64
	err = a.view(func(x *index.Folder) error { files = filesHere(x); return nil })
	for _, b := range a.brake.batches {
		out = append(out, Held{Batch: b, Since: a.brake.since[b.Author], Files: files})
	}
	return out, err
}

// ErrNoBatch: no batch of this ID is held, or it has changed since.
var ErrNoBatch = errors.New("no such batch is held")

// Approve lets a batch be applied: just these versions of these paths.
func (f *Folder) Approve(ctx context.Context, id string) (Held, error) {
	return f.settleBatch(ctx, id, (*actor).release)
}

// Reject undoes a batch for everyone: what lies here becomes the newest
// version of each path.
func (f *Folder) Reject(ctx context.Context, id string) (Held, error) {
	return f.settleBatch(ctx, id, (*actor).outdo)
}

func (f *Folder) settleBatch(
	ctx context.Context, id string, settle func(a *actor, x *index.Folder, d brake.Doomed) error,
) (out Held, err error) {
	var failed error
	err = f.do(ctx, func(a *actor) {
		all, err := a.heldNow()
		i := slices.IndexFunc(all, func(h Held) bool { return h.ID == id })
		switch {
		case err != nil:
			failed = err
			return
		case i < 0:
			failed = ErrNoBatch
			return
		}
		out = all[i]
		failed = a.update(func(x *index.Folder) error {
			for _, d := range out.Batch.Files {
				if err := settle(a, x, d); err != nil {
					return err
				}
			}
			return nil
		})
		a.brake.meter.Excuse(out.Author)
		delete(a.brake.since, out.Author)
		a.brake.stale, a.brake.at, a.pass.again, a.stale = true, time.Time{}, true, true
	})
	return out, errors.Join(err, failed)
}

// release marks just the version that was shown.
func (a *actor) release(x *index.Folder, d brake.Doomed) error {
	return a.changeWanted(x, d.Path, func(w []merge.Want) []merge.Want {
		for i := range w {
			w[i].Released = w[i].Released || w[i].Entry.Version.Compare(d.Version) == version.Equal
		}
		return w
	})
}

// outdo makes what lies here a change on top of the version that is rejected.
func (a *actor) outdo(x *index.Folder, d brake.Doomed) error {
	l, err := x.Get(d.Path)
	if err != nil || l == nil {
		return err
	}
	e := *l
	e.AuthorName = a.Name
	if e.Version, err = a.event(x, l.Version.Join(d.Version)); err != nil {
		return err
	}
	if _, err := x.Put(&e); err != nil {
		return err
	}
	return a.changeWanted(x, d.Path, func(w []merge.Want) []merge.Want { return stillWanted(w, &e) })
}

// took notes that a change which an item applied has taken content away: what
// lies at another path, too, has only moved there, if in two steps.
func (a *actor) took(it *item) {
	l := it.here()
	if l == nil || l.Kind != entry.File || len(l.Blocks) == 0 || l.Unknown || it.choice.Action != merge.Adopt || it.choice.Keep != nil ||
		it.from != nil || l.SameContent(it.remote) || it.remote.Kind == entry.Deleted && a.moves(l) {
		return
	}
	m, author, gone := &a.brake.meter, it.remote.AuthorName, goes(it.remote)
	at, beside := entry.Path(""), false
	if gone {
		_ = a.view(func(x *index.Folder) error { at, beside = a.liesBeside(x, l); return nil })
	}
	switch {
	case !beside:
		m.Took(author, it.path, gone, a.Clock())
	case !m.Own(author, it.path):
		m.Rests(at)
	}
}
