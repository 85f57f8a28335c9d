package index

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/proto/diskpb"
)

func TestANewIndexIsForItsOwnerAloneAndEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	must(t, os.WriteFile(path, nil, 0o600)) // as a crash while it is created may leave it
	for range 2 {
		db, err := Open(path)
		must(t, err)
		must(t, db.View(func(tx *Tx) error {
			if _, err := tx.Folder(folderA); !errors.Is(err, ErrNoFolder) || len(tx.Folders()) != 0 {
				t.Errorf("Folder: %v; Folders: %v", err, tx.Folders())
			}
			return nil
		}))
		must(t, db.Close())
	}
	must(t, os.Remove(path))
	scratch, err := bbolt.Open(path, 0o600, nil) // or a crash a moment later
	must(t, err)
	must(t, scratch.Close())
	if db := openAt(t, path); db.bolt.NoSync || db.bolt.NoGrowSync {
		t.Error("commits are not synced")
	}
	info, err := os.Stat(path)
	must(t, err)
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestAnIndexOpensOnceAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	db := openAt(t, path)
	if _, err := Open(path); !errors.Is(err, ErrLocked) {
		t.Errorf("the second Open: %v", err)
	}
	must(t, db.Close())
	openAt(t, path)
}

func TestWhatCannotBeOpenedIsNotCalledDamaged(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "absent", "index.db"))
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		t.Errorf("in no directory: %v", err)
	}
	if os.Getuid() == 0 {
		t.Skip("root may open every file")
	}
	path := filepath.Join(t.TempDir(), "index.db")
	must(t, os.WriteFile(path, []byte("x"), 0o000))
	if _, err := Open(path); !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrDamaged) {
		t.Errorf("without permission: %v", err)
	}
}

// scribble changes a file behind the package's back.
func scribble(t *testing.T, path string, fn func(tx *bbolt.Tx) error) {
	t.Helper()
	bolt, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, bolt.Update(fn))
	must(t, bolt.Close())
}

func setFormat(v uint32) func(tx *bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(bucketKith))
		if err != nil {
			return err
		}
		row, err := proto.Marshal(&diskpb.IndexFormat{Version: v})
		if err != nil {
			return err
		}
		return b.Put([]byte(rowFormat), sealRow(seed(bucketKith), []byte(rowFormat), row))
	}
}

func TestAnIndexOfANewerKithIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.db")
	scribble(t, path, func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte("a bucket of the future"))
		if err != nil {
			return err
		}
		return errors.Join(b.Put([]byte("row"), []byte("value")), setFormat(format+1)(tx))
	})
	before, err := os.ReadFile(path)
	must(t, err)
	if _, err := Open(path); !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) {
		t.Errorf("Open: %v", err)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !slices.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestHalfAnIndexIsDamaged(t *testing.T) {
	folder := func(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket(folderKey(folderA)) }
	first := func(table string) func(tx *bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := folder(tx).Bucket([]byte(table))
			k, _ := b.Cursor().First()
			return b.Delete(k)
		}
	}
	harm := map[string]func(tx *bbolt.Tx) error{
		"no format":         func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucketKith)) },
		"format 0":          setFormat(0),
		"no state":          func(tx *bbolt.Tx) error { return folder(tx).Delete([]byte(rowState)) },
		"another bucket":    func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err },
		"another table":     func(tx *bbolt.Tx) error { _, err := folder(tx).CreateBucket([]byte("x")); return err },
		"a row of no table": func(tx *bbolt.Tx) error { return folder(tx).Put([]byte("x"), []byte("y")) },
	}
	for _, name := range tables {
		harm["no table "+name] = func(tx *bbolt.Tx) error { return folder(tx).DeleteBucket([]byte(name)) }
		harm["a row less in "+name] = first(name)
		harm["a strange row in "+name] = func(tx *bbolt.Tx) error {
			return folder(tx).Bucket([]byte(name)).Put([]byte("key"), []byte("value"))
		}
		harm["a bucket in "+name] = func(tx *bbolt.Tx) error {
			_, err := folder(tx).Bucket([]byte(name)).CreateBucket([]byte("x"))
			return err
		}
	}
	whole := filepath.Join(t.TempDir(), "index.db")
	db := openAt(t, whole)
	must(t, db.Update(func(tx *Tx) error {
		f, err := tx.CreateFolder(folderA, me, 7)
		if err != nil {
			return err
		}
		known, lost := file("a", vec(1, 1), 1), unknown("b", 2)
		_, err1 := f.Put(known)
		_, err2 := f.Put(lost)
		return errors.Join(err1, err2, f.SetPeer("p", Peer{}), f.Saw(known.Version.Vector), f.SetLocal("b", lost),
			f.SetWanted("a", []Want{{Entry: *file("a", vec(1, 2), 3)}}))
	}))
	must(t, db.Close())
	data, err := os.ReadFile(whole)
	must(t, err)
	for name, fn := range harm {
		path := filepath.Join(t.TempDir(), "index.db")
		must(t, os.WriteFile(path, data, 0o600))
		scribble(t, path, fn)
		if _, err := Open(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
