package index

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

func TestLightSaysWhatLiesOnDisk(t *testing.T) {
	db := newIndex(t)
	removed := &entry.Entry{Path: "removed", Kind: entry.Deleted}
	update(t, db, func(f *Folder) error {
		var errs []error
		for _, e := range []*entry.Entry{
			away(file("absent", vec(1, 1), 1)), away(file("edited", vec(1, 2), 2)), file("here", vec(1, 3), 3),
			away(file("removed", vec(1, 4), 4)), gone(file("revived", vec(1, 5), 5), vec(1, 6)), unknown("unknown", 6),
		} {
			_, err := f.Put(e)
			errs = append(errs, err)
		}
		return errors.Join(append(errs,
			f.SetLocal("added", file("added", vec(), 7)), f.SetLocal("edited", symlink("edited", vec(), "x")),
			f.SetLocal("removed", removed), f.SetLocal("revived", directory("revived", vec())),
			f.SetLocal("zoo", directory("zoo", vec())))...)
	})
	type line struct {
		path          entry.Path
		kind          entry.Kind
		sequence      entry.Sequence
		absent, local bool
	}
	want := []line{
		{"absent", entry.File, 1, true, false}, {"added", entry.File, 0, false, true}, {"edited", entry.Symlink, 2, false, true},
		{"here", entry.File, 3, false, false}, {"removed", entry.Deleted, 4, false, true},
		{"revived", entry.Directory, 5, false, true}, {"unknown", entry.File, 6, false, false}, {"zoo", entry.Directory, 0, false, true},
	}
	view(t, db, func(f *Folder) error {
		for i := range want {
			var got []line
			for l := range f.Light(want[i].path) {
				got = append(got, line{l.Path, l.Kind, l.Sequence, l.Absent, l.Local})
			}
			if !slices.Equal(got, want[i:]) {
				t.Errorf("from %q: %+v", want[i].path, got)
			}
		}
		for range f.Light("") {
			break
		}
		return nil
	})
}

func TestALocalEntryKeepsWhatAScanComparesAndNothingOfTheFolder(t *testing.T) {
	db := newIndex(t)
	e := file("a", vec(1, 2, 3, 4), 1, 2)
	e.Sequence, e.Unseen, e.Epoch = 77, vec(1, 1).Vector, 3
	want := *e
	want.Version, want.AuthorName, want.Unseen, want.Sequence = version.Version{}, "", nil, 0
	update(t, db, func(f *Folder) error {
		if l, err := f.Local("a"); l != nil || err != nil {
			t.Errorf("Local before: %+v, %v", l, err)
		}
		return f.SetLocal("a", e)
	})
	view(t, db, func(f *Folder) error {
		if l, err := f.Local("a"); err != nil || !reflect.DeepEqual(l, &want) {
			t.Errorf("Local: %+v, %v", l, err)
		}
		if e, err := f.Get("a"); e != nil || err != nil || f.Head() != 0 || f.Totals() != (Totals{}) {
			t.Errorf("it counts as an entry: %+v, %v, %+v", e, err, f.state)
		}
		for e := range f.FindBlock(e.Blocks[0].ID) {
			t.Errorf("its block is found in %q", e.Path)
		}
		return nil
	})
	if l := e; l.Sequence != 77 || len(l.Unseen) != 1 {
		t.Errorf("SetLocal changed its argument: %+v", l)
	}
	update(t, db, func(f *Folder) error { return errors.Join(f.SetLocal("a", nil), f.SetLocal("b", nil)) })
	view(t, db, func(f *Folder) error {
		if l, err := f.Local("a"); l != nil || err != nil || f.LocalCount() != 0 {
			t.Errorf("after it was removed: %+v, %v, %d", l, err, f.LocalCount())
		}
		return nil
	})
}

func TestWhatCannotLieOnDiskIsNoLocalEntry(t *testing.T) {
	db := newIndex(t)
	for name, c := range map[string]struct {
		path entry.Path
		e    *entry.Entry
		want error
	}{
		"of another path": {"a", file("b", vec()), entry.ErrEntry},
		"of no path":      {"", file("", vec()), entry.ErrPath},
		"outside":         {"../a", file("../a", vec()), entry.ErrPath},
		"of no kind":      {"a", &entry.Entry{Path: "a"}, entry.ErrEntry},
		"a bad size":      {"a", &entry.Entry{Path: "a", Kind: entry.File, Size: 5}, entry.ErrEntry},
	} {
		err := db.Update(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error { return f.SetLocal(c.path, c.e) })
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	view(t, db, func(f *Folder) error {
		if f.LocalCount() != 0 {
			t.Errorf("%d are counted", f.LocalCount())
		}
		return nil
	})
}

func TestLocalEntriesGoWithTheirFolder(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error { return f.SetLocal("a", file("a", vec(), 1)) })
	must(t, db.Update(func(tx *Tx) error {
		if err := tx.DropFolder(folderA); err != nil {
			return err
		}
		_, err := tx.CreateFolder(folderA, me, 8)
		return err
	}))
	view(t, db, func(f *Folder) error {
		if l, err := f.Local("a"); l != nil || err != nil || f.LocalCount() != 0 {
			t.Errorf("%+v, %v, %d", l, err, f.LocalCount())
		}
		return nil
	})
}

// step does one change to a folder and to what is to lie on its disk.
func (d *deviations) step(f *Folder) error {
	p := entry.Path(fmt.Sprintf("%02d", d.below(30)))
	switch d.below(3) {
	case 0:
		d.entries[p] = true
		d.count++
		_, err := f.Put(directory(p, vec(1, d.count)))
		return err
	case 1:
		d.local[p] = true
		return f.SetLocal(p, directory(p, vec()))
	}
	delete(d.local, p)
	return f.SetLocal(p, nil)
}

type deviations struct {
	source
	entries, local map[entry.Path]bool
	count          uint64
}

// after is the first path behind p, if there is one.
func (d *deviations) after(p entry.Path) (next entry.Path, ok bool) {
	for _, paths := range []map[entry.Path]bool{d.entries, d.local} {
		for q := range paths {
			if q > p && (!ok || q < next) {
				next, ok = q, true
			}
		}
	}
	return next, ok
}

func TestLightMeetsWhateverIsWrittenAheadOfIt(t *testing.T) {
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		db, err := Open(filepath.Join(dir, fmt.Sprint(n)))
		must(rt, err)
		defer func() { must(rt, db.Close()) }()
		d := &deviations{source: rapidSource{rt}, entries: map[entry.Path]bool{}, local: map[entry.Path]bool{}}
		must(rt, db.Update(func(tx *Tx) error {
			f, err := tx.CreateFolder(folderA, me, 7)
			must(rt, err)
			for range d.below(20) {
				must(rt, d.step(f))
			}
			last := entry.Path("")
			for l := range f.Light("") {
				if want, ok := d.after(last); !ok || l.Path != want || l.Local != d.local[want] || (l.Sequence > 0) != d.entries[want] {
					rt.Fatalf("after %q comes %+v; want %q, entry %t, local %t", last, l, want, d.entries[want], d.local[want])
				}
				last = l.Path
				for range d.below(3) {
					must(rt, d.step(f))
				}
			}
			if missed, ok := d.after(last); ok {
				rt.Fatalf("after %q comes nothing; %q is missed", last, missed)
			}
			return nil
		}))
	})
}

func TestADamagedLocalRowEndsTheWalkAndTheTransaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	db := openAt(t, path)
	must(t, db.Update(func(tx *Tx) error { _, err := tx.CreateFolder(folderA, me, 7); return err }))
	update(t, db, func(f *Folder) error {
		_, err := f.Put(file("a", vec(1, 1), 1))
		return errors.Join(err, f.SetLocal("a", file("a", vec(), 1)), f.SetLocal("b", file("b", vec(), 1)))
	})
	must(t, db.bolt.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(folderKey(folderA)).Bucket([]byte(tableLocal)).Put([]byte("b"), make([]byte, headerSize+9))
	}))
	var met []entry.Path
	err := db.View(func(tx *Tx) error {
		return onFolder(tx, func(f *Folder) error {
			for l := range f.Light("") {
				met = append(met, l.Path)
			}
			return nil
		})
	})
	if !errors.Is(err, ErrDamaged) || !slices.Equal(met, []entry.Path{"a"}) {
		t.Errorf("met %q: %v", met, err)
	}
}

func TestTotalsTellWhatIsKnownAndWhatOfItIsAbsent(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error {
		var errs []error
		for _, e := range []*entry.Entry{
			file("a", vec(1, 1), 1), away(file("b", vec(1, 2), 2)), away(file("c", vec(1, 3), 3)), away(directory("d", vec(1, 4))),
			file("c", vec(1, 3), 3),
		} {
			_, err := f.Put(e)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	view(t, db, func(f *Folder) error {
		want := Totals{Files: 3, Bytes: 3006, Directories: 1, Absent: 1, AbsentBytes: 1002}
		if f.Totals() != want {
			t.Errorf("%+v", f.Totals())
		}
		found := map[entry.Path]bool{}
		for n := range uint64(4) {
			for e := range f.FindBlock(block(n, 0).ID) {
				found[e.Path] = true
			}
		}
		for e := range f.FindContent(file("x", vec(), 2)) {
			t.Errorf("FindContent gives %q", e.Path)
		}
		if !reflect.DeepEqual(found, map[entry.Path]bool{"a": true, "c": true}) {
			t.Errorf("FindBlock gives %v", found)
		}
		return nil
	})
}
