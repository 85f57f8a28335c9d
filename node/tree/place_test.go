package tree

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func TestPlacePutsANewFileWithItsMetadata(t *testing.T) {
	tr := testTree(t)
	_, err := tr.Mkdir("d", 0o755)
	must(t, err)
	st, err := tr.Place("d/f", staged(t, tr, "hello"), meta, nil)
	must(t, err)
	if st.Mode != meta.Mode || st.ModTime != meta.ModTime || st.Size != 5 || !st.Same(stat(t, tr, "d/f")) {
		t.Errorf("%+v", st)
	}
	if content(t, tr, "d/f") != "hello" {
		t.Error("wrong content")
	}
	must(t, tr.Sync())
}

func TestPlaceReplacesWhatIsExpectedAndNothingElse(t *testing.T) {
	link := func(target string) func(*testing.T, *Tree, *Staged) *Staged {
		return func(t *testing.T, tr *Tree, _ *Staged) *Staged {
			s, err := tr.StageSymlink(fresh(), target)
			must(t, err)
			return s
		}
	}
	for name, c := range map[string]struct {
		before func(t *testing.T, tr *Tree)                    // makes "p"
		after  func(t *testing.T, tr *Tree)                    // changes it, after it was looked at
		stage  func(t *testing.T, tr *Tree, s *Staged) *Staged // nil: a file "new"
		want   error
		left   string // at p
	}{
		"a file":             {before: file("old"), left: "new"},
		"a file by a link":   {before: file("old"), stage: link("there"), left: "-> there"},
		"a link by a file":   {before: symlink("old"), left: "new"},
		"a link by a link":   {before: symlink("old"), stage: link("there"), left: "-> there"},
		"an empty directory": {before: directory, left: "new"},
		"a full directory": {
			before: func(t *testing.T, tr *Tree) { put(t, tr, "p/x", "in it") },
			want:   ErrNotEmpty,
		},
		"a file that changed": {before: file("old"), after: file("edited"), want: ErrChanged, left: "edited"},
		"a file rewritten with equal size and times": {
			before: file("old"),
			after: func(t *testing.T, tr *Tree) {
				info, err := os.Stat(tr.file("p"))
				must(t, err)
				must(t, os.Remove(tr.file("p")))
				put(t, tr, "other", "?") // takes the inode, if it is given again
				file("OLD")(t, tr)
				must(t, os.Chtimes(tr.file("p"), info.ModTime(), info.ModTime()))
			},
			want: ErrChanged, left: "OLD",
		},
		"a file with another mode": {
			before: file("old"),
			after:  func(t *testing.T, tr *Tree) { must(t, os.Chmod(tr.file("p"), 0o600)) },
			want:   ErrChanged, left: "old",
		},
		"a file that became a link":      {before: file("old"), after: symlink("x"), want: ErrChanged, left: "-> x"},
		"a file that became a directory": {before: file("old"), after: directory, want: ErrChanged},
		"a file that is gone": {
			before: file("old"),
			after:  func(t *testing.T, tr *Tree) { must(t, os.Remove(tr.file("p"))) },
			want:   ErrChanged,
		},
		"a link that changed": {before: symlink("old"), after: symlink("x"), want: ErrChanged, left: "-> x"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := testTree(t)
			c.before(t, tr)
			expect := stat(t, tr, "p")
			if strings.Contains(name, "equal size and times") && expect.Disk.Inode == 0 {
				t.Skip("no inodes here")
			}
			if c.after != nil {
				c.after(t, tr)
			}
			s := staged(t, tr, "new")
			if c.stage != nil {
				s = c.stage(t, tr, s)
			}
			st, err := tr.Place("p", s, meta, &expect)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if got := contents(t, tr.path)["p"]; got != c.left {
				t.Errorf("left with %q", got)
			}
			if err == nil && !st.Same(stat(t, tr, "p")) {
				t.Errorf("returned %+v, there is %+v", st, stat(t, tr, "p"))
			}
		})
	}
}

func file(content string) func(*testing.T, *Tree) {
	return func(t *testing.T, tr *Tree) {
		_ = os.Remove(tr.file("p"))
		put(t, tr, "p", content)
	}
}

func symlink(target string) func(*testing.T, *Tree) {
	return func(t *testing.T, tr *Tree) {
		_ = os.Remove(tr.file("p"))
		must(t, os.Symlink(target, tr.file("p")))
	}
}

func directory(t *testing.T, tr *Tree) {
	_ = os.Remove(tr.file("p"))
	must(t, os.Mkdir(tr.file("p"), 0o755))
}

func TestPlaceRefusesAPathThatIsTakenOrHasNoParent(t *testing.T) {
	tr := testTree(t)
	put(t, tr, "file", "x")
	put(t, tr, "dir/x", "x")
	must(t, os.Symlink("dir", tr.file("link")))
	must(t, os.Symlink("nowhere", tr.file("dangling")))
	s := staged(t, tr, "new")
	for p, want := range map[entry.Path]error{
		"file": ErrExists, "dir": ErrExists, "link": ErrExists, "dangling": ErrExists,
		"none/x": fs.ErrNotExist, "file/x": ErrNotDirectory, "link/y": ErrThroughLink,
	} {
		if _, err := tr.Place(p, s, meta, nil); !errors.Is(err, want) {
			t.Errorf("place %q: %v", p, err)
		}
		if _, err := tr.Mkdir(p, 0o755); !errors.Is(err, want) {
			t.Errorf("mkdir %q: %v", p, err)
		}
		put(t, tr, "from", "x")
		if _, err := tr.Move("from", p, stat(t, tr, "from"), meta); !errors.Is(err, want) {
			t.Errorf("move to %q: %v", p, err)
		}
		if content(t, tr, "from") != "x" {
			t.Error("moved all the same")
		}
	}
	_, err := tr.Place("new", s, meta, nil) // after all these refusals
	must(t, err)
}

func TestAPlacedFileIsGoneFromWhereItWasStaged(t *testing.T) {
	tr := testTree(t)
	s := staged(t, tr, "x")
	_, err := tr.Place("f", s, meta, nil)
	must(t, err)
	must(t, s.Close())
	must(t, s.Discard())
	if content(t, tr, "f") != "x" {
		t.Error("discarded after it was placed")
	}
	if _, err := tr.Place("g", s, meta, nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("placed twice: %v", err)
	}
	if _, err := s.WriteAt([]byte("y"), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("written after it was placed: %v", err)
	}
}

func TestAStagedFileCanBeResumed(t *testing.T) {
	tr := testTree(t)
	s, err := tr.Stage("abc123")
	must(t, err)
	_, err = s.WriteAt([]byte("hello, world"), 0)
	must(t, err)
	s.StartWriteback(0, 5)
	must(t, s.Close())
	must(t, s.Close())

	s, err = tr.Stage("abc123")
	must(t, err)
	must(t, s.Truncate(5))
	must(t, s.Sync())
	b := make([]byte, 5)
	_, err = s.ReadAt(b, 0)
	must(t, err)
	if n, err := s.Size(); string(b) != "hello" || n != 5 || err != nil {
		t.Errorf("%q, %d bytes, %v", b, n, err)
	}
	must(t, s.Close())
	st, err := tr.Place("f", s, meta, nil) // closed is as good
	must(t, err)
	if !st.Same(stat(t, tr, "f")) || content(t, tr, "f") != "hello" {
		t.Error("not what was staged")
	}
}

func TestAStagedFileThatWasMadeReadOnlyCanBeResumed(t *testing.T) {
	tr := testTree(t)
	put(t, tr, "f", "x")
	s := staged(t, tr, "y")
	if _, err := tr.Place("f", s, Meta{Mode: 0o400}, nil); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	must(t, s.Close())
	again, err := tr.Stage(s.name)
	must(t, err)
	st, _, err := statFile(again.file)
	must(t, err)
	if st.Mode != 0o600 || st.Size != 1 {
		t.Errorf("%+v", st)
	}
	must(t, again.Close())
}

func TestStagingTakesNoOtherNames(t *testing.T) {
	tr := testTree(t)
	for _, name := range []string{"", "A", "a.b", "../x", "a/b", "a-b", strings.Repeat("a", 256), "\x00"} {
		if _, err := tr.Stage(name); !errors.Is(err, ErrName) {
			t.Errorf("stage %q: %v", name, err)
		}
		if _, err := tr.StageSymlink(name, "x"); !errors.Is(err, ErrName) {
			t.Errorf("stage symlink %q: %v", name, err)
		}
	}
}

func TestStagingReplacesWhatIsNoFile(t *testing.T) {
	tr := testTree(t)
	canary := put(t, tr, "canary", "unharmed")
	_, err := tr.StageSymlink("a", tr.file("canary"))
	must(t, err)
	s, err := tr.Stage("a")
	must(t, err)
	_, err = s.WriteAt([]byte("x"), 0)
	must(t, err)
	must(t, s.Close())
	l, err := tr.StageSymlink("a", "there")
	must(t, err)
	_, err = tr.Place("l", l, meta, nil)
	must(t, err)
	if !stat(t, tr, "canary").Same(canary) {
		t.Error("written through a link")
	}
}

func TestCleanTemporariesKeepsWhatItIsTold(t *testing.T) {
	tr := testTree(t)
	for _, name := range []string{"a", "b", "c"} {
		s, err := tr.Stage(name)
		must(t, err)
		must(t, s.Close())
	}
	must(t, os.WriteFile(tr.file(".kith/tmp/Not Ours"), nil, 0o600))
	must(t, tr.CleanTemporaries(func(name string) bool { return name != "a" }))
	left, err := os.ReadDir(tr.file(tmpDir))
	must(t, err)
	if len(left) != 2 || left[0].Name() != "b" || left[1].Name() != "c" {
		t.Errorf("%v", left)
	}
}

func TestCopyFromTakesARangeAndTellsOfAShortFile(t *testing.T) {
	tr := testTree(t)
	big := strings.Repeat("0123456789abcdef", 20_000)
	put(t, tr, "src", big)
	f, err := tr.OpenFile("src")
	must(t, err)
	defer func() { must(t, f.Close()) }()
	s := staged(t, tr, "")
	must(t, s.CopyFrom(f, 10, 100_000, 200_000))
	b := make([]byte, 200_000)
	_, err = s.ReadAt(b, 100_000)
	must(t, err)
	if string(b) != big[10:200_010] {
		t.Error("wrong bytes")
	}
	if err := s.CopyFrom(f, int64(len(big))-5, 0, 6); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short: %v", err)
	}
	if s.CloneFrom(f) {
		got := make([]byte, len(big))
		_, err = s.ReadAt(got, 0)
		must(t, err)
		if string(got) != big {
			t.Error("wrong clone")
		}
	}
}

func TestBesideFitsIntoANameAndKeepsTheExtension(t *testing.T) {
	for _, base := range []string{"a.txt", "a", ".x", strings.Repeat("é", 127) + ".", strings.Repeat("a", 251) + ".jpg", "a." + strings.Repeat("b", 253)} {
		name := beside(base)
		if len(name) > entry.MaxName || name == base || strings.ToValidUTF8(name, "") != name {
			t.Errorf("%q: %q", base, name)
		}
		if strings.HasSuffix(base, ".jpg") && !strings.HasSuffix(name, ".jpg") {
			t.Errorf("%q: %q", base, name)
		}
	}
}

func TestKithsOwnDirectoriesAreMadeAnewIfSomeoneTidiesUp(t *testing.T) {
	tr := testTree(t)
	old := put(t, tr, "p", "old")
	for _, dir := range []entry.Path{tmpDir, asideDir, notesDir} {
		must(t, os.RemoveAll(tr.file(dir)))
	}
	_, err := tr.Place("p", staged(t, tr, "new"), meta, &old)
	must(t, err)
	s := staged(t, tr, "x")
	must(t, os.RemoveAll(tr.file(tmpDir)))
	for range 2 {
		if _, err := tr.Place("q", s, meta, nil); !errors.Is(err, fs.ErrClosed) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a staged file that is gone: %v", err)
		}
	}
	must(t, os.RemoveAll(tr.file(ownDir)))
	if _, err := tr.Stage("x"); !errors.Is(err, ErrMarkerMissing) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("all is gone: %v", err)
	}
}
