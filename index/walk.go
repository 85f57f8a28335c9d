package index

import (
	"fmt"
	"iter"
	"math"

	"github.com/kithmesh/kith/index/entry"
)

// After is where to go on behind p in tree order, with what is below p first:
// a bound for the functions that walk from a path, not a path to a file.
func After(p entry.Path) entry.Path {
	if p == "" {
		return ""
	}
	return p + "/"
}

// Range yields the entries in tree order (see [entry.Path.Compare]), from the
// first whose path is not before from. What is put on the way is met if it
// lies ahead.
func (f *Folder) Range(from entry.Path) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		c := f.entries.cursor()
		err := c.seek(appendPathKey(nil, from))
		for ; err == nil && c.key != nil; err = c.next() {
			e, _, err := f.parse(c.key, c.body)
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err != nil {
			yield(nil, fmt.Errorf("walk from %q: %w", from, err))
		}
	}
}

// Below yields the entries strictly below directory dir, in tree order.
func (f *Folder) Below(dir entry.Path) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		for e, err := range f.Range(After(dir)) {
			if err == nil && !e.Path.Below(dir) || !yield(e, err) {
				return
			}
		}
	}
}

// Since yields the entries with a sequence above after, by ascending sequence:
// each path once, at its newest. Unknown and absent ones are among them. What is put
// on the way may be met, or not.
func (f *Folder) Since(after entry.Sequence) iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		if after >= math.MaxUint64-1 {
			return
		}
		files, entries := f.files.cursor(), f.entries.cursor()
		for p, err := range f.sequence.from(pair{a: uint64(after) + 1}) {
			var e *entry.Entry
			if err == nil {
				e, err = f.numbered(files, entries, fileNumber(p.b))
			}
			if err == nil && e.Sequence != entry.Sequence(p.a) {
				err = f.tx.damaged("%q has sequence %d and %d", e.Path, p.a, e.Sequence)
			}
			if err != nil {
				yield(nil, fmt.Errorf("entries since %d: %w", after, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// numbered is the entry of a number that some row refers to. It is quick where
// numbers come in order.
func (f *Folder) numbered(files, entries *cursor, n fileNumber) (*entry.Entry, error) {
	p, err := f.pathOf(files, n)
	if err != nil {
		return nil, err
	}
	key := appendPathKey(nil, p)
	ok, err := entries.at(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, f.tx.damaged("no entry at %q, which has number %d", p, n)
	}
	e, number, err := f.parse(key, entries.body)
	if err == nil && number != n {
		err = f.tx.damaged("%q has number %d and %d", e.Path, n, number)
	}
	return e, err
}

// pathOf is the path of a number that some row refers to.
func (f *Folder) pathOf(files *cursor, n fileNumber) (entry.Path, error) {
	ok, err := files.at(n.key())
	if err != nil {
		return "", err
	}
	if !ok {
		return "", f.tx.damaged("no path has number %d", n)
	}
	return entry.Path(files.body), nil
}
