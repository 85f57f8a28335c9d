package past

import (
	"cmp"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/merge"
)

// This file says, without any I/O, what happened between versions.

// What is the kind of a change.
type What int

// The kinds of changes.
const (
	Created What = iota
	Edited
	Deleted
	Renamed  // created with the content of a path that went at about that time
	Mode     // the permissions alone, or with the modification time
	Touched  // the modification time alone
	Revived  // it had been deleted, and is back with the content it had
	Copied   // a conflict copy was laid beside a path
	Replaced // a file by a directory, a symlink by a file, and so on
)

func (w What) String() string {
	return [...]string{"created", "edited", "deleted", "renamed", "mode", "touched", "revived", "conflict copy", "replaced"}[w]
}

// Event is one change of one path.
type Event struct {
	Path entry.Path
	From entry.Path // of Renamed: where it was
	What What
	Kind entry.Kind // what the path is since; for Deleted, what it was, if that is known

	AuthorName string // what the device called itself
	Author     version.ReplicaID
	Device     entry.DeviceID // if it is known

	Made time.Time // by the clock of the device that made it
	// Received is when the first of the sources received it; zero if none has.
	Received time.Time

	Before, After int64 // bytes; -1 if that was no file, or is not known
	Version       version.Version
	Batch         BatchID
}

// before is the version that another was made on: of those that it had seen,
// the one that wins; nil if none is known.
func before(vs []Version, v *Version) *Version {
	var best *Version
	for i := range vs {
		o := &vs[i]
		if o.Entry.Version.Compare(v.Entry.Version) != version.Before || eventOf(o.Entry) == eventOf(v.Entry) {
			continue
		}
		if best == nil {
			best = o
			continue
		}
		switch o.Entry.Version.Compare(best.Entry.Version) {
		case version.After:
			best = o
		case version.Concurrent:
			if o.Entry.Version.Beats(best.Entry.Version) {
				best = o
			}
		case version.Before, version.Equal:
		}
	}
	return best
}

// eventsOf are the changes of one path. A version that joins others is no
// change of its own: of those of one event the first counts.
func eventsOf(vs []Version) []Event {
	chosen := map[event]int{}
	var order []event
	for i := range vs {
		k := eventOf(vs[i].Entry)
		j, known := chosen[k]
		if !known {
			order = append(order, k)
		}
		if !known || vs[i].Entry.Version.Compare(vs[j].Entry.Version) == version.Before {
			chosen[k] = i
		}
	}
	out := make([]Event, 0, len(order))
	for _, k := range order {
		v := &vs[chosen[k]]
		out = append(out, eventBetween(before(vs, v), v))
	}
	return out
}

// eventBetween says what v changed; was is nil if nothing was known before.
func eventBetween(was, v *Version) Event {
	e := v.Entry
	out := Event{
		Path: e.Path, Kind: e.Kind, AuthorName: e.AuthorName, Author: e.Version.Author, Made: e.Version.Clock.Time(),
		Received: v.Received, Before: -1, After: -1, Version: e.Version,
	}
	if e.Kind == entry.File {
		out.After = e.Size
	}
	if was != nil && was.Entry.Kind == entry.File {
		out.Before = was.Entry.Size
	}
	out.What = what(was, v)
	if out.What == Deleted && was != nil && was.Entry.Lives() {
		out.Kind = was.Entry.Kind
	}
	return out
}

func what(was, v *Version) What {
	e := v.Entry
	switch {
	case !e.Lives():
		return Deleted
	case was == nil && merge.IsCopy(e.Path):
		return Copied
	case was == nil:
		return Created
	case !was.Entry.Lives() && was.Entry.Gone == v.Content && was.Entry.Epoch == e.Epoch && merge.HoldsContent(e):
		return Revived
	case !was.Entry.Lives():
		return Created
	case was.Entry.Kind != e.Kind:
		return Replaced
	case !sameContent(was, v):
		return Edited
	case was.Entry.Mode != e.Mode:
		return Mode
	}
	return Touched
}

// sameContent compares two versions. Digests of different epochs say nothing of
// each other: there, equal sizes and times are taken for equal contents.
func sameContent(a, b *Version) bool {
	if a.Entry.Epoch == b.Entry.Epoch || a.Entry.Kind != entry.File || b.Entry.Kind != entry.File {
		return a.Content == b.Content
	}
	return a.Entry.Size == b.Entry.Size && a.Entry.ModTime == b.Entry.ModTime
}

// trail is an event with the content that came or went with it.
type trail struct {
	Event
	content entry.Digest
	epoch   entry.Epoch
	size    int64
}

// renames makes one event of a delete and a creation of the same content by one
// replica within the gap of a batch. Of several that fit the nearest in number
// counts.
func renames(ts []trail) []Event {
	type key struct {
		content entry.Digest
		epoch   entry.Epoch
		author  version.ReplicaID
	}
	gone := map[key][]int{}
	for i := range ts {
		if t := &ts[i]; t.What == Deleted && t.size > 0 {
			k := key{t.content, t.epoch, t.Author}
			gone[k] = append(gone[k], i)
		}
	}
	drop := map[int]bool{}
	for i := range ts {
		t := &ts[i]
		if t.What != Created || t.size <= 0 || t.Kind != entry.File {
			continue
		}
		best, k := -1, key{t.content, t.epoch, t.Author}
		for _, j := range gone[k] {
			if !drop[j] && !apart(ts[j].Version.Clock, t.Version.Clock) && ts[j].Path != t.Path && (best < 0 || nearer(&ts[j], &ts[best], t)) {
				best = j
			}
		}
		if best >= 0 {
			drop[best] = true
			t.What, t.From, t.Before = Renamed, ts[best].Path, t.After
		}
	}
	out := make([]Event, 0, len(ts)-len(drop))
	for i := range ts {
		if !drop[i] {
			out = append(out, ts[i].Event)
		}
	}
	return out
}

// nearer tells whether event a is nearer to t than b, of one replica.
func nearer(a, b, t *trail) bool {
	far := func(o *trail) uint64 {
		x, y := o.Version.Vector.Count(o.Author), t.Version.Vector.Count(t.Author)
		return max(x, y) - min(x, y)
	}
	return far(a) < far(b)
}

// latest puts events in order, newest first by the clocks of who made them.
func latest(es []Event) {
	slices.SortFunc(es, func(a, b Event) int {
		x, y := a.Version, b.Version
		return cmp.Or(
			cmp.Compare(y.Clock, x.Clock), cmp.Compare(y.Author, x.Author),
			cmp.Compare(y.Vector.Count(y.Author), x.Vector.Count(x.Author)), a.Path.Compare(b.Path),
		)
	})
}
