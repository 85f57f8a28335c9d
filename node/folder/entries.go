package folder

import (
	"iter"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

// slice is how many entries are read in one transaction: a long one would make
// the index grow.
const slice = 2000

// Entries are all entries of the folder as this device has them, tombstones and
// what is absent here included, in tree order; what changes meanwhile may be
// told or not. The loop gets an error once, as its last turn.
func (f *Folder) Entries() iter.Seq2[*entry.Entry, error] {
	return func(yield func(*entry.Entry, error) bool) {
		var from entry.Path
		for {
			part, err := f.part(from)
			for i := 0; err == nil && i < len(part); i++ {
				if !yield(part[i], nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(part) < slice {
				return
			}
			from = index.After(part[len(part)-1].Path)
		}
	}
}

// part are the first entries from a path on.
func (f *Folder) part(from entry.Path) (part []*entry.Entry, err error) {
	err = f.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(f.ID)
		if err != nil {
			return err
		}
		for e, err := range x.Range(from) {
			if err != nil {
				return err
			}
			if part = append(part, e); len(part) == slice {
				break
			}
		}
		return nil
	})
	return part, err
}

// Entry is what this device has at a path, nil if it knows of nothing there.
func (f *Folder) Entry(p entry.Path) (e *entry.Entry, err error) {
	err = f.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(f.ID)
		if err != nil {
			return err
		}
		e, err = x.Get(p)
		return err
	})
	return e, err
}
