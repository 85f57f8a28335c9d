package index

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func TestBlockRowsStayWhenOnlyMetadataChanges(t *testing.T) {
	db := newIndex(t)
	e := file("a", vec(1, 1), 1, 2, 3, 2)
	update(t, db, func(f *Folder) error { _, err := f.Put(e); return err })
	update(t, db, func(f *Folder) error {
		e.Version = vec(1, 2)
		e.Mode, e.ModTime = 0o600, 77
		if _, err := f.Put(e); err != nil {
			return err
		}
		if n := len(f.blocks.pending); n != 0 {
			t.Errorf("%d rows of blocks change", n)
		}
		e.Version = vec(1, 3)
		e.Blocks = slices.Concat(e.Blocks[:3], []entry.Block{block(9, 10)})
		e.Size = e.Size - 1002 + 10
		if _, err := f.Put(e); err != nil {
			return err
		}
		if n := len(f.blocks.pending); n != 1 {
			t.Errorf("%d rows of blocks change for one new block", n)
		}
		return nil
	})
}

func TestFindBlockGivesTheFirstOffsetInEachFileThatLives(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error {
		var errs []error
		for _, e := range []*entry.Entry{
			file("a", vec(1, 1), 1, 2, 1), file("b", vec(1, 2), 2, 1), file("c", vec(1, 3), 3),
			gone(file("d", vec(1, 4), 1), vec(1, 5)), unknown("e", 1),
		} {
			_, err := f.Put(e)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	// Two blocks that have the same prefix.
	twin := block(1, 5)
	twin.ID[31] ^= 1
	view(t, db, func(f *Folder) error {
		got := map[entry.Path]int64{}
		for e, offset := range f.FindBlock(block(1, 0).ID) {
			got[e.Path] = offset
		}
		if want := (map[entry.Path]int64{"a": 0, "b": 1002, "e": 0}); !reflect.DeepEqual(got, want) {
			t.Errorf("FindBlock gives %v", got)
		}
		for e := range f.FindBlock(twin.ID) {
			t.Errorf("FindBlock of a twin gives %q", e.Path)
		}
		return nil
	})
}

func TestFindContentGivesFilesWithTheSameBytes(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error {
		var errs []error
		for _, e := range []*entry.Entry{
			file("a", vec(1, 1), 1, 2), file("b", vec(1, 2), 1, 2), file("c", vec(1, 3), 2), file("empty", vec(1, 4)),
		} {
			_, err := f.Put(e)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	view(t, db, func(f *Folder) error {
		var got []entry.Path
		for e := range f.FindContent(file("new", vec(9, 9), 1, 2)) {
			got = append(got, e.Path)
		}
		if !slices.Equal(got, []entry.Path{"a", "b"}) {
			t.Errorf("FindContent gives %q", got)
		}
		for e := range f.FindContent(file("new", vec(9, 9))) {
			t.Errorf("an empty file is found in %q", e.Path)
		}
		return nil
	})
}
