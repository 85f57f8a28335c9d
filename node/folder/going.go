package folder

import (
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/look"
)

// going is what was found missing and is not recorded yet.
//
// Deleting a tree takes a while, and it may be the folder itself that is being
// deleted, with the marker gone last. So deletes wait until no more of them
// have come for a moment, the longer the more there are; then the root is
// checked once more. What has moved is not kept waiting: its content is safe
// elsewhere. Deletes also wait while there is more to look at, as that may be
// what they moved to: members can then take the content from the old place.
type going struct {
	missing map[entry.Path]look.Finding
	since   time.Time // when the first of them went missing
	due     time.Time
}

// patience is how long deletes wait at most for what else there is to look at.
const patience = 2 * time.Minute

func newGoing() going { return going{missing: map[entry.Path]look.Finding{}} }

func (g *going) add(now time.Time, f look.Finding) {
	if len(g.missing) == 0 {
		g.since = now
	}
	if had, ok := g.missing[f.Path]; ok && had.Seen == f.Seen {
		return // looking at it again makes it wait no longer
	}
	g.missing[f.Path] = f
	wait := 100 * time.Millisecond
	switch n := len(g.missing); {
	case n > 200:
		wait = time.Second
	case n > 3:
		wait = 400 * time.Millisecond
	}
	g.due = now.Add(wait)
}

// take returns what is missing, from below, if it is due; more tells that
// there is more to look at.
func (g *going) take(now time.Time, more bool) []look.Finding {
	if g.due.IsZero() || g.due.After(now) {
		return nil
	}
	if more && now.Sub(g.since) < patience {
		return nil
	}
	out := make([]look.Finding, 0, len(g.missing))
	for _, f := range g.missing {
		out = append(out, f)
	}
	clear(g.missing)
	g.due = time.Time{}
	slices.SortFunc(out, func(x, y look.Finding) int { return y.Path.Compare(x.Path) })
	return out
}

// arrivals is what content has lately come to be at a new path: what goes
// missing with that content has moved.
type arrivals map[entry.Digest]arrival

type arrival struct {
	path entry.Path
	at   time.Time
}

const (
	lately      = 10 * time.Second
	maxArrivals = 100_000
)

func (r arrivals) add(e *entry.Entry, now time.Time) {
	if len(r) >= maxArrivals {
		clear(r) // then some deletes wait that need not
	}
	r[e.Digest()] = arrival{e.Path, now}
}

// of is where the content of e has lately come to be, if that is elsewhere.
func (r arrivals) of(e *entry.Entry, now time.Time) (entry.Path, bool) {
	d := e.Digest()
	a, ok := r[d]
	if ok && now.Sub(a.at).Abs() > lately {
		delete(r, d)
		return "", false
	}
	return a.path, ok && a.path != e.Path
}

// has tells whether a path is missing and not recorded as that yet.
func (g *going) has(p entry.Path) bool { _, ok := g.missing[p]; return ok }

func (g *going) empty() bool { return len(g.missing) == 0 }
