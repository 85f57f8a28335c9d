package past

import (
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// undoing is what is decided about one path of a batch.
type undoing struct {
	before, now *Version // nil: nothing is known
	skip        *Reason
	name        string // of the author
}

func (u *undoing) any() *entry.Entry {
	if u.now != nil {
		return u.now.Entry
	}
	return u.before.Entry
}

// undoPath decides about one path, of all its known versions: what was there
// before the first change of the batch comes back if the last one is what is
// there now and nothing else came between.
func undoPath(vs []Version, r *run, exact time.Time) undoing {
	u := undoing{}
	skip := func(why Reason) undoing { u.skip = &why; return u }
	begin := firstOf(vs, r)
	if begin == nil {
		return skip(ChangedSince)
	}
	u.name = begin.Entry.AuthorName
	var earlier []Version
	for i := range vs {
		switch {
		case r.has(vs[i].Entry):
		case vs[i].Entry.Version.Compare(begin.Entry.Version) == version.Before:
			earlier = append(earlier, vs[i])
		default:
			return skip(ChangedSince)
		}
	}
	u.now, u.before = standing(vs), standing(earlier)
	switch {
	case u.now == nil || !r.has(u.now.Entry):
		return skip(ChangedSince)
	case u.before == nil && !exact.IsZero() && momentOf(begin).Before(exact):
		return skip(Thinned)
	case same(u.before, u.now):
		return skip(AlreadySo)
	case u.now.Entry.Lives() && u.now.Received.IsZero():
		return skip(NotHeld)
	}
	return u
}

// firstOf is the first change of the batch at a path.
func firstOf(vs []Version, r *run) *Version {
	var begin *Version
	for i := range vs {
		v := &vs[i]
		if !r.has(v.Entry) {
			continue
		}
		if begin == nil || eventOf(v.Entry).count < eventOf(begin.Entry).count ||
			v.Entry.Version.Compare(begin.Entry.Version) == version.Before {
			begin = v
		}
	}
	return begin
}

// standing is the version that versions of one path come to, a delete if that
// is what is left of them; nil of none.
func standing(vs []Version) *Version {
	entries := make([]*entry.Entry, len(vs))
	for i := range vs {
		// Digests stand in for the blocks, which are not at hand.
		entries[i] = vs[i].Entry
	}
	top := newest(entries)
	slices.SortFunc(top, first)
	pick := func(e *entry.Entry) *Version { return &vs[slices.Index(entries, e)] }
	for _, e := range top {
		if e.Lives() {
			return pick(e)
		}
	}
	if len(top) > 0 {
		return pick(top[0])
	}
	return nil
}

// same tells whether two versions leave the same at a path.
func same(a, b *Version) bool {
	lives := func(v *Version) bool { return v != nil && v.Entry.Lives() }
	if !lives(a) || !lives(b) {
		return !lives(a) && !lives(b)
	}
	return sameContent(a, b) && a.Entry.Kind == b.Entry.Kind && a.Entry.Mode == b.Entry.Mode && a.Entry.ModTime == b.Entry.ModTime
}

// momentOf is when a version was received, or made if it was not.
func momentOf(v *Version) time.Time {
	if v.Received.IsZero() {
		return v.Entry.Version.Clock.Time()
	}
	return v.Received
}
