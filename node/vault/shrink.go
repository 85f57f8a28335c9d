package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/node/durable"
)

const (
	// shrinkLeast is how many bytes of the index must be without use for it to
	// be written anew, beside a quarter of what it needs.
	shrinkLeast = 1 << 20
	// shrinkBatch is how many bytes of rows are written in one transaction, and
	// shrinkGrow by how much the new file grows at a time.
	shrinkBatch = 1 << 20
	shrinkGrow  = 64 << 10
)

// ShrinkIndex writes the index anew, without its free pages and its pages that
// are half empty, if it is much larger than its rows, and tells how many bytes
// that has freed. Rows that come in no order, as they do, leave both behind.
// Changes wait until it is done, reads only while the new file takes the place
// of the old one; a crash leaves the one or the other, whole. It is for when the
// vault is idle, and does nothing where there is no room for both files.
func (v *Vault) ShrinkIndex() (freed int64, err error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	v.writing.Lock()
	defer v.writing.Unlock()
	if err := v.closedError(); err != nil {
		return 0, fmt.Errorf("shrink the index of vault %q: %w", v.dir, err)
	}
	if v.broken != nil || v.db == nil || v.scratch != "" {
		return 0, nil
	}
	if freed, err = v.shrink(); err != nil {
		return 0, fmt.Errorf("shrink the index of vault %q: %w", v.dir, err)
	}
	return freed, nil
}

func (v *Vault) shrink() (freed int64, err error) {
	info, err := os.Stat(v.indexPath())
	if err != nil {
		return 0, err
	}
	thought := float64(v.st.needs())
	needs := int64(thought * max(1, v.shrunk))
	if info.Size() < needs+needs/4+shrinkLeast {
		return 0, nil
	}
	free, err := v.free(v.dir)
	if err != nil || free-needs-needs/4 < v.limitsNow().KeepFree {
		return 0, err
	}
	fresh := filepath.Join(filepath.Dir(v.indexPath()), "index.new")
	if err := v.copyRows(fresh); err != nil {
		return 0, errors.Join(err, os.RemoveAll(fresh))
	}
	if err := v.step("shrunk"); err != nil {
		return 0, err
	}
	if err := v.swapIndex(fresh); err != nil {
		return 0, err
	}
	now, err := os.Stat(v.indexPath())
	if err != nil {
		return 0, err
	}
	v.shrunk = float64(now.Size()) / thought
	return info.Size() - now.Size(), nil
}

// needs is about how many bytes an index takes without any that are of no use.
func (s *state) needs() int64 {
	const (
		element   = 16 // of each row, in a page
		block     = 32 + sumSize + element
		version   = 32 + 53 + 2*16 + sumSize + element // with two counters
		numbered  = 8 + 32 + sumSize + element
		beginning = 256 << 10
	)
	c := &s.counts
	rows := int64(c.blocks*block + c.variants*variantSize + c.versions*(version+numbered) + s.marks*(33+8+sumSize+element))
	return beginning + rows*10/9
}

// copyRows writes all rows to a new file, in order and durably, and reads it
// again: nothing less than all that is known takes the place of the index.
func (v *Vault) copyRows(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	to, err := openDB(path)
	if err != nil {
		return err
	}
	to.bolt.NoSync = true // until all of it is there
	to.bolt.AllocSize = shrinkGrow
	err = v.view(func(*tables) error { return bbolt.Compact(to.bolt, v.db.bolt, shrinkBatch) })
	if err == nil && !v.noSync {
		err = to.bolt.Sync()
	}
	if err = errors.Join(err, to.close()); err != nil {
		return err
	}
	s, err := checkIndex(path)
	if err == nil && s != v.st {
		err = errors.New("the copy of its rows is not what it holds")
	}
	return err
}

// swapIndex puts a file in the place of the index. If it cannot go on with
// either, nothing more is written.
func (v *Vault) swapIndex(path string) error {
	v.whole.Lock()
	defer v.whole.Unlock()
	v.reading.Lock()
	defer v.reading.Unlock()
	err := v.db.close()
	v.db = nil
	if err == nil {
		err = durable.Rename(path, v.indexPath())
	}
	db, err2 := openDB(v.indexPath())
	if err2 == nil {
		db.bolt.NoSync = v.noSync
		v.db = db
	}
	if err = errors.Join(err, err2); err != nil {
		v.broken = err
	}
	return err
}
