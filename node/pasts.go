package node

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/past"
)

var happenings = map[past.What]control.Happening{
	past.Created: control.Created, past.Edited: control.Edited, past.Deleted: control.Deleted, past.Renamed: control.Renamed,
	past.Mode: control.Modified, past.Touched: control.Modified, past.Revived: control.Revived, past.Copied: control.Created, past.Replaced: control.Edited,
}

// historian implements [control.Past], whose Log is not the device's.
type historian struct{ device *Device }

// Log implements [control.Past].
func (h historian) Log(ctx context.Context, r control.LogRequest, each func(control.LogEvent) error) error {
	d := h.device
	s, at, err := d.findPlace(r.Place)
	if err != nil {
		return fmt.Errorf("log %w", err)
	}
	if _, err := s.withTree(); err != nil {
		return fmt.Errorf("log %w", err)
	}
	from, closeAll, err := s.sources(ctx, r.From)
	if err == nil {
		defer closeAll()
	} else if r.From != "" {
		return fmt.Errorf("log of %w", err)
	}
	log, err := s.pastOf(from).Log(ctx, past.LogOptions{Below: at, Now: s.entries(), Device: s.deviceOf})
	if err != nil {
		return pastError("log", r.Place.Text, err)
	}
	if gap := log.Gaps.Err(); gap != nil {
		d.Log.Warn("the log may not be whole", "folder", s.ID, "unopened", log.Gaps.Unopened, "error", gap)
	}
	n := 0
	for i := range log.Events {
		e := &log.Events[i]
		if shownAt(e).Before(r.Since) && !r.Since.IsZero() {
			continue
		}
		if n++; r.Limit > 0 && n > r.Limit {
			break
		}
		if err := each(s.logged(e)); err != nil {
			return err
		}
	}
	return nil
}

// shownAt is when a change came, as a person is shown it: when a history took it
// in, or while none has, when it was made.
func shownAt(e *past.Event) time.Time {
	if e.Received.IsZero() {
		return e.Made
	}
	return e.Received
}

func (s *share) logged(e *past.Event) control.LogEvent {
	return control.LogEvent{
		Folder: s.controlled(), Path: string(e.Path), OldPath: string(e.From), What: happenings[e.What], Kind: e.Kind, At: e.Made, Received: e.Received,
		Size: max(0, e.After), Before: max(0, e.Before), Batch: string(e.Batch), Kept: !e.Received.IsZero(),
		Device: control.Identity{ID: e.Device, Name: e.AuthorName},
	}
}

// entries are those of this device's index; none for a backup.
func (s *share) entries() iter.Seq2[*entry.Entry, error] {
	if s.tree == nil {
		return nil
	}
	return s.tree.Entries()
}

// deviceOf is the device of a replica, empty if that is not known.
func (s *share) deviceOf(r version.ReplicaID) entry.DeviceID {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, _ := s.roster.DeviceOf(r)
	return d
}

// entriesBelow leaves out what is not at a path or below it.
func entriesBelow(all iter.Seq2[*entry.Entry, error], at entry.Path) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		for e, err := range all {
			if err == nil && e.Path != at && !e.Path.Below(at) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Diff implements [control.Past].
func (h historian) Diff(ctx context.Context, r control.DiffRequest, each func(control.Difference) error) error {
	d := h.device
	s, at, err := d.findPlace(r.Place)
	if err != nil {
		return fmt.Errorf("diff %w", err)
	}
	from, closeAll, err := s.sources(ctx, r.Source)
	if err != nil {
		return fmt.Errorf("diff of %w", err)
	}
	defer closeAll()
	before, _, _, err := s.treeAt(ctx, from, r.From)
	if err != nil {
		return pastError("diff", r.Place.Text, err)
	}
	defer func() { _ = before.Close() }()
	after := entriesBelow(s.entries(), at)
	if r.To != (control.Moment{}) {
		then, _, _, err := s.treeAt(ctx, from, r.To)
		if err != nil {
			return pastError("diff", r.Place.Text, err)
		}
		defer func() { _ = then.Close() }()
		after = then.Entries(at)
	}
	for x, err := range past.Diff(before.Entries(at), after) {
		if err != nil {
			return pastError("diff", r.Place.Text, err)
		}
		if err := each(s.difference(&x)); err != nil {
			return err
		}
	}
	return nil
}

func (s *share) difference(x *past.Difference) control.Difference {
	out := control.Difference{Folder: s.controlled(), Path: string(x.Path), What: happenings[x.What]}
	if x.From != nil {
		out.OldKind, out.Before, out.Kind = x.From.Kind, x.From.Size, entry.Deleted
	}
	if x.To != nil {
		out.Kind, out.Size = x.To.Kind, x.To.Size
		if !x.To.Unknown { // else nobody has made a version of it yet
			out.TimeChanged = x.To.Version.Clock.Time()
		}
	}
	return out
}

// ListAt implements [control.Past].
func (h historian) ListAt(ctx context.Context, r control.ListAtRequest, each func(control.PathEntry) error) error {
	d := h.device
	s, at, err := d.findPlace(r.Place)
	if err != nil {
		return fmt.Errorf("list %w", err)
	}
	from, closeAll, err := s.sources(ctx, r.Source)
	if err != nil {
		return fmt.Errorf("list %w", err)
	}
	defer closeAll()
	tree, _, _, err := s.treeAt(ctx, from, r.At)
	if err != nil {
		return pastError("list", r.Place.Text, err)
	}
	defer func() { _ = tree.Close() }()
	first, end := tree.Below(at)
	if first == end && at != "" {
		return fmt.Errorf("list %q: at that time %w", r.Place.Text, control.ErrNoPath)
	}
	in := s.controlled()
	for row := first; row < end; row++ {
		e := tree.Entry(row)
		err := each(control.PathEntry{
			Folder: in, Path: string(tree.Path(row)), Kind: e.Kind, Size: e.Size,
			ModTime: modified(e), // Where is left empty: what was lies nowhere
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// modified is when a file or symlink was last written; zero for what has no such
// time.
func modified(e *entry.Entry) time.Time {
	if e.Kind == entry.Directory {
		return time.Time{}
	}
	return e.Modified()
}
