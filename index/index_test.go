package index

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// What the tests of this package share.

const me version.ReplicaID = 0x1111

var folderA = entry.FolderID{0xa}

// openAt opens an index that is closed with the test.
func openAt(t testing.TB, path string) *DB {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newIndex is an index with folderA in it.
func newIndex(t testing.TB) *DB {
	t.Helper()
	db := openAt(t, filepath.Join(t.TempDir(), "index.db"))
	must(t, db.Update(func(tx *Tx) error {
		_, err := tx.CreateFolder(folderA, me, 7)
		return err
	}))
	return db
}

// failer is what a test and rapid's tests have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// update runs fn on folderA.
func update(t testing.TB, db *DB, fn func(f *Folder) error) {
	t.Helper()
	must(t, db.Update(func(tx *Tx) error { return onFolder(tx, fn) }))
}

func view(t testing.TB, db *DB, fn func(f *Folder) error) {
	t.Helper()
	must(t, db.View(func(tx *Tx) error { return onFolder(tx, fn) }))
}

func onFolder(tx *Tx, fn func(f *Folder) error) error {
	f, err := tx.Folder(folderA)
	if err != nil {
		return err
	}
	return fn(f)
}

// vec is a vector of pairs of replica and count, ascending.
func vec(n ...uint64) version.Version {
	var v version.Version
	for i := 0; i < len(n); i += 2 {
		v.Vector = append(v.Vector, version.Counter{Replica: version.ReplicaID(n[i]), Count: n[i+1]})
		v.Author = version.ReplicaID(n[i])
		v.Clock += version.Clock(n[i+1])
	}
	return v
}

// block is one whose ID follows from n.
func block(n uint64, length uint32) entry.Block {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return entry.Block{ID: blake3.Sum256(b[:]), Length: length}
}

// file is a valid entry of a file with the blocks of these numbers.
func file(p entry.Path, v version.Version, blocks ...uint64) *entry.Entry {
	e := &entry.Entry{
		Path: p, Version: v, AuthorName: "laptop", Kind: entry.File, Mode: 0o644, Epoch: 1,
		ModTime: 1_700_000_000_123_456_789, Disk: entry.Disk{Inode: 42, ChangeTime: 1_700_000_001_000_000_001},
	}
	for _, n := range blocks {
		b := block(n, uint32(1000+n))
		e.Blocks = append(e.Blocks, b)
		e.Size += int64(b.Length)
	}
	return e
}

func directory(p entry.Path, v version.Version) *entry.Entry {
	return &entry.Entry{Path: p, Version: v, AuthorName: "laptop", Kind: entry.Directory, Mode: 0o755}
}

func symlink(p entry.Path, v version.Version, target string) *entry.Entry {
	return &entry.Entry{Path: p, Version: v, AuthorName: "laptop", Kind: entry.Symlink, Target: target, ModTime: 5}
}

// gone is a delete of e.
func gone(e *entry.Entry, v version.Version) *entry.Entry {
	return &entry.Entry{Path: e.Path, Version: v, AuthorName: "desktop", Kind: entry.Deleted, Gone: e.Digest()}
}

func unknown(p entry.Path, blocks ...uint64) *entry.Entry {
	e := file(p, version.Version{}, blocks...)
	e.Unknown, e.AuthorName = true, ""
	return e
}

// treePath is the path of file number n of a wide tree, about 40 bytes long;
// ascending numbers give ascending paths in tree order.
func treePath(n int) entry.Path {
	return entry.Path(fmt.Sprintf("photos/%04d-holiday/day %02d/picture-%07d.jpg", n/1000, n/50%20, n))
}
