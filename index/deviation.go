package index

import (
	"fmt"
	"iter"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// This file is about paths where something else lies on disk than the folder's
// version, and is to stay there: edits on a device that only receives.

// Local is what lies at p instead of what Get returns, nil if nothing else
// does. One of kind Deleted means that nothing lies there. It has no version.
func (f *Folder) Local(p entry.Path) (*entry.Entry, error) {
	if p == "" {
		return nil, nil
	}
	e, err := f.getLocal(appendPathKey(nil, p))
	if err != nil {
		return nil, fmt.Errorf("local entry of %q: %w", p, err)
	}
	return e, nil
}

func (f *Folder) getLocal(key []byte) (*entry.Entry, error) {
	row, err := f.local.get(key)
	if err != nil || row == nil {
		return nil, err
	}
	e, _, err := f.parse(key, row)
	return e, err
}

// SetLocal replaces what Local returns for p; nil removes it. It touches no
// entry and takes no sequence: peers are not told. Of e it keeps Kind, Mode,
// ModTime, Size, Target, Epoch, Blocks, Gone and Disk. Where FindBlock finds
// blocks does not change, for what lies here is not the folder's.
//
// It wraps [entry.ErrEntry] or [entry.ErrPath] if e is not a valid entry of p.
func (f *Folder) SetLocal(p entry.Path, e *entry.Entry) error {
	if err := f.setLocal(p, e); err != nil {
		return fmt.Errorf("set local entry of %q: %w", p, err)
	}
	return nil
}

func (f *Folder) setLocal(p entry.Path, e *entry.Entry) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	if _, err := entry.ParsePath(string(p)); err != nil {
		return err
	}
	key := appendPathKey(nil, p)
	old, err := f.getLocal(key)
	switch {
	case err != nil:
		return err
	case e != nil:
		err = f.putLocal(key, p, e)
	case old != nil:
		err = f.local.delete(key)
	}
	if err != nil {
		return err
	}
	if old != nil {
		f.state.local--
	}
	if e != nil {
		f.state.local++
	}
	return nil
}

func (f *Folder) putLocal(key []byte, p entry.Path, e *entry.Entry) error {
	if e.Path != p {
		return fmt.Errorf("%w: it is of %q", entry.ErrEntry, e.Path)
	}
	row := *e
	row.Version, row.AuthorName, row.Unseen = version.Version{}, "", nil
	row.Sequence, row.Unknown, row.Absent = 0, false, false
	if err := checkUnversioned(&row); err != nil {
		return err
	}
	b, err := f.codec.append(make([]byte, 0, rowSize(&row)), key, &row, 0)
	if err != nil {
		return err
	}
	return f.local.put(key, b)
}

// Locals yields what Local returns for each path that has any, in tree order
// from the first that is not before from.
func (f *Folder) Locals(from entry.Path) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		c := f.local.cursor()
		err := c.seek(appendPathKey(nil, from))
		for ; err == nil && c.key != nil; err = c.next() {
			e, _, err := f.parse(c.key, c.body)
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err != nil {
			yield(nil, fmt.Errorf("local entries from %q: %w", from, err))
		}
	}
}

// LocalCount is how many paths have a local entry.
func (f *Folder) LocalCount() int64 { return f.state.local }
