package past

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

// LogOptions say what a log is of.
type LogOptions struct {
	Below entry.Path // a path and all below it; empty is the folder
	Limit int        // of events; 0 is all
	// Now are the entries of this device, tombstones included: they hold edits
	// that no vault has yet. It is gone through twice; nil is none.
	Now iter.Seq2[*entry.Entry, error]
	// Device is the device of a replica, if it is known; nil knows none.
	Device func(version.ReplicaID) entry.DeviceID
}

// Log is what happened in a folder, newest first by the clocks of the devices
// that made the changes.
type Log struct {
	Events []Event
	Gaps   Gaps
}

// Log tells who changed what and when. It goes through all versions that the
// sources hold, however few events are asked for: batches show only so, and a
// change that was received long after it was made has its place.
func (p *Past) Log(ctx context.Context, o LogOptions) (Log, error) {
	t, gaps, err := p.timeline(ctx, o.Below, o.Now)
	l := Log{Gaps: gaps}
	if err != nil {
		return l, fmt.Errorf("the log of %q: %w", o.Below, err)
	}
	ids, asked := t.latest(o.Limit)
	by, gaps, err := p.histories(ctx, ids, nil)
	l.Gaps.add(gaps)
	if err == nil {
		err = p.otherEpochs(ctx, by, ids)
	}
	if err = orAlone(err, o.Now); err == nil {
		err = withNow(by, o.Now, func(e *entry.Entry) bool { return asked[markOf(e)] })
	}
	if err != nil {
		return l, fmt.Errorf("the log of %q: %w", o.Below, err)
	}
	l.Events = p.eventsAmong(by, t, asked, o)
	return l, nil
}

// mark is what a timeline knows of an event: enough to find it again.
type mark struct {
	author version.ReplicaID
	count  uint64
}

func markOf(e *entry.Entry) mark {
	return mark{e.Version.Author, e.Version.Vector.Count(e.Version.Author)}
}

// latest are the newest of the events that are asked for.
func (t timeline) latest(limit int) (ids []seal.RecordID, asked map[mark]bool) {
	type one struct {
		change
		author version.ReplicaID
	}
	var all []one
	for author, cs := range t {
		for _, c := range cs {
			if c.in {
				all = append(all, one{c, author})
			}
		}
	}
	slices.SortFunc(all, func(a, b one) int {
		return cmp.Or(cmp.Compare(b.clock, a.clock), cmp.Compare(b.author, a.author), cmp.Compare(b.count, a.count))
	})
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	asked = map[mark]bool{}
	known := map[seal.RecordID]bool{}
	for _, c := range all {
		asked[mark{c.author, c.count}] = true
		if !known[c.id] {
			known[c.id] = true
			ids = append(ids, c.id)
		}
	}
	return ids, asked
}

// otherEpochs adds the versions that paths have under the keys of other epochs.
func (p *Past) otherEpochs(ctx context.Context, by map[entry.Path][]Version, had []seal.RecordID) error {
	if len(p.Keys) < 2 {
		return nil
	}
	asked := make(map[seal.RecordID]bool, len(had))
	for _, id := range had {
		asked[id] = true
	}
	var more []seal.RecordID
	for path := range by {
		for _, k := range p.Keys {
			if id := k.RecordID(path); !asked[id] {
				more = append(more, id)
			}
		}
	}
	others, _, err := p.histories(ctx, more, nil)
	for path, vs := range others {
		for _, v := range vs {
			by[path] = addVersion(by[path], v)
		}
	}
	return err
}

func (p *Past) eventsAmong(by map[entry.Path][]Version, t timeline, asked map[mark]bool, o LogOptions) []Event {
	var ts []trail
	var events []event
	for _, path := range sortedPaths(by) {
		vs := by[path]
		for _, ev := range eventsOf(vs) {
			count := ev.Version.Vector.Count(ev.Author)
			if !asked[mark{ev.Author, count}] {
				continue
			}
			events = append(events, event{path, ev.Author, count})
			ts = append(ts, trailOf(ev, vs))
		}
	}
	batches := t.batchesOf(events)
	for i := range ts {
		e := &ts[i].Event
		e.Batch = batches[event{e.Path, e.Author, e.Version.Vector.Count(e.Author)}]
		if o.Device != nil {
			e.Device = o.Device(e.Author)
		}
	}
	out := renames(ts)
	latest(out)
	return out
}

// trailOf finds the content of an event again.
func trailOf(ev Event, vs []Version) trail {
	t := trail{Event: ev}
	for i := range vs {
		v := &vs[i]
		if v.Entry.Version.Compare(ev.Version) != version.Equal {
			continue
		}
		t.epoch, t.content, t.size = v.Entry.Epoch, v.Content, ev.After
		if ev.What == Deleted {
			t.content, t.size = v.Entry.Gone, ev.Before
		}
	}
	return t
}

func sortedPaths(by map[entry.Path][]Version) []entry.Path {
	out := make([]entry.Path, 0, len(by))
	for p := range by {
		out = append(out, p)
	}
	slices.SortFunc(out, entry.Path.Compare)
	return out
}
