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

	"github.com/kithmesh/kith/index/entry"
)

var writeFormat = flag.Bool("write-format", false, "write testdata/format1.db anew")

const format1 = "testdata/format1.db"

// fillFormat writes some of everything, over several commits.
func fillFormat(db *DB) error {
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
			f.SetPeer("phone", Peer{1, 2, 3, 4, 5, 6, 7, 8}),
			f.SetWanted("link", []Want{{*symlink("link", vec(2, 4), "x"), tellers}, {*file("link", vec(3, 1), 8), nil}}),
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

// readFormat1 is the index that lies in testdata.
func readFormat1(t testing.TB) []byte {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("bbolt writes numbers as the machine does; testdata was written by another kind")
	}
	data, err := os.ReadFile(format1)
	must(t, err)
	return data
}

func TestAnIndexOfFormat1IsStillUnderstood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	fresh := openAt(t, path)
	must(t, fillFormat(fresh))
	want, err := dump(fresh)
	must(t, err)
	must(t, fresh.Close())
	if *writeFormat {
		must(t, os.MkdirAll(filepath.Dir(format1), 0o755))
		must(t, os.WriteFile(format1, inUse(t, path), 0o644))
	}

	old := filepath.Join(t.TempDir(), "old.db")
	must(t, os.WriteFile(old, readFormat1(t), 0o600))
	db := openAt(t, old)
	got, err := dump(db)
	must(t, err)
	if got != want {
		t.Errorf("the old index holds\n%s\ninstead of\n%s", got, want)
	}
	update(t, db, func(f *Folder) error { _, err := f.Put(treeEntry(1000)); return err })
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
