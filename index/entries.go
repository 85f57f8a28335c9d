package index

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Get is the entry at p, nil if there is none.
func (f *Folder) Get(p entry.Path) (*entry.Entry, error) {
	e, _, err := f.get(appendPathKey(nil, p))
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", p, err)
	}
	return e, nil
}

func (f *Folder) get(key []byte) (*entry.Entry, fileNumber, error) {
	if len(key) == 0 {
		return nil, 0, nil
	}
	row, err := f.entries.get(key)
	if err != nil || row == nil {
		return nil, 0, err
	}
	return f.parse(key, row)
}

func (f *Folder) parse(key, row []byte) (*entry.Entry, fileNumber, error) {
	e, n, err := f.codec.parse(key, row)
	if errors.Is(err, errRow) {
		err = f.tx.damaged("%v", err)
	}
	return e, n, err
}

// Put writes e under the next sequence, which it returns and sets in e. The
// whole entry must be valid (see [entry.Entry.Check]); one of unknown history
// has no version. Of one that is absent, Disk is not kept. It returns
//
//   - [ErrStale] if e has not seen the version that the index holds, or e is
//     unknown and that one is not. Anything may follow an unknown entry, and
//     all but an ancestor one that is absent: where nothing lies, nothing is
//     lost.
//   - [ErrForked] if e has the vector of the entry that the index holds, but
//     another state. Whether they are absent does not matter to that.
func (f *Folder) Put(e *entry.Entry) (entry.Sequence, error) {
	if err := f.put(e); err != nil {
		return 0, fmt.Errorf("put %q: %w", e.Path, err)
	}
	return e.Sequence, nil
}

func (f *Folder) put(e *entry.Entry) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	if err := checkEntry(e); err != nil {
		return err
	}
	key := appendPathKey(nil, e.Path)
	old, n, err := f.get(key)
	if err != nil {
		return err
	}
	if err := follows(e, old); err != nil {
		return err
	}
	if old == nil {
		n = f.state.numbered + 1
		f.files.know(n.key(), 0) // a new number has no row
		if err := f.files.put(n.key(), []byte(e.Path)); err != nil {
			return err
		}
		f.state.numbered = n
	}
	row := *e
	row.Sequence = f.state.head + 1
	if row.Absent {
		row.Disk = entry.Disk{}
	}
	if err := f.replace(key, n, old, &row); err != nil {
		return err
	}
	f.state.head = row.Sequence
	e.Sequence = row.Sequence
	return nil
}

// checkEntry is [entry.Entry.Check] for unknown entries too.
func checkEntry(e *entry.Entry) error {
	if !e.Unknown {
		return e.Check()
	}
	if !e.Version.IsZero() {
		return fmt.Errorf("%w: an unknown entry with a version", entry.ErrEntry)
	}
	if e.Kind == entry.Deleted || e.Absent || len(e.Unseen) > 0 {
		return fmt.Errorf("%w: an unknown entry that is deleted, absent, or more than was found", entry.ErrEntry)
	}
	return checkUnversioned(e)
}

// checkUnversioned is [entry.Entry.Check] for all but the version.
func checkUnversioned(e *entry.Entry) error {
	probe := *e
	probe.Version = version.Version{}.Next(1, 1, 1)
	return probe.Check()
}

// follows tells whether e may replace old.
func follows(e, old *entry.Entry) error {
	if old == nil || old.Unknown {
		return nil
	}
	if e.Unknown {
		return ErrStale
	}
	switch old.Version.Compare(e.Version) {
	case version.Before:
		return nil
	case version.Equal:
		if !old.SamePayload(e) {
			return ErrForked
		}
		return nil
	case version.Concurrent:
		if old.Absent {
			return nil
		}
	case version.After:
	}
	return ErrStale
}

// replace writes e, if any, in place of old, if any, and mends all that is
// derived from entries.
func (f *Folder) replace(key []byte, n fileNumber, old, e *entry.Entry) error {
	if e != nil {
		row, err := f.codec.append(make([]byte, 0, rowSize(e)), key, e, n)
		if err != nil {
			return err
		}
		if err := f.entries.put(key, row); err != nil {
			return err
		}
		f.state.totals.count(e, 1)
	}
	if old != nil {
		f.state.totals.count(old, -1)
	}
	if err := f.resequence(n, old, e); err != nil {
		return err
	}
	return f.reblock(n, old, e)
}

// rowSize is about how long the row of e will be.
func rowSize(e *entry.Entry) int {
	return headerSize + 32 + 16*(len(e.Version.Vector)+len(e.Unseen)) + 36*len(e.Blocks) + len(e.Target)
}

func (f *Folder) resequence(n fileNumber, old, e *entry.Entry) error {
	if old != nil {
		if err := f.sequence.delete(pair{uint64(old.Sequence), uint64(n)}); err != nil {
			return err
		}
	}
	if e != nil {
		if err := f.sequence.add(pair{uint64(e.Sequence), uint64(n)}); err != nil {
			return err
		}
	}
	was, is := old != nil && old.Unknown, e != nil && e.Unknown
	switch {
	case was && !is:
		return f.unknown.delete(pair{a: uint64(n)})
	case is && !was:
		return f.unknown.add(pair{a: uint64(n)})
	}
	return nil
}

// reblock leaves alone the rows of blocks that both have.
func (f *Folder) reblock(n fileNumber, old, e *entry.Entry) error {
	before, after := prefixes(old), prefixes(e)
	for len(before) > 0 || len(after) > 0 {
		var err error
		switch {
		case len(after) == 0 || len(before) > 0 && before[0] < after[0]:
			err = f.blocks.delete(pair{before[0], uint64(n)})
			before = before[1:]
		case len(before) == 0 || after[0] < before[0]:
			err = f.blocks.add(pair{after[0], uint64(n)})
			after = after[1:]
		default:
			before, after = before[1:], after[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prefixes are those of the blocks that e holds, ascending, none twice.
func prefixes(e *entry.Entry) []uint64 {
	if e == nil || e.Absent || len(e.Blocks) == 0 {
		return nil
	}
	out := make([]uint64, len(e.Blocks))
	for i := range e.Blocks {
		out[i] = blockPrefix(e.Blocks[i].ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
