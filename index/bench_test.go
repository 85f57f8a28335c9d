package index

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// treeEntry is a file of one block with a path of 40 bytes or so.
func treeEntry(n int) *entry.Entry {
	count := uint64(n + 1)
	e := file(treePath(n), vec(uint64(me), count), count)
	e.Version.Clock = 1_700_000_000_000_000 + version.Clock(n)
	e.Disk.Inode = uint64(1_000_000 + n)
	return e
}

const batch = 10_000

// ingest puts the files [from, to) in batches, as a first scan does.
func ingest(b testing.TB, db *DB, from, to int) {
	for ; from < to; from += batch {
		update(b, db, func(f *Folder) error {
			for n := from; n < min(to, from+batch); n++ {
				if err := f.Saw(vec(uint64(me), uint64(n+1)).Vector); err != nil {
					return err
				}
				if _, err := f.Put(treeEntry(n)); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func fileSize(b testing.TB, path string) int64 {
	info, err := os.Stat(path)
	must(b, err)
	return info.Size()
}

// BenchmarkIngest writes 500,000 files; 150,000 a second and 350 bytes a file,
// at any moment, are the budget.
func BenchmarkIngest(b *testing.B) {
	const files = 500_000
	entries := 0
	var size, worst float64
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "index.db")
		db := openAt(b, path)
		must(b, db.Update(func(tx *Tx) error {
			_, err := tx.CreateFolder(folderA, me, 7)
			return err
		}))
		for n := 0; n < files; n += batch {
			ingest(b, db, n, n+batch)
			size = float64(fileSize(b, path)) / float64(n+batch)
			if n >= 100_000 {
				worst = max(worst, size)
			}
		}
		entries += files
		must(b, db.Close())
	}
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(size, "B/file")
	b.ReportMetric(worst, "worst-B/file")
}

// filled is an index of so many files.
func filled(b *testing.B, files int) *DB {
	db := newIndex(b)
	ingest(b, db, 0, files)
	return db
}

func BenchmarkLight(b *testing.B) { benchmarkLight(b, 0) }

// BenchmarkLightLocal is the same where every tenth file was edited locally.
func BenchmarkLightLocal(b *testing.B) { benchmarkLight(b, 10) }

func benchmarkLight(b *testing.B, localEach int) {
	const files = 200_000
	db := filled(b, files)
	update(b, db, func(f *Folder) error {
		for n := 0; localEach > 0 && n < files; n += localEach {
			if err := f.SetLocal(treePath(n), treeEntry(n)); err != nil {
				return err
			}
		}
		return nil
	})
	rows := 0
	b.ReportAllocs()
	for b.Loop() {
		view(b, db, func(f *Folder) error {
			for range f.Light("") {
				rows++
			}
			return nil
		})
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkSince(b *testing.B) {
	db := filled(b, 200_000)
	rows := 0
	for b.Loop() {
		view(b, db, func(f *Folder) error {
			for _, err := range f.Since(0) {
				if err != nil {
					return err
				}
				rows++
			}
			return nil
		})
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkGet(b *testing.B) {
	const files = 200_000
	db := filled(b, files)
	view(b, db, func(f *Folder) error {
		n := 0
		for b.Loop() {
			n = (n + 7919) % files
			if e, err := f.Get(treePath(n)); err != nil || e == nil {
				b.Fatal(e, err)
			}
		}
		return nil
	})
}

func BenchmarkFindBlock(b *testing.B) {
	const files = 200_000
	db := filled(b, files)
	view(b, db, func(f *Folder) error {
		n := 0
		for b.Loop() {
			n = (n + 7919) % files
			found := false
			for range f.FindBlock(block(uint64(n+1), 0).ID) {
				found = true
			}
			if !found {
				b.Fatal("not found")
			}
		}
		return nil
	})
}

// BenchmarkUpdateOne is one edit of one file, durable.
func BenchmarkUpdateOne(b *testing.B) {
	const files = 200_000
	db := filled(b, files)
	n := 0
	for b.Loop() {
		n = (n + 7919) % files
		update(b, db, func(f *Folder) error {
			e, err := f.Get(treePath(n))
			if err != nil {
				return err
			}
			e.Version.Vector = e.Version.Vector.With(me, e.Version.Vector.Count(me)+files)
			e.Blocks = []entry.Block{block(e.Version.Vector.Count(me), uint32(e.Size))}
			_, err = f.Put(e)
			return err
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "index.db")
	db, err := Open(path)
	must(b, err)
	must(b, db.Update(func(tx *Tx) error {
		_, err := tx.CreateFolder(folderA, me, 7)
		return err
	}))
	ingest(b, db, 0, 100_000)
	must(b, db.Close())
	b.SetBytes(fileSize(b, path))
	for b.Loop() {
		db, err := Open(path)
		must(b, err)
		must(b, db.Close())
	}
}

// BenchmarkReceive is a first sync: everything is wanted, then held.
func BenchmarkReceive(b *testing.B) {
	const files = 200_000
	var worst float64
	tellers := map[entry.DeviceID]entry.Sequence{"12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN": 0}
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "index.db")
		db := openAt(b, path)
		must(b, db.Update(func(tx *Tx) error {
			_, err := tx.CreateFolder(folderA, me+1, 7)
			return err
		}))
		each := func(fn func(f *Folder, n int) error) {
			for from := 0; from < files; from += batch {
				update(b, db, func(f *Folder) error {
					for n := from; n < from+batch; n++ {
						if err := fn(f, n); err != nil {
							return err
						}
					}
					return nil
				})
				worst = max(worst, float64(fileSize(b, path))/files)
			}
		}
		each(func(f *Folder, n int) error {
			e := treeEntry(n)
			for d := range tellers {
				tellers[d] = entry.Sequence(n)
			}
			return f.SetWanted(e.Path, []Want{{Entry: *e, Tellers: tellers}})
		})
		each(func(f *Folder, n int) error {
			w, err := f.Wanted(treePath(n))
			if err != nil {
				return err
			}
			if _, err := f.Put(&w[0].Entry); err != nil {
				return err
			}
			return f.SetWanted(w[0].Entry.Path, nil)
		})
		must(b, db.Close())
	}
	b.ReportMetric(float64(b.N*files)/b.Elapsed().Seconds(), "files/s")
	b.ReportMetric(worst, "worst-B/file")
}

// BenchmarkScatter is 50 rounds of edits all over 100,000 files.
func BenchmarkScatter(b *testing.B) {
	const files = 100_000
	path := filepath.Join(b.TempDir(), "index.db")
	db := openAt(b, path)
	must(b, db.Update(func(tx *Tx) error {
		_, err := tx.CreateFolder(folderA, me, 7)
		return err
	}))
	ingest(b, db, 0, files)
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		for round := range 50 {
			update(b, db, func(f *Folder) error {
				for range 1000 {
					e, err := f.Get(treePath(r.IntN(files)))
					if err != nil {
						return err
					}
					e.Version = e.Version.Next(version.ReplicaID(2+round%3), uint64(files+int(f.Head())), 1)
					e.Blocks = []entry.Block{block(uint64(f.Head())+1<<40, uint32(e.Size))}
					if _, err := f.Put(e); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	b.ReportMetric(float64(fileSize(b, path))/files, "B/file")
	b.ReportMetric(float64(b.N*50_000)/b.Elapsed().Seconds(), "entries/s")
}
