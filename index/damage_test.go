package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// damageFixture is the bytes of an index with some of everything in it, and
// what it holds.
func damageFixture(t testing.TB) (data []byte, m *model, o operator) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index.db")
	db, err := Open(path)
	must(t, err)
	m = newModel()
	o = operator{plainSource{rand.New(rand.NewPCG(3, 4))}, 400, 50}
	// Several transactions, so that there are old pages and a list of free ones.
	for i := range 5 {
		must(t, db.Update(func(tx *Tx) error {
			if i == 0 {
				if _, err := tx.CreateFolder(folderA, me, 7); err != nil {
					return err
				}
			}
			return onFolder(tx, func(f *Folder) error {
				for range 400 {
					if err := o.step(f, m); err != nil {
						return err
					}
				}
				return nil
			})
		}))
	}
	must(t, db.Close())
	return inUse(t, path), m, o
}

// openDamaged writes data to a file and reads all of it as an index. It
// returns nil if that is what the model says, or an error that wraps
// ErrDamaged; anything else fails the test.
func openDamaged(t *testing.T, path string, data []byte, m *model, o operator) error {
	t.Helper()
	must(t, os.WriteFile(path, data, 0o600))
	db, err := Open(path)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("Open: %v", err)
		}
		return err
	}
	// A commit reads the list of free pages.
	err = errors.Join(
		db.View(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error { return m.compare(f, o.blocks) })
		}),
		db.Update(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error { return f.SetPeer("x", Peer{}) })
		}),
		db.Close(),
	)
	if err != nil && !errors.Is(err, ErrDamaged) {
		t.Fatalf("after Open: %v", err)
	}
	return err
}

func TestACutOffIndexIsDamagedWhereverItIsCut(t *testing.T) {
	data, m, o := damageFixture(t)
	path := filepath.Join(t.TempDir(), "index.db")
	if err := openDamaged(t, path, data, m, o); err != nil {
		t.Fatalf("the whole file: %v", err)
	}
	cuts := []int{1, 15, 100, 4095, 4096, 8191, 8192, 3*4096 + 5, len(data) - 4096, len(data) - 1}
	for i := range 10 {
		cuts = append(cuts, len(data)*(i+1)/11)
	}
	for _, n := range cuts {
		if openDamaged(t, path, data[:n], m, o) == nil {
			t.Errorf("the first %d of %d bytes pass for an index", n, len(data))
		}
	}
}

func TestFlippedBitsAreNoticedOrHarmless(t *testing.T) {
	data, m, o := damageFixture(t)
	path := filepath.Join(t.TempDir(), "index.db")
	r := rand.New(rand.NewPCG(5, 6))
	noticed := 0
	flip := func(b []byte, bit int) { b[bit/8] ^= 1 << (bit % 8) }
	for range 200 {
		bit := r.IntN(len(data) * 8)
		flip(data, bit)
		if openDamaged(t, path, data, m, o) != nil {
			noticed++
		}
		flip(data, bit)
	}
	if noticed < 50 {
		t.Errorf("of 200 flips only %d were noticed: is the file mostly empty?", noticed)
	}
	// The numbers that hold the trees together: headers of pages and elements.
	for page := 0; page < len(data); page += 4096 {
		for range 4 {
			bit := page*8 + r.IntN(8*64)
			flip(data, bit)
			_ = openDamaged(t, path, data, m, o)
			flip(data, bit)
		}
	}
	many := append([]byte(nil), data...)
	for range 200 {
		flip(many, r.IntN(len(many)*8))
	}
	if openDamaged(t, path, many, m, o) == nil {
		t.Error("200 flips at once are not noticed")
	}
}

func TestOverwrittenPagesAreNoticedOrHarmless(t *testing.T) {
	data, m, o := damageFixture(t)
	path := filepath.Join(t.TempDir(), "index.db")
	r := rand.New(rand.NewPCG(7, 8))
	pages := len(data) / 4096
	for i := range 60 {
		bad := append([]byte(nil), data...)
		page := bad[r.IntN(pages)*4096:][:4096]
		switch i % 3 {
		case 0: // a write that went nowhere
			clear(page)
		case 1: // or to the wrong place
			copy(page, data[r.IntN(pages)*4096:][:4096])
		case 2: // the page as it may have been once: with the header of its own
			copy(page[16:], data[r.IntN(pages)*4096:][16:4096])
		}
		_ = openDamaged(t, path, bad, m, o)
	}
}

func TestAPageThatIsFreeAndInUseIsDamage(t *testing.T) {
	data, m, o := damageFixture(t)
	path := filepath.Join(t.TempDir(), "index.db")
	meta, err := readMeta(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	list := data[int64(meta.freelist)*int64(meta.pageSize):]
	if binary.NativeEndian.Uint16(list[10:]) == 0 {
		t.Fatal("no page is free")
	}
	first := list[pageHeader:][:8]
	for name, id := range map[string]uint64{
		"the root": meta.root, "the list itself": meta.freelist, "the first page": 0, "none": meta.high,
		"listed twice": binary.NativeEndian.Uint64(list[pageHeader+8:]),
	} {
		old := bytes.Clone(first)
		binary.NativeEndian.PutUint64(first, id)
		if openDamaged(t, path, data, m, o) == nil {
			t.Errorf("free: %s: not noticed", name)
		}
		copy(first, old)
	}
}

func TestFilesThatAreNoIndexAreDamaged(t *testing.T) {
	for name, data := range map[string]string{
		"text":   strings.Repeat("this is no index\n", 1000),
		"zeros":  strings.Repeat("\x00", 1<<16),
		"a byte": "x",
	} {
		path := filepath.Join(t.TempDir(), "index.db")
		must(t, os.WriteFile(path, []byte(data), 0o600))
		if db, err := Open(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, %v", name, db, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != data {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrDamaged) {
		t.Errorf("a directory: %v", err)
	}
}

// fillForDamage is an open index, larger than what a few pages hold.
func fillForDamage(t *testing.T) (*DB, string) {
	path := filepath.Join(t.TempDir(), "index.db")
	db := openAt(t, path)
	must(t, db.Update(func(tx *Tx) error {
		_, err := tx.CreateFolder(folderA, me, 7)
		return err
	}))
	ingest(t, db, 0, 3000)
	return db, path
}

func readAll(db *DB) error {
	return db.View(func(tx *Tx) error {
		return onFolder(tx, func(f *Folder) error {
			for range f.Light("") {
			}
			for e := range f.UnknownPaths() {
				_ = e
			}
			return nil
		})
	})
}

func TestDamageWhileOpenTurnsTheIndexOff(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("relies on how a mapped file behaves on Linux")
	}
	for name, harm := range map[string]func(file *os.File, size int64) error{
		"the file shrinks": func(file *os.File, size int64) error { return file.Truncate(8192) },
		"noise in all pages": func(file *os.File, size int64) error {
			noise := make([]byte, size-8192)
			r := rand.New(rand.NewPCG(9, 10))
			for i := range noise {
				noise[i] = byte(r.Uint32())
			}
			_, err := file.WriteAt(noise, 8192)
			return err
		},
		"every hundredth byte flips": func(file *os.File, size int64) error {
			data := make([]byte, size)
			if _, err := file.ReadAt(data, 0); err != nil {
				return err
			}
			for i := int64(8192); i < size; i += 100 {
				data[i] ^= 4
			}
			_, err := file.WriteAt(data, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, path := fillForDamage(t)
			must(t, readAll(db))
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			must(t, err)
			must(t, harm(file, fileSize(t, path)))
			must(t, file.Close())

			if err := readAll(db); !errors.Is(err, ErrDamaged) {
				t.Errorf("View: %v", err)
			}
			called := false
			if err := db.View(func(*Tx) error { called = true; return nil }); !errors.Is(err, ErrDamaged) || called {
				t.Errorf("the next View: %v, called %t", err, called)
			}
			if err := db.Update(func(*Tx) error { called = true; return nil }); !errors.Is(err, ErrDamaged) || called {
				t.Errorf("Update: %v, called %t", err, called)
			}
			must(t, db.Close())
			if _, err := Open(path); !errors.Is(err, ErrDamaged) {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestUpdateThatMeetsDamageCommitsNothingAndEnds(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("relies on how a mapped file behaves on Linux")
	}
	db, path := fillForDamage(t)
	err := db.Update(func(tx *Tx) error {
		f, err := tx.Folder(folderA)
		if err != nil {
			return err
		}
		if err := os.Truncate(path, 8192); err != nil {
			return err
		}
		for n := range 100 {
			_, _ = f.Put(file(entry.Path(fmt.Sprint("x", n)), vec(1, 1))) // ignores what it is told
		}
		return nil
	})
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("Update: %v", err)
	}
	if err := db.Update(func(*Tx) error { return nil }); !errors.Is(err, ErrDamaged) {
		t.Errorf("the next one: %v", err)
	}
	must(t, db.Close())
}
