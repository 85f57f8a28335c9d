package index

import (
	"fmt"
	"iter"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// This file is about what is known here alone and is never announced.

// Touch writes what the file system now says of e.Path, which is e.Disk; all
// else stays as it is, and so does the sequence. It returns [ErrStale] unless
// the index holds just the version of e, and that is not absent.
func (f *Folder) Touch(e *entry.Entry) error {
	if err := f.touch(e); err != nil {
		return fmt.Errorf("touch %q: %w", e.Path, err)
	}
	return nil
}

func (f *Folder) touch(e *entry.Entry) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	key := appendPathKey(nil, e.Path)
	old, n, err := f.get(key)
	if err != nil {
		return err
	}
	if old == nil || old.Absent || old.Unknown != e.Unknown || old.Version.Compare(e.Version) != version.Equal {
		return ErrStale
	}
	old.Disk = e.Disk
	row, err := f.codec.append(make([]byte, 0, rowSize(old)), key, old, n)
	if err != nil {
		return err
	}
	return f.entries.put(key, row)
}

// Drop forgets the entry at p, which must be unknown; otherwise it returns
// [ErrStale]. There is nothing to do if there is no entry.
func (f *Folder) Drop(p entry.Path) error {
	if err := f.remove(p, func(e *entry.Entry) bool { return e.Unknown }); err != nil {
		return fmt.Errorf("drop %q: %w", p, err)
	}
	return nil
}

// remove removes the row at p, which must be as may says.
func (f *Folder) remove(p entry.Path, may func(*entry.Entry) bool) error {
	if err := f.tx.mayWrite(); err != nil {
		return err
	}
	key := appendPathKey(nil, p)
	old, n, err := f.get(key)
	if err != nil || old == nil {
		return err
	}
	if !may(old) {
		return ErrStale
	}
	if err := f.entries.delete(key); err != nil {
		return err
	}
	if err := f.files.delete(n.key()); err != nil {
		return err
	}
	return f.replace(key, n, old, nil)
}

// UnknownPaths yields the paths of unknown entries, in the order in which they
// were first put. It ends early at damage, and the transaction then fails.
func (f *Folder) UnknownPaths() iter.Seq[entry.Path] {
	return func(yield func(entry.Path) bool) {
		files := f.files.cursor()
		for p, err := range f.unknown.from(pair{}) {
			if err != nil {
				return // the transaction fails
			}
			path, err := f.pathOf(files, fileNumber(p.a))
			if err != nil || !yield(path) {
				return
			}
		}
	}
}
