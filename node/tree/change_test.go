package tree

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func TestRemoveTakesWhatIsExpectedAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		before, after func(t *testing.T, tr *Tree)
		want          error
		left          string
	}{
		"a file":                         {before: file("x")},
		"a link":                         {before: symlink("x")},
		"an empty directory":             {before: directory},
		"a full directory":               {before: func(t *testing.T, tr *Tree) { put(t, tr, "p/x", "y") }, want: ErrNotEmpty},
		"a file that changed":            {before: file("x"), after: file("y2"), want: ErrChanged, left: "y2"},
		"a link that changed":            {before: symlink("x"), after: symlink("y"), want: ErrChanged, left: "-> y"},
		"a directory that became a file": {before: directory, after: file("y"), want: ErrChanged, left: "y"},
		"a file that became a directory": {before: file("y"), after: directory, want: ErrChanged},
		"what is gone": {
			before: file("x"),
			after:  func(t *testing.T, tr *Tree) { must(t, os.Remove(tr.file("p"))) },
			want:   fs.ErrNotExist,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := testTree(t)
			c.before(t, tr)
			expect := stat(t, tr, "p")
			if c.after != nil {
				c.after(t, tr)
			}
			err := tr.Remove("p", expect)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if got := contents(t, tr.path)["p"]; got != c.left {
				t.Errorf("left with %q", got)
			}
			if _, err := os.Lstat(tr.file("p")); c.want == nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("still there: %v", err)
			}
		})
	}
}

func TestMoveCarriesFilesAndWholeDirectories(t *testing.T) {
	tr := testTree(t)
	st := put(t, tr, "a/f", "x")
	put(t, tr, "b/g", "y")
	must(t, os.Symlink("t", tr.file("l")))

	st, err := tr.Move("a/f", "b/f", st, meta)
	must(t, err)
	if !st.Same(stat(t, tr, "b/f")) || st.Mode != meta.Mode || st.ModTime != meta.ModTime || content(t, tr, "b/f") != "x" {
		t.Errorf("%+v", st)
	}
	st, err = tr.Move("b", "a/b", stat(t, tr, "b"), Meta{Mode: 0o700})
	must(t, err)
	if st.Mode != 0o700 || content(t, tr, "a/b/g") != "y" {
		t.Errorf("%+v", st)
	}
	st, err = tr.Move("l", "a/l", stat(t, tr, "l"), meta)
	must(t, err)
	if st.Target != "t" || !st.Same(stat(t, tr, "a/l")) {
		t.Errorf("%+v", st)
	}
}

func TestMoveRefusesWhatIsNotExpected(t *testing.T) {
	tr := testTree(t)
	st := put(t, tr, "a", "x")
	put(t, tr, "a", "xy")
	if _, err := tr.Move("a", "b", st, meta); !errors.Is(err, ErrChanged) {
		t.Errorf("changed: %v", err)
	}
	if _, err := tr.Move("none", "b", st, meta); !errors.Is(err, ErrChanged) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := os.Lstat(tr.file("b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("moved all the same: %v", err)
	}
	put(t, tr, "d/x", "x")
	if _, err := tr.Move("d", "d/e", stat(t, tr, "d"), meta); err == nil {
		t.Error("moved a directory into itself")
	}
}

func TestSetMetaSetsJustThat(t *testing.T) {
	tr := testTree(t)
	st := put(t, tr, "f", "x")
	now, err := tr.SetMeta("f", meta, st)
	must(t, err)
	if now.Mode != meta.Mode || now.ModTime != meta.ModTime || now.Disk.Inode != st.Disk.Inode || !now.Same(stat(t, tr, "f")) {
		t.Errorf("%+v", now)
	}
	if _, err := tr.SetMeta("f", meta, st); !errors.Is(err, ErrChanged) {
		t.Errorf("expected what is no more: %v", err)
	}
	if _, err := tr.SetMeta("none", meta, st); !errors.Is(err, ErrChanged) {
		t.Errorf("missing: %v", err)
	}
	now, err = tr.SetMeta("f", Meta{Mode: 0o000, ModTime: -1}, now)
	must(t, err)
	now, err = tr.SetMeta("f", meta, now) // of a file that its owner cannot open
	must(t, err)
	if now.Mode != meta.Mode {
		t.Errorf("%+v", now)
	}
	must(t, os.Symlink("t", tr.file("l")))
	now, err = tr.SetMeta("l", meta, stat(t, tr, "l"))
	must(t, err)
	if now.Kind != entry.Symlink || now.Target != "t" || !now.Same(stat(t, tr, "l")) {
		t.Errorf("%+v", now)
	}
}

func TestMkdirGivesTheModeItIsAskedFor(t *testing.T) {
	tr := testTree(t)
	for _, mode := range []uint32{0o755, 0o700, 0o777, 0o555, 0o111, 0} {
		p := entry.Path("d" + fresh())
		st, err := tr.Mkdir(p, mode)
		must(t, err)
		if st.Kind != entry.Directory || st.Mode != mode || !st.Same(stat(t, tr, p)) {
			t.Errorf("%o: %+v", mode, st)
		}
	}
}

func TestADirectoryKeepsItsSetGroupIDBit(t *testing.T) {
	tr := testTree(t)
	must(t, os.Mkdir(tr.file("d"), 0o755))
	must(t, os.Chmod(tr.file("d"), 0o755|os.ModeSetgid|os.ModeSticky))
	_, err := tr.SetMeta("d", Meta{Mode: 0o700}, stat(t, tr, "d"))
	must(t, err)
	info, err := os.Stat(tr.file("d"))
	must(t, err)
	if info.Mode() != os.ModeDir|os.ModeSetgid|os.ModeSticky|0o700 {
		t.Errorf("%v", info.Mode())
	}
}

func TestSyncReportsNoErrorWhateverHasBecomeOfWhatChanged(t *testing.T) {
	tr := testTree(t)
	tr.durable.whole = false // as on a file system that one call does not sync
	must(t, tr.Sync())
	_, err := tr.Mkdir("d", 0o755)
	must(t, err)
	_, err = tr.Mkdir("d/e", 0o755)
	must(t, err)
	_, err = tr.Place("d/e/f", staged(t, tr, "x"), meta, nil)
	must(t, err)
	_, err = tr.SetMeta("d/e/f", Meta{Mode: 0o600}, stat(t, tr, "d/e/f"))
	must(t, err)
	must(t, tr.Sync())
	_, err = tr.Mkdir("d/e/g", 0o755)
	must(t, err)
	must(t, os.RemoveAll(tr.file("d/e")))
	must(t, tr.Sync())
	if len(tr.durable.changed) != 0 {
		t.Errorf("%v", tr.durable.changed)
	}
}

func TestOnlyASyncThatBeganAfterTheLastWriteSettlesAFile(t *testing.T) {
	tr := testTree(t)
	if !tr.durable.whole {
		t.Skip("no one call syncs all here")
	}
	settled := func(s *Staged) bool {
		at := s.unsynced.Load()
		return at == 0 || at <= tr.durable.done.Load()
	}
	s := staged(t, tr, "x")
	if settled(s) {
		t.Error("settled before any sync")
	}
	must(t, tr.Sync())
	if !settled(s) {
		t.Error("not settled by the sync after")
	}
	_, err := s.WriteAt([]byte("y"), 0)
	must(t, err)
	if settled(s) {
		t.Error("settled by a sync that came before")
	}
	must(t, s.settle())
	if s.unsynced.Load() != 0 {
		t.Error("not settled by its own sync")
	}
}

func TestFreeIsWhatTheFileSystemHas(t *testing.T) {
	tr := testTree(t)
	n, err := tr.Free()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("not known here")
	}
	if err != nil || n == 0 {
		t.Errorf("%d, %v", n, err)
	}
}
