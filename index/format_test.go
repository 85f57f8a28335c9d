package index

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/index/entry"
)

var writeFormat = flag.Bool("write-format", false, "write testdata/format2.db anew")

const (
	format1 = "testdata/format1.db"
	format2 = "testdata/format2.db"
)

// fillFormat1 writes some of everything that format 1 knew, over several
// commits.
func fillFormat1(db *DB) error {
	create := func(tx *Tx) error {
		_, err1 := tx.CreateFolder(folderA, me, 0x1234567890)
		_, err2 := tx.CreateFolder(entry.FolderID{0xff}, 5, 6)
		return errors.Join(err1, err2)
	}
	first := func(f *Folder) error {
		var errs []error
		for n := range 100 {
			_, err := f.Put(treeEntry(n))
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	second := func(f *Folder) error {
		var errs []error
		old := treeEntry(50)
		for _, e := range []*entry.Entry{
			directory("photos", vec(2, 1)), symlink("link", vec(2, 2), "photos"), unknown("found", 1, 2, 3),
			gone(old, vec(2, 3, uint64(me), 51)),
		} {
			_, err := f.Put(e)
			errs = append(errs, err)
		}
		_, err := f.NextCount()
		tellers := map[entry.DeviceID]entry.Sequence{"phone": 17, "laptop": 1 << 40}
		return errors.Join(append(errs, err, f.SetJoined(true), f.Saw(vec(2, 3, 9, 9).Vector),
			f.SetPeer("phone", Peer{Epoch: 1, Received: 2, Ours: 3, TheyReceived: 4, TheyHold: 5, NeedFiles: 6, NeedBytes: 7, LastSeen: 8}),
			f.SetWanted("link", []Want{{Entry: *symlink("link", vec(2, 4), "x"), Tellers: tellers}, {Entry: *file("link", vec(3, 1), 8)}}),
		)...)
	}
	for _, fn := range []func(tx *Tx) error{
		create,
		func(tx *Tx) error { return onFolder(tx, first) },
		func(tx *Tx) error { return onFolder(tx, second) },
	} {
		if err := db.Update(fn); err != nil {
			return err
		}
	}
	return nil
}

// fillFormat2 adds what format 2 does.
func fillFormat2(db *DB) error {
	return db.Update(func(tx *Tx) error { return onFolder(tx, fillNew) })
}

func fillNew(f *Folder) error {
	absent, directory := file("absent", vec(2, 5), 1, 2, 3), directory("photos", vec(2, 6))
	absent.Absent, directory.Absent = true, true
	joined := gone(treeEntry(60), vec(2, 7, 3, 4, uint64(me), 61))
	joined.Unseen = vec(2, 5, 3, 4).Vector
	_, err1 := f.Put(absent)
	_, err2 := f.Put(directory)
	_, err3 := f.Put(joined)
	released := Want{Entry: *absent, Tellers: map[entry.DeviceID]entry.Sequence{"phone": 18}, Released: true}
	released.Entry.Version = vec(2, 8)
	released.Entry.Unseen = vec(2, 5).Vector
	return errors.Join(err1, err2, err3, f.SetWanted("absent", []Want{released}),
		f.SetLocal("photos", symlink("photos", vec(), "elsewhere")),
		f.SetLocal("edited", file("edited", vec(), 2, 9)),
		f.SetLocal(treePath(7), &entry.Entry{Path: treePath(7), Kind: entry.Deleted, Gone: treeEntry(7).Digest()}))
}

// dump is all that an index holds, as text.
func dump(db *DB) (string, error) {
	var b strings.Builder
	err := db.View(func(tx *Tx) error {
		for _, id := range tx.Folders() {
			f, err := tx.Folder(id)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s %+v\n", id, f.state)
			for e, err := range f.Since(0) {
				fmt.Fprintf(&b, "%+v %v\n", e, err)
			}
			for l, err := range f.Locals("") {
				fmt.Fprintf(&b, "%+v %v\n", l, err)
			}
			for l := range f.Light("") {
				fmt.Fprintf(&b, "%+v\n", l)
			}
			for p := range f.UnknownPaths() {
				fmt.Fprintln(&b, p)
			}
			for w, err := range f.WantedRange("") {
				fmt.Fprintf(&b, "%+v %v\n", w, err)
			}
			for d, p := range f.Peers() {
				fmt.Fprintf(&b, "%s %+v\n", d, p)
			}
			fmt.Fprintln(&b, f.Seen(2), f.Seen(9))
			for e, offset := range f.FindBlock(block(2, 0).ID) {
				fmt.Fprintln(&b, e.Path, offset)
			}
		}
		return nil
	})
	return b.String(), err
}

// readFormat is an index that lies in testdata.
func readFormat(t testing.TB, name string) []byte {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("bbolt writes numbers as the machine does; testdata was written by another kind")
	}
	data, err := os.ReadFile(name)
	must(t, err)
	return data
}

func TestAnIndexOfFormat2IsStillUnderstood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	fresh := openAt(t, path)
	must(t, errors.Join(fillFormat1(fresh), fillFormat2(fresh)))
	want, err := dump(fresh)
	must(t, err)
	must(t, fresh.Close())
	if *writeFormat {
		must(t, os.WriteFile(format2, inUse(t, path), 0o644))
	}
	understood(t, readFormat(t, format2), want)
}

func TestAnIndexOfFormat1IsUpgradedAndThenLikeANewOne(t *testing.T) {
	fresh := openAt(t, filepath.Join(t.TempDir(), "index.db"))
	must(t, fillFormat1(fresh))
	want, err := dump(fresh)
	must(t, err)
	must(t, fillFormat2(fresh))
	wantMore, err := dump(fresh)
	must(t, err)

	path := understood(t, readFormat(t, format1), want)
	for range 2 { // the second time there is nothing left to upgrade
		checkFormat(t, path, format)
		db, err := Open(path)
		must(t, err)
		must(t, db.Close())
	}
	db := openAt(t, path)
	must(t, fillFormat2(db))
	if more, err := dump(db); err != nil || more != wantMore {
		t.Errorf("after the upgrade it takes in\n%s\ninstead of\n%s\n%v", more, wantMore, err)
	}
}

// understood opens an index, which holds what want says, and returns its path.
func understood(t *testing.T, data []byte, want string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "old.db")
	must(t, os.WriteFile(path, data, 0o600))
	db, err := Open(path)
	must(t, err)
	if got, err := dump(db); err != nil || got != want {
		t.Errorf("the old index holds\n%s\ninstead of\n%s\n%v", got, want, err)
	}
	must(t, db.Close())
	return path
}

func checkFormat(t *testing.T, path string, want uint32) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	if got, err := checkFile(strings.NewReader(string(data)), int64(len(data))); err != nil || got != want {
		t.Errorf("it is of format %d, not %d: %v", got, want, err)
	}
}

func TestAnUpgradedIndexCanBeWrittenTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	must(t, os.WriteFile(path, readFormat(t, format1), 0o600))
	db := openAt(t, path)
	update(t, db, func(f *Folder) error { _, err := f.Put(treeEntry(1000)); return err })
	must(t, db.Update(func(tx *Tx) error {
		f, err := tx.Folder(entry.FolderID{0xff})
		if err != nil {
			return err
		}
		return f.SetLocal("a", file("a", vec(), 1))
	}))
}

func TestAnIndexIsOfOneFormatAltogether(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		fn   func(tx *bbolt.Tx) error
	}{
		"format 2 with the tables of format 1": {format1, setFormat(2)},
		"format 1 with the tables of format 2": {format2, setFormat(1)},
		"format 1, one folder of format 2": {format1, func(tx *bbolt.Tx) error {
			_, err := tx.Bucket(folderKey(folderA)).CreateBucket([]byte(tableLocal))
			return err
		}},
		"format 2, one folder of format 1": {format2, func(tx *bbolt.Tx) error {
			return tx.Bucket(folderKey(entry.FolderID{0xff})).DeleteBucket([]byte(tableLocal))
		}},
		"format 1, another table missing": {format1, func(tx *bbolt.Tx) error {
			return tx.Bucket(folderKey(entry.FolderID{0xff})).DeleteBucket([]byte(tablePeers))
		}},
	} {
		path := filepath.Join(t.TempDir(), "index.db")
		must(t, os.WriteFile(path, readFormat(t, c.file), 0o600))
		scribble(t, path, c.fn)
		if _, err := Open(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// inUse is the content of an index without the room to grow behind it.
func inUse(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	meta, err := readMeta(strings.NewReader(string(data)), int64(len(data)))
	must(t, err)
	return data[:int64(meta.high)*int64(meta.pageSize)]
}
