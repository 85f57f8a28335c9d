package past

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// Version is one version of a path.
type Version struct {
	// Entry has no blocks unless they were asked for.
	Entry   *entry.Entry
	Content entry.Digest // of the entry with its blocks
	// Received is when the first of the sources received it, by its own clock;
	// zero if none has.
	Received time.Time
}

// Histories are all versions that the sources hold of some paths, in the order
// of their clocks; with the blocks of those that whole wants.
func (p *Past) Histories(ctx context.Context, paths []entry.Path, whole func(*entry.Entry) bool) (map[entry.Path][]Version, Gaps, error) {
	var ids []seal.RecordID
	for _, path := range paths {
		for _, k := range p.Keys {
			ids = append(ids, k.RecordID(path))
		}
	}
	return p.histories(ctx, ids, whole)
}

func (p *Past) histories(ctx context.Context, ids []seal.RecordID, whole func(*entry.Entry) bool) (map[entry.Path][]Version, Gaps, error) {
	out := map[entry.Path][]Version{}
	var gaps Gaps
	for part := range slices.Chunk(ids, MaxAsk) {
		g, err := p.opening(ctx, func(ctx context.Context, s Source, each func(history.Held) error) error {
			return s.Versions(ctx, part, each)
		}, func(h history.Held, e *entry.Entry) {
			v := Version{Entry: e, Content: e.Digest(), Received: h.Received}
			if whole == nil || !whole(e) {
				e.Blocks = nil
			}
			out[e.Path] = addVersion(out[e.Path], v)
		})
		gaps.add(g)
		if err != nil {
			return out, gaps, err
		}
	}
	for _, vs := range out {
		sortVersions(vs)
	}
	return out, gaps, nil
}

// addVersion adds a version to those of its path; one that is known already
// counts from its first receipt.
func addVersion(vs []Version, v Version) []Version {
	for i := range vs {
		o := &vs[i]
		if o.Entry.Version.Compare(v.Entry.Version) != version.Equal || o.Content != v.Content || o.Entry.Epoch != v.Entry.Epoch ||
			o.Entry.Mode != v.Entry.Mode || o.Entry.ModTime != v.Entry.ModTime {
			continue
		}
		if o.Received.IsZero() || !v.Received.IsZero() && v.Received.Before(o.Received) {
			o.Received = v.Received
		}
		if o.Entry.Blocks == nil {
			o.Entry.Blocks = v.Entry.Blocks
		}
		return vs
	}
	return append(vs, v)
}

func sortVersions(vs []Version) {
	slices.SortFunc(vs, func(a, b Version) int { return -first(a.Entry, b.Entry) })
}

// timeline goes through all versions that the sources hold, and through the
// entries of this device, which no source may have yet.
func (p *Past) timeline(ctx context.Context, below entry.Path, now iter.Seq2[*entry.Entry, error]) (timeline, Gaps, error) {
	t := timeline{}
	within := func(q entry.Path) bool { return below == "" || q == below || q.Below(below) }
	gaps, err := p.opening(ctx, func(ctx context.Context, s Source, each func(history.Held) error) error {
		return s.Received(ctx, 0, each)
	}, func(h history.Held, e *entry.Entry) {
		t.add(e.Version, h.Record.ID, within(e.Path))
	})
	if err = orAlone(err, now); err == nil {
		err = eachKnown(now, func(e *entry.Entry) {
			if k := p.Keys[e.Epoch]; k != nil {
				t.add(e.Version, k.RecordID(e.Path), within(e.Path))
			}
		})
	}
	t.sort()
	return t, gaps, err
}

// orAlone lets a question do without any source where this device's own entries
// are known: the gaps tell.
func orAlone(err error, now iter.Seq2[*entry.Entry, error]) error {
	if errors.Is(err, ErrNoSource) && now != nil {
		return nil
	}
	return err
}

// eachKnown goes through entries that have a version.
func eachKnown(entries iter.Seq2[*entry.Entry, error], each func(*entry.Entry)) error {
	if entries == nil {
		return nil
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		if !e.Unknown && !e.Version.IsZero() {
			each(e)
		}
	}
	return nil
}

// withNow adds entries of this device to the histories of their paths: where
// there is one, or want asks for it.
func withNow(by map[entry.Path][]Version, now iter.Seq2[*entry.Entry, error], want func(*entry.Entry) bool) error {
	err := eachKnown(now, func(e *entry.Entry) {
		if _, known := by[e.Path]; !known && !want(e) {
			return
		}
		c := *e
		by[e.Path] = addVersion(by[e.Path], Version{Entry: &c, Content: e.Digest()})
	})
	for _, vs := range by {
		sortVersions(vs)
	}
	return err
}
