package past

import (
	"iter"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Difference is a path that is not the same in two trees.
type Difference struct {
	Path entry.Path
	What What         // Created, Deleted, Edited, Mode, Touched or Replaced
	From *entry.Entry // nil for Created
	To   *entry.Entry // nil for Deleted
}

// Diff compares two trees, each as whole entries in tree order, such as
// [Tree.Entries] or those of an index; what does not live counts as nothing.
// Of contents under the keys of different epochs it goes by size and
// modification time. The loop gets an error once, as its last turn.
func Diff(from, to iter.Seq2[*entry.Entry, error]) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		next, stop := iter.Pull2(from)
		defer stop()
		a, err := living(next)
		failed := func(err error) bool { return err != nil && !yield(Difference{}, err) || err != nil }
		if failed(err) {
			return
		}
		for b, err := range to {
			if failed(err) {
				return
			}
			if !b.Lives() {
				continue
			}
			for a != nil && a.Path.Compare(b.Path) < 0 {
				if !yield(Difference{Path: a.Path, What: Deleted, From: a}, nil) {
					return
				}
				if a, err = living(next); failed(err) {
					return
				}
			}
			d := Difference{Path: b.Path, What: Created, To: b}
			if a != nil && a.Path == b.Path {
				d.From = a
				if a, err = living(next); failed(err) {
					return
				}
			}
			if differs(&d) && !yield(d, nil) {
				return
			}
		}
		for a != nil {
			if !yield(Difference{Path: a.Path, What: Deleted, From: a}, nil) {
				return
			}
			if a, err = living(next); failed(err) {
				return
			}
		}
	}
}

// living is the next entry that lives, nil at the end.
func living(next func() (*entry.Entry, error, bool)) (*entry.Entry, error) {
	for {
		e, err, ok := next()
		if !ok || err != nil {
			return nil, err
		}
		if e.Lives() {
			return e, nil
		}
	}
}

// differs tells whether there is a difference, and says what it is.
func differs(d *Difference) bool {
	if d.From == nil {
		return true
	}
	a, b := d.From, d.To
	if !a.Version.IsZero() && a.Version.Compare(b.Version) == version.Equal {
		return false
	}
	d.What = what(&Version{Entry: a, Content: a.Digest()}, &Version{Entry: b, Content: b.Digest()})
	if d.What != Touched {
		return true
	}
	return a.Kind != entry.Directory && a.ModTime != b.ModTime
}
