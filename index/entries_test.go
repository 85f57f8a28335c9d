package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

func TestPutKeepsWhatItHasNotSeen(t *testing.T) {
	forked := file("a", vec(1, 1), 7)
	metadata := file("a", vec(1, 1), 1)
	metadata.Mode = 0o600
	for _, c := range []struct {
		name     string
		old, put *entry.Entry
		want     error
	}{
		{"a first entry", nil, file("a", vec(1, 1), 1), nil},
		{"a first unknown entry", nil, unknown("a", 1), nil},
		{"the same again", file("a", vec(1, 1), 1), file("a", vec(1, 1), 1), nil},
		{"a child", file("a", vec(1, 1), 1), file("a", vec(1, 2), 2), nil},
		{"a child by another replica", file("a", vec(1, 1), 1), file("a", vec(1, 1, 2, 1), 2), nil},
		{"a delete", file("a", vec(1, 1), 1), gone(file("a", vec(1, 1), 1), vec(1, 2)), nil},
		{"a revival", gone(file("a", vec(1, 1)), vec(1, 2)), file("a", vec(1, 3), 1), nil},
		{"an ancestor", file("a", vec(1, 2), 1), file("a", vec(1, 1), 1), ErrStale},
		{"a stranger", file("a", vec(1, 1), 1), file("a", vec(2, 9), 1), ErrStale},
		{"a stranger who has a later count", file("a", vec(1, 1, 2, 1), 1), file("a", vec(2, 9), 1), ErrStale},
		{"a stranger over a delete", gone(file("a", vec(1, 1)), vec(1, 2)), file("a", vec(2, 1)), ErrStale},
		{"an unknown entry over a known one", file("a", vec(1, 1), 1), unknown("a", 1), ErrStale},
		{"an unknown entry over an unknown one", unknown("a", 1), unknown("a", 2), nil},
		{"anything over an unknown one", unknown("a", 1), file("a", vec(2, 1), 2), nil},
		{"a stranger over an absent one", away(file("a", vec(1, 1), 1)), file("a", vec(2, 1), 2), nil},
		{"an absent stranger over an absent one", away(file("a", vec(1, 1), 1)), away(file("a", vec(2, 1), 2)), nil},
		{"an absent stranger over one that is here", file("a", vec(1, 1), 1), away(file("a", vec(2, 9), 2)), ErrStale},
		{"an ancestor over an absent one", away(file("a", vec(1, 2), 1)), file("a", vec(1, 1), 1), ErrStale},
		{"an unknown one over an absent one", away(file("a", vec(1, 1), 1)), unknown("a", 1), ErrStale},
		{"the bytes go", file("a", vec(1, 1), 1), away(file("a", vec(1, 1), 1)), nil},
		{"the bytes come back", away(file("a", vec(1, 1), 1)), file("a", vec(1, 1), 1), nil},
		{"other bytes come back", away(file("a", vec(1, 1), 1)), forked, ErrForked},
		{"an absent one over an unknown one", unknown("a", 1), away(file("a", vec(1, 1), 1)), nil},
		{"other bytes under the same vector", file("a", vec(1, 1), 1), forked, ErrForked},
		{"other metadata under the same vector", file("a", vec(1, 1), 1), metadata, ErrForked},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := newIndex(t)
			if c.old != nil {
				update(t, db, func(f *Folder) error { _, err := f.Put(c.old); return err })
			}
			var before *entry.Entry
			err := db.Update(func(tx *Tx) error {
				return onFolder(tx, func(f *Folder) error {
					before, _ = f.Get("a")
					_, err := f.Put(c.put)
					return err
				})
			})
			if !errors.Is(err, c.want) {
				t.Fatalf("Put: %v, want %v", err, c.want)
			}
			want := c.put
			if c.want != nil {
				want = before
			} else if want.Absent {
				want.Disk = entry.Disk{}
			}
			view(t, db, func(f *Folder) error {
				if got, err := f.Get("a"); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("then the index holds %+v, %v", got, err)
				}
				return nil
			})
		})
	}
}

// away is e without what it holds.
func away(e *entry.Entry) *entry.Entry {
	e.Absent = true
	return e
}

func TestWhatIsNoEntryIsNotWritten(t *testing.T) {
	unseeing := unknown("a", 1)
	unseeing.Unseen = vec(1, 1).Vector
	ahead := file("a", vec(1, 1), 1)
	ahead.Unseen = vec(1, 2).Vector
	versioned := unknown("a", 1)
	versioned.Version = vec(1, 1)
	lost := unknown("a")
	lost.Kind = entry.Deleted
	for name, e := range map[string]*entry.Entry{
		"no path":                     file("", vec(1, 1)),
		"a path out of the folder":    file("../x", vec(1, 1)),
		"kith's own":                  file(".kith/x", vec(1, 1)),
		"no version":                  file("a", version.Version{}),
		"an unknown version":          versioned,
		"an unknown delete":           lost,
		"an unknown one that is away": away(unknown("a", 1)),
		"an unknown one with unseen":  unseeing,
		"unseen beyond its version":   ahead,
		"an unknown entry of no kind": {Path: "a", Unknown: true},
	} {
		db := newIndex(t)
		err := db.Update(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error { _, err := f.Put(e); return err })
		})
		if err == nil || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		err = db.Update(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error { return f.SetWanted(e.Path, []Want{{Entry: *e}}) })
		})
		if err == nil || errors.Is(err, ErrDamaged) {
			t.Errorf("%s, wanted: %v", name, err)
		}
	}
}

func TestWantsAreOfTheirPath(t *testing.T) {
	db := newIndex(t)
	err := db.Update(func(tx *Tx) error {
		return onFolder(tx, func(f *Folder) error {
			return f.SetWanted("a", []Want{{Entry: *file("b", vec(1, 1))}})
		})
	})
	if !errors.Is(err, entry.ErrEntry) {
		t.Errorf("SetWanted: %v", err)
	}
}

// awkward are paths in the order in which a walk meets them.
func awkward() []entry.Path {
	return []entry.Path{
		" x", "a", "a/\x01", "a/b", "a/b/c", "a/b/c/d", "a/b\x01", "a/b c", "a/b-c", "a/b.txt", "a/bb",
		"a\x01", "a b", "a b/c", "a!", "a-", "a-/z", "a.d", "a.d/x", "aa", "b", "b\xff", "b\xff/x", "é", "\xff",
	}
}

func TestRangeMeetsEntriesInTheOrderOfAWalk(t *testing.T) {
	root := t.TempDir()
	db := newIndex(t)
	paths := awkward()
	update(t, db, func(f *Folder) error {
		for i := range paths {
			p := paths[(i*7)%len(paths)] // 7 and 25 have no common factor
			if _, err := f.Put(directory(p, vec(1, uint64(i+1)))); err != nil {
				return err
			}
			if err := f.SetWanted(p, []Want{{Entry: *directory(p, vec(2, uint64(i+1)))}}); err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Join(root, string(p)), 0o755); err != nil {
				return err
			}
		}
		return nil
	})
	var walked []entry.Path
	must(t, filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if p != root {
			walked = append(walked, entry.Path(strings.TrimPrefix(p, root+"/")))
		}
		return err
	}))
	if !slices.Equal(walked, paths) {
		t.Fatalf("the walk itself gives %q", walked)
	}
	view(t, db, func(f *Folder) error {
		for i, from := range paths {
			if got := rangePaths(t, f, from); !slices.Equal(got, walked[i:]) {
				t.Errorf("from %q: %q", from, got)
			}
			if got := rangePaths(t, f, After(from)); !slices.Equal(got, walked[i+1:]) {
				t.Errorf("after %q: %q", from, got)
			}
		}
		if got := rangePaths(t, f, After("")); !slices.Equal(got, walked) {
			t.Errorf("after the root: %q", got)
		}
		return nil
	})
}

// rangePaths is what the three walks by tree agree on.
func rangePaths(t *testing.T, f *Folder, from entry.Path) (paths []entry.Path) {
	t.Helper()
	for e, err := range f.Range(from) {
		must(t, err)
		paths = append(paths, e.Path)
	}
	i := 0
	for l := range f.Light(from) {
		if i >= len(paths) || l.Path != paths[i] {
			t.Errorf("Light gives %q", l.Path)
		}
		i++
	}
	for w, err := range f.WantedRange(from) {
		must(t, err)
		if i -= 1; i < 0 || w[0].Entry.Path != paths[len(paths)-1-i] {
			t.Errorf("WantedRange gives %q", w[0].Entry.Path)
		}
	}
	return paths
}

func TestBelowYieldsADirectorysDescendantsOnly(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error {
		for i, p := range awkward() {
			if _, err := f.Put(directory(p, vec(1, uint64(i+1)))); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, db, func(f *Folder) error {
		for dir, want := range map[entry.Path][]entry.Path{
			"a":      {"a/\x01", "a/b", "a/b/c", "a/b/c/d", "a/b\x01", "a/b c", "a/b-c", "a/b.txt", "a/bb"},
			"a/b":    {"a/b/c", "a/b/c/d"},
			"a/bb":   nil,
			"absent": nil,
			"":       awkward(),
		} {
			var got []entry.Path
			for e, err := range f.Below(dir) {
				must(t, err)
				got = append(got, e.Path)
			}
			if !slices.Equal(got, want) {
				t.Errorf("below %q: %q", dir, got)
			}
		}
		return nil
	})
}

func TestWalksBearChangesOnTheWay(t *testing.T) {
	db := newIndex(t)
	ingest(t, db, 0, 500)
	update(t, db, func(f *Folder) error {
		n := 0
		for e, err := range f.Range("") {
			must(t, err)
			if e.Path != treePath(n) {
				t.Fatalf("entry %d is %q", n, e.Path)
			}
			if deleted := e.Kind == entry.Deleted; deleted != (n%2 == 1) {
				t.Fatalf("entry %d is a %s", n, e.Kind)
			}
			if next := treeEntry(n + 1); n%2 == 0 {
				if _, err := f.Put(gone(next, vec(uint64(me), uint64(n+1000)))); err != nil {
					return err
				}
			}
			n++
			// Moves what follows on the page.
			if _, err := f.Put(directory(e.Path.Parent().Join("new "+e.Path.Name()), vec(2, uint64(n)))); err != nil {
				return err
			}
		}
		if n != 500 {
			t.Errorf("Range gave %d of 500", n)
		}
		last := entry.Sequence(500)
		// Each Put moves its entry to the end, where it may be met again.
		for e, err := range f.Since(last) {
			must(t, err)
			if now, err := f.Get(e.Path); err != nil || e.Sequence <= last || !reflect.DeepEqual(e, now) {
				t.Fatalf("after %d: %+v instead of %+v, %v", last, e, now, err)
			}
			if last = e.Sequence; last > 2500 {
				break
			}
			e.Version.Vector = vec(uint64(e.Version.Author), e.Version.Vector[0].Count+1000).Vector
			if _, err := f.Put(e); err != nil {
				return err
			}
		}
		if last < 1250 {
			t.Errorf("Since ended at %d", last)
		}
		return nil
	})
}

func TestAWalkOverPairsMeetsNoneTwiceWhenSegmentsSplit(t *testing.T) {
	db := newIndex(t)
	update(t, db, func(f *Folder) error {
		for i := range uint64(maxSegment) {
			must(t, f.blocks.add(pair{i * 10, 1}))
		}
		last, n := pair{}, 0
		for p, err := range f.blocks.from(pair{a: 5}) {
			must(t, err)
			if p.compare(last) <= 0 {
				t.Fatalf("%v after %v", p, last)
			}
			last = p
			for i := range uint64(8) {
				must(t, f.blocks.add(pair{uint64(n)*10 + i, 2}))
			}
			must(t, f.blocks.flush())
			n++
		}
		if n < maxSegment-1 {
			t.Errorf("%d pairs of %d", n, maxSegment-1)
		}
		return nil
	})
}

func TestEntriesWithManyBlocksAndCountersComeBackWhole(t *testing.T) {
	db := newIndex(t)
	big := file("big", version.Version{}, slices.Repeat([]uint64{1, 2, 3}, 10_000)...)
	for r := range uint64(version.MaxReplicas) {
		big.Version = big.Version.Next(version.ReplicaID(1<<40+r), r+1, 1)
	}
	update(t, db, func(f *Folder) error { _, err := f.Put(big); return err })
	// More names than have codes.
	update(t, db, func(f *Folder) error {
		for i := range maxNames + 10 {
			e := file(entry.Path(fmt.Sprint(i)), vec(uint64(1e6+i), 1))
			e.AuthorName = fmt.Sprint("author ", i)
			if _, err := f.Put(e); err != nil {
				return err
			}
			w := Want{Entry: *e, Tellers: map[entry.DeviceID]entry.Sequence{entry.DeviceID(e.AuthorName): 5}}
			w.Entry.Sequence, w.Entry.Disk = 0, entry.Disk{}
			if err := f.SetWanted(e.Path, []Want{w}); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, db, func(f *Folder) error {
		if got, err := f.Get("big"); err != nil || !reflect.DeepEqual(got, big) {
			t.Errorf("big comes back otherwise: %v", err)
		}
		if f.state.replicas != maxNames || f.state.authors != maxNames || f.state.devices != maxNames {
			t.Errorf("codes: %+v", f.state)
		}
		for i := range maxNames + 10 {
			e, err := f.Get(entry.Path(fmt.Sprint(i)))
			must(t, err)
			w, err := f.Wanted(e.Path)
			must(t, err)
			if e.AuthorName != fmt.Sprint("author ", i) || e.Version.Author != version.ReplicaID(1e6+i) ||
				w[0].Tellers[entry.DeviceID(e.AuthorName)] != 5 {
				t.Errorf("%d comes back as %+v, %+v", i, e, w)
			}
		}
		return nil
	})
}
