package look

import (
	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

// rows walks the index in tree order beside a walk of the disk. It reads
// slices in transactions of their own, since a long one would make the index
// file grow.
type rows struct {
	db     *index.DB
	folder entry.FolderID
	slice  []index.Light
	next   entry.Path // where the next slice begins
	skip   bool       // next itself was seen already
	ended  bool
	size   int // of the last slice
}

// A slice is small at first, since often one row is all that is asked for.
const (
	firstSlice = 4
	lastSlice  = 4096
)

// peek is the next row, without taking it.
func (r *rows) peek() (index.Light, bool, error) {
	if len(r.slice) == 0 && !r.ended {
		if err := r.load(); err != nil {
			return index.Light{}, false, err
		}
	}
	if len(r.slice) == 0 {
		return index.Light{}, false, nil
	}
	return r.slice[0], true, nil
}

func (r *rows) take() { r.slice = r.slice[1:] }

func (r *rows) load() error {
	r.slice = r.slice[:0]
	r.size = min(max(firstSlice, 8*r.size), lastSlice)
	return r.db.View(func(tx *index.Tx) error {
		f, err := tx.Folder(r.folder)
		if err != nil {
			return err
		}
		r.ended = true
		for row := range f.Light(r.next) {
			if r.skip && row.Path == r.next {
				continue
			}
			if len(r.slice) == r.size {
				r.ended = false
				break
			}
			r.slice = append(r.slice, row)
		}
		if n := len(r.slice); n > 0 {
			r.next, r.skip = r.slice[n-1].Path, true
		}
		return nil
	})
}
