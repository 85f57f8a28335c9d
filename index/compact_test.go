package index

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

func TestCompactingLeavesNothingOfAFolderThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	gone, stays := entry.FolderID{1}, entry.FolderID{2}
	err = db.Update(func(tx *Tx) error {
		for _, id := range []entry.FolderID{gone, stays} {
			f, err := tx.CreateFolder(id, 7, 9)
			if err != nil {
				return err
			}
			n, err := f.NextCount()
			if err != nil {
				return err
			}
			v := version.Version{Vector: version.Vector{{Replica: 7, Count: n}}, Clock: 1, Author: 7}
			name := entry.Path("stays.txt")
			if id == gone {
				name = "a-name-that-must-go.txt"
			}
			if _, err := f.Put(&entry.Entry{Path: name, Kind: entry.Directory, Version: v, Epoch: 1, AuthorName: "x"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = db.Update(func(tx *Tx) error { return tx.DropFolder(gone) })
	}
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		err = Compact(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || bytes.Contains(b, []byte("a-name-that-must-go")) || !bytes.Contains(b, []byte("stays.txt")) {
		t.Errorf("after compaction: %v, or a name is there that should be gone, or the reverse", err)
	}
	if db, err = Open(path); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
