package index

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

func TestFoldersAreCreatedAndDroppedForGood(t *testing.T) {
	db := newIndex(t)
	folderB := entry.FolderID{0xb}
	must(t, db.Update(func(tx *Tx) error {
		if _, err := tx.CreateFolder(folderA, me, 7); !errors.Is(err, ErrFolderExists) {
			t.Errorf("CreateFolder again: %v", err)
		}
		_, err := tx.CreateFolder(folderB, 5, 8)
		return err
	}))
	ingest(t, db, 0, 2000)
	must(t, db.Update(func(tx *Tx) error {
		if err := tx.DropFolder(folderA); err != nil {
			return err
		}
		if err := tx.DropFolder(folderA); !errors.Is(err, ErrNoFolder) {
			t.Errorf("DropFolder again: %v", err)
		}
		f, err := tx.CreateFolder(folderA, 9, 10)
		if err != nil {
			return err
		}
		if f.Replica() != 9 || f.Epoch() != 10 || f.Head() != 0 || f.Count() != 0 || f.Totals() != (Totals{}) {
			t.Errorf("a new folder has %+v", f.state)
		}
		if e, err := f.Get(treePath(3)); e != nil || err != nil {
			t.Errorf("it holds %v, %v", e, err)
		}
		return nil
	}))
	must(t, db.View(func(tx *Tx) error {
		if got := tx.Folders(); !slices.Equal(got, []entry.FolderID{folderA, folderB}) {
			t.Errorf("Folders are %v", got)
		}
		f, err := tx.Folder(folderB)
		if err == nil && (f.ID() != folderB || f.Replica() != 5 || f.Epoch() != 8) {
			t.Errorf("the other folder has %+v", f.state)
		}
		return err
	}))
}

func TestAnIndexOlderThanItsPeersRememberNumbersNoEvents(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error {
		for want := range uint64(3) {
			n, err := f.NextCount()
			if err != nil || n != want+1 {
				t.Errorf("NextCount is %d, %v", n, err)
			}
		}
		if err := f.Saw(vec(uint64(me), 3).Vector); err != nil {
			return err
		}
		_, err := f.NextCount()
		return err
	})
	update(t, db, func(f *Folder) error { return f.Saw(vec(5, 9, uint64(me), 7).Vector) })
	update(t, db, func(f *Folder) error {
		if _, err := f.NextCount(); !errors.Is(err, ErrFenced) {
			t.Errorf("NextCount: %v", err)
		}
		for _, used := range []version.ReplicaID{0, me, 5} {
			if err := f.Renew(used, 77); err == nil {
				t.Errorf("renewed as %s", used)
			}
		}
		return f.Renew(6, 77)
	})
	update(t, db, func(f *Folder) error {
		n, err := f.NextCount()
		if err != nil || n != 1 || f.Replica() != 6 || f.Epoch() != 77 || f.Seen(me) != 7 {
			t.Errorf("after Renew: %d, %v, %+v", n, err, f.state)
		}
		return f.Saw(vec(6, 1).Vector)
	})
	err := db.Update(func(tx *Tx) error {
		return onFolder(tx, func(f *Folder) error { return f.Saw(vec(5, version.MaxCount+1).Vector) })
	})
	if !errors.Is(err, version.ErrBounds) {
		t.Errorf("Saw of what no replica reaches: %v", err)
	}
}

func TestViewsDoNotWriteAndNothingOutlivesItsTransaction(t *testing.T) {
	db := newIndex(t)
	var old *Folder
	var oldTx *Tx
	must(t, db.View(func(tx *Tx) error {
		oldTx = tx
		f, err := tx.Folder(folderA)
		old = f
		if err != nil {
			return err
		}
		_, put := f.Put(file("a", vec(1, 1)))
		_, count := f.NextCount()
		_, create := tx.CreateFolder(entry.FolderID{1}, 1, 1)
		for i, err := range []error{
			put, count, create, tx.DropFolder(folderA), f.Touch(file("a", vec(1, 1))), f.Drop("a"),
			f.SetWanted("a", nil), f.SetLocal("a", nil), f.SetPeer("p", Peer{}), f.DropPeer("p"), f.Saw(nil), f.SetJoined(true), f.Renew(1, 1),
		} {
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("call %d in a View: %v", i, err)
			}
		}
		return nil
	}))
	_, get := old.Get("a")
	_, put := old.Put(file("a", vec(1, 1)))
	_, folder := oldTx.Folder(entry.FolderID{1})
	for i, err := range []error{get, put, folder} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("call %d after a View: %v", i, err)
		}
	}
	for range old.Light("") {
		t.Error("Light yields after a View")
	}
	must(t, db.Close())
	must(t, db.Close())
	if err := db.View(func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("View after Close: %v", err)
	}
	if err := db.Update(func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Update after Close: %v", err)
	}
}

func TestAPanicInAnUpdateUndoesItAndGoesOn(t *testing.T) {
	db := newIndex(t)
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("recovered %v", r)
			}
		}()
		update(t, db, func(f *Folder) error {
			_, _ = f.Put(file("a", vec(1, 1)))
			panic("mine")
		})
	}()
	update(t, db, func(f *Folder) error {
		if e, err := f.Get("a"); e != nil || err != nil {
			t.Errorf("Get: %v, %v", e, err)
		}
		_, err := f.Put(file("a", vec(1, 1)))
		return err
	})
}

func TestViewsAndUpdatesRunSideBySide(t *testing.T) {
	db := newIndex(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				err := db.Update(func(tx *Tx) error {
					return onFolder(tx, func(f *Folder) error {
						n, err := f.NextCount()
						if err != nil {
							return err
						}
						_, err = f.Put(file(entry.Path(fmt.Sprintf("%d/%d", w, i)), vec(uint64(me), n), n))
						return err
					})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 40 {
				err := db.View(func(tx *Tx) error {
					return onFolder(tx, func(f *Folder) error {
						n := int64(0)
						for range f.Light("") {
							n++
						}
						if n != f.Totals().Files || uint64(n) != f.Count() || f.Head() != entry.Sequence(n) {
							return fmt.Errorf("%d rows, %+v", n, f.state)
						}
						return nil
					})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAViewSettlesACommitThatMayNotBeDurable(t *testing.T) {
	db := newIndex(t)
	db.unsure.Store(true)
	id := func() (id int) {
		must(t, db.View(func(tx *Tx) error { id = tx.bolt.ID(); return nil }))
		return id
	}
	db.unsure.Store(false)
	before := id()
	db.unsure.Store(true)
	if after := id(); after != before+1 || db.unsure.Load() {
		t.Errorf("commit %d after %d, unsure %t", after, before, db.unsure.Load())
	}
}
