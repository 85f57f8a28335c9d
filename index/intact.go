package index

import (
	"errors"
	"fmt"
	"io"
)

// Rows reads the whole of a bbolt file, an index or another, without trusting
// it: bbolt itself follows whatever numbers it finds. It calls row for each row
// of each bucket at the root, in order; the arguments are valid until row
// returns. Whatever the file holds, Rows ends, and uses memory for a bit per
// page.
//
// It returns the first error of row as it is, and one that wraps [ErrDamaged]
// if the pages do not form trees, are used twice or out of order, or if there
// are rows outside of buckets or buckets within buckets. Nobody may be writing
// to the file.
func Rows(r io.ReaderAt, size int64, row func(bucket string, key, value []byte) error) error {
	m, err := readMeta(r, size)
	if err == nil {
		pages := pageFile{r: r, pageSize: int64(m.pageSize), high: m.high, used: make([]uint64, m.high/64+1)}
		err = pages.rows(m, row)
	}
	if errors.Is(err, errPage) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

func (f *pageFile) rows(m meta, row func(bucket string, key, value []byte) error) error {
	err := f.tree(m.root, func(name, value []byte, isBucket bool) error {
		if !isBucket {
			return badPage(m.root, "row %q outside of buckets", name)
		}
		bucket := string(name)
		return f.bucket(value, func(key, value []byte, isBucket bool) error {
			if isBucket {
				return badPage(m.root, "bucket %q within bucket %q", key, bucket)
			}
			return row(bucket, key, value)
		})
	})
	if err == nil && m.freelist != noFreelist {
		err = f.freelist(m.freelist)
	}
	return err
}
