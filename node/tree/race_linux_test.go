//go:build !portable

package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
)

// A user who acts at the worst of moments: between two system calls of ours.
// Every content that the user has written and not replaced knowingly must be
// somewhere in the folder after, as a file.

// interfere runs act once, when the tree comes to point.
func interfere(tr *Tree, point string, act func()) {
	tr.at = func(at string) {
		if at == point {
			tr.at = func(string) {}
			act()
		}
	}
}

// overwrite replaces a file the way editors do.
func overwrite(t *testing.T, tr *Tree, content string) func() {
	return func() {
		must(t, os.WriteFile(tr.file("p.new"), []byte(content), 0o600))
		must(t, os.Rename(tr.file("p.new"), tr.file("p")))
	}
}

// rewrite writes into the file that is there.
func rewrite(t *testing.T, tr *Tree, content string) func() {
	return func() { must(t, os.WriteFile(tr.file("p"), []byte(content), 0o600)) }
}

func unlink(t *testing.T, tr *Tree) func() {
	return func() { must(t, os.Remove(tr.file("p"))) }
}

func relink(t *testing.T, tr *Tree, target string) func() {
	return func() {
		must(t, os.Remove(tr.file("p")))
		must(t, os.Symlink(target, tr.file("p")))
	}
}

func remake(t *testing.T, tr *Tree) func() {
	return func() {
		must(t, os.Remove(tr.file("p")))
		must(t, os.MkdirAll(tr.file("p/sub"), 0o755))
		must(t, os.WriteFile(tr.file("p/sub/f"), []byte("user"), 0o600))
	}
}

// both runs a test with and without renameat2's flags.
func both(t *testing.T, run func(t *testing.T)) {
	t.Run("exchange", run)
	t.Run("by hand", func(t *testing.T) {
		testNoRenameFlags = true
		defer func() { testNoRenameFlags = false }()
		run(t)
	})
}

func TestAWriteDuringAPlaceIsNeverLost(t *testing.T) {
	for name, c := range map[string]struct {
		point string
		act   func(*testing.T, *Tree) func()
		then  string // at point "exchange back" or "put back"
		acts  func(*testing.T, *Tree) func()
		left  []string // contents that must be somewhere
		at    string   // what must be at p, if not empty
		want  error    // nil: success
	}{
		"replaced before the exchange":  {point: "put", act: with(overwrite, "user"), left: []string{"user"}, at: "user", want: ErrChanged},
		"rewritten before the exchange": {point: "put", act: with(rewrite, "user"), left: []string{"user"}, at: "user", want: ErrChanged},
		"turned into a link before":     {point: "put", act: with(relink, "user"), left: []string{"-> user"}, at: "-> user", want: ErrChanged},
		"turned into a directory":       {point: "put", act: remake, left: []string{"user"}, want: ErrChanged},
		"removed before the exchange":   {point: "put", act: unlink, want: ErrChanged},
		"replaced after it was placed":  {point: "placed", act: with(overwrite, "user"), left: []string{"user"}, at: "user"},
		"rewritten after it was placed": {point: "placed", act: with(rewrite, "user"), left: []string{"user"}, at: "user"},
		"rewritten, and replaced again": {
			point: "put", act: with(rewrite, "one"), then: "exchange back", acts: with(overwrite, "two"),
			left: []string{"one", "two"}, want: ErrChanged,
		},
		"rewritten, and what was placed rewritten": {
			point: "put", act: with(rewrite, "one"), then: "exchange back", acts: with(rewrite, "two"),
			left: []string{"one", "two"}, want: ErrChanged,
		},
		"rewritten, and turned into a link": {
			point: "put", act: with(rewrite, "one"), then: "exchange back", acts: with(relink, "two"),
			left: []string{"one", "-> two"}, want: ErrChanged,
		},
		"rewritten, and turned into a directory": {
			point: "put", act: with(rewrite, "one"), then: "exchange back", acts: remake,
			left: []string{"one", "user"}, want: ErrChanged,
		},
		"rewritten, and removed": {
			point: "put", act: with(rewrite, "one"), then: "exchange back", acts: unlink,
			left: []string{"one"}, at: "one", want: ErrChanged,
		},
		"rewritten, and another made by hand": {
			point: "put", act: with(rewrite, "one"), then: "put back", acts: with(rewrite, "two"),
			left: []string{"one"}, want: ErrChanged,
		},
		"another made while it is aside": {
			point: "exchanged", act: with(rewrite, "two"), left: []string{"two"}, at: "two",
		},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T) {
				tr := testTree(t)
				old := put(t, tr, "p", "old")
				s := staged(t, tr, "new")
				var second func()
				if c.acts != nil {
					second = c.acts(t, tr)
				}
				first := c.act(t, tr)
				tr.at = func(at string) {
					switch {
					case at == c.point && first != nil:
						act := first
						first = nil
						act()
					case at == c.then && second != nil:
						act := second
						second = nil
						act()
					}
				}
				st, err := tr.Place("p", s, meta, &old)
				if second != nil { // by hand: there was nothing to exchange back
					c.left = c.left[:1]
				}
				everythingIsSomewhere(t, tr, c.left, err)
				if c.at != "" && contents(t, tr.path)["p"] != c.at {
					t.Errorf("at p: %q", contents(t, tr.path)["p"])
				}
				if testNoRenameFlags && c.point == "exchanged" {
					return // refused: another file came to the path
				}
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if err == nil && st.Same(stat(t, tr, "p")) {
					t.Error("the next scan would not see the user's change")
				}
			})
		})
	}
}

func with[T any](f func(*testing.T, *Tree, T) func(), arg T) func(*testing.T, *Tree) func() {
	return func(t *testing.T, tr *Tree) func() { return f(t, tr, arg) }
}

// everythingIsSomewhere looks for contents in the whole folder, and for the
// path that a KeptError names.
func everythingIsSomewhere(t *testing.T, tr *Tree, want []string, err error) {
	t.Helper()
	var all []string
	for _, c := range contents(t, tr.path) {
		all = append(all, c)
	}
	for _, w := range want {
		if !slices.Contains(all, w) {
			t.Errorf("lost %q; there is %q; error %v", w, all, err)
		}
	}
	var kept *KeptError
	if errors.As(err, &kept) {
		if _, err := os.Lstat(tr.file(kept.Kept)); err != nil || kept.Kept == "" {
			t.Errorf("kept as %q: %v", kept.Kept, err)
		}
		if !errors.Is(err, ErrKept) || !errors.Is(err, ErrChanged) {
			t.Errorf("not the error it should be: %v", err)
		}
	}
}

func TestAWriteDuringARemovalIsNeverLost(t *testing.T) {
	for name, c := range map[string]struct {
		act, acts func(*testing.T, *Tree) func()
		left      []string
		want      error
	}{
		"replaced":                   {act: with(overwrite, "user"), left: []string{"user"}, want: ErrChanged},
		"rewritten":                  {act: with(rewrite, "user"), left: []string{"user"}, want: ErrChanged},
		"a link now":                 {act: with(relink, "user"), left: []string{"-> user"}, want: ErrChanged},
		"a directory now":            {act: remake, left: []string{"user"}, want: ErrChanged},
		"gone":                       {act: unlink, want: ErrChanged},
		"replaced, and made again":   {act: with(overwrite, "one"), acts: with(rewrite, "two"), left: []string{"one", "two"}, want: ErrKept},
		"a directory and made again": {act: remake, acts: with(rewrite, "two"), left: []string{"user", "two"}, want: ErrKept},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T) {
				tr := testTree(t)
				old := put(t, tr, "p", "old")
				first := c.act(t, tr)
				tr.at = func(at string) {
					switch {
					case at == "remove":
						first()
					case at == "put back" && c.acts != nil:
						c.acts(t, tr)()
					}
				}
				err := tr.Remove("p", old)
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				everythingIsSomewhere(t, tr, c.left, err)
			})
		})
	}
}

func TestAFileMadeWhileItsDirectoryIsRemovedStays(t *testing.T) {
	tr := testTree(t)
	st, err := tr.Mkdir("d", 0o755)
	must(t, err)
	interfere(tr, "remove", func() { must(t, os.WriteFile(tr.file("d/x"), []byte("user"), 0o600)) })
	if err := tr.Remove("d", st); !errors.Is(err, ErrNotEmpty) {
		t.Error(err)
	}
	everythingIsSomewhere(t, tr, []string{"user"}, nil)

	interfere(tr, "remove", func() { must(t, os.Rename(tr.file("d"), tr.file("e"))); put(t, tr, "d", "file") })
	if err := tr.Remove("d", st); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	everythingIsSomewhere(t, tr, []string{"user", "file"}, nil)
}

func TestAFileMadeInADirectoryThatIsReplacedStays(t *testing.T) {
	both(t, func(t *testing.T) {
		for _, point := range []string{"put", "exchanged"} {
			tr := testTree(t)
			st, err := tr.Mkdir("p", 0o755)
			must(t, err)
			in, err := tr.root.descend("p") // as a process that has its working directory there
			must(t, err)
			interfere(tr, point, func() {
				f, err := in.open("x", os.O_WRONLY|os.O_CREATE, 0o600)
				must(t, err)
				_, err = f.WriteString("user")
				must(t, errors.Join(err, f.Close()))
			})
			_, err = tr.Place("p", staged(t, tr, "new"), meta, &st)
			if !errors.Is(err, ErrNotEmpty) {
				t.Errorf("%s: %v", point, err)
			}
			everythingIsSomewhere(t, tr, []string{"user"}, nil)
			in.close()
		}
	})
}

func TestAMoveOfSomethingElseIsUndone(t *testing.T) {
	both(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			act, acts func(*testing.T, *Tree) func()
			left      []string
			want      error
		}{
			"replaced":                 {act: with(overwrite, "user"), left: []string{"user"}, want: ErrChanged},
			"a directory now":          {act: remake, left: []string{"user"}, want: ErrChanged},
			"gone":                     {act: unlink, want: ErrChanged},
			"replaced, and made again": {act: with(overwrite, "one"), acts: with(rewrite, "two"), left: []string{"one", "two"}, want: ErrKept},
		} {
			tr := testTree(t)
			old := put(t, tr, "p", "old")
			tr.at = func(at string) {
				switch {
				case at == "move":
					c.act(t, tr)()
				case at == "move back" && c.acts != nil:
					c.acts(t, tr)()
				}
			}
			_, err := tr.Move("p", "to", old, meta)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
			everythingIsSomewhere(t, tr, c.left, err)
			if _, err := os.Lstat(tr.file("to")); c.acts == nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: still there", name)
			}
		}
	})
}

func TestABusyFileIsLeftAlone(t *testing.T) {
	tr := testTree(t)
	old := put(t, tr, "p", "old")
	if f, err := tr.OpenFile("p"); err == nil {
		if _, err := f.Busy(); errors.Is(err, ErrCannotTell) {
			t.Skip("no leases here")
		}
		must(t, f.Close())
	}
	w, err := os.OpenFile(tr.file("p"), os.O_RDWR, 0)
	must(t, err)
	isBusy := func() bool {
		f, err := tr.OpenFile("p")
		must(t, err)
		defer func() { must(t, f.Close()) }()
		is, err := f.Busy()
		must(t, err)
		return is
	}
	if !isBusy() {
		t.Error("not busy while it is open for writing")
	}
	s := staged(t, tr, "new")
	_, placed := tr.Place("p", s, meta, &old)
	_, set := tr.SetMeta("p", meta, old)
	for _, err := range []error{placed, set, tr.Remove("p", old)} {
		if !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
	}
	must(t, w.Close())
	if isBusy() {
		t.Error("busy after it was closed")
	}
	if !stat(t, tr, "p").sameMoved(old) {
		t.Error("changed while it was busy")
	}
	_, err = tr.Place("p", s, meta, &old)
	must(t, err)
}

func TestAWriteWhileMetadataIsSetIsNoticedWithoutLeases(t *testing.T) {
	testNoLeases = true
	defer func() { testNoLeases = false }()
	for content, keepTime := range map[string]bool{"longer than before": false, "new": true} {
		tr := testTree(t)
		put(t, tr, "p", "old")
		must(t, os.Chtimes(tr.file("p"), time.Unix(9, 9), time.Unix(9, 9)))
		old := stat(t, tr, "p")
		m := meta
		if keepTime { // then a write of equal length shows by its time
			m.ModTime = old.ModTime
		}
		interfere(tr, "set", rewrite(t, tr, content))
		if _, err := tr.SetMeta("p", m, old); !errors.Is(err, ErrChanged) {
			t.Errorf("%q: got %v", content, err)
		}
		f, err := tr.OpenFile("p")
		must(t, err)
		if is, err := f.Busy(); is || !errors.Is(err, ErrCannotTell) {
			t.Errorf("%v, %v", is, err)
		}
		must(t, f.Close())
	}
}

func TestAFileThatIsOpenedForWritingDuringTheExchangeGoesBack(t *testing.T) {
	both(t, func(t *testing.T) {
		for _, remove := range []bool{false, true} {
			tr := testTree(t)
			old := put(t, tr, "p", "old")
			var w *os.File
			opens := func(at string) {
				if (at == "put" || at == "remove") && w == nil {
					var err error
					w, err = os.OpenFile(tr.file("p"), os.O_RDWR, 0)
					must(t, err)
				}
			}
			tr.at = opens
			var err error
			if remove {
				err = tr.Remove("p", old)
			} else {
				_, err = tr.Place("p", staged(t, tr, "new"), meta, &old)
			}
			if !errors.Is(err, ErrBusy) {
				t.Errorf("got %v", err)
			}
			_, err = w.WriteString("late words")
			must(t, errors.Join(err, w.Close()))
			if content(t, tr, "p") != "late words" {
				t.Errorf("there is %q", content(t, tr, "p"))
			}
		}
	})
}

func TestWhatCannotGoAnywhereComesBackWhenTheFolderIsOpenedAgain(t *testing.T) {
	both(t, func(t *testing.T) {
		tr := testTree(t)
		must(t, os.Mkdir(tr.file("d"), 0o755))
		old := put(t, tr, "d/p", "old")
		tr.at = func(at string) {
			switch at {
			case "remove":
				must(t, os.WriteFile(tr.file("d/p"), []byte("user"), 0o600))
			case "removed": // the directory goes, too
				must(t, os.RemoveAll(tr.file("d")))
			}
		}
		err := tr.Remove("d/p", old)
		var kept *KeptError
		if !errors.As(err, &kept) || kept.Kept != "" {
			t.Fatal(err)
		}
		tr.at = func(string) {}
		reopen(t, tr)
		if len(tr.Recovered()) != 1 || content(t, tr, tr.Recovered()[0]) != "user" || !strings.HasPrefix(string(tr.Recovered()[0]), "p (kept ") {
			t.Errorf("%q", tr.Recovered())
		}
	})
}

// reopen closes a tree and opens it anew in the same variable.
func reopen(t *testing.T, tr *Tree) {
	t.Helper()
	must(t, tr.Close())
	again, err := Open(tr.path, testID)
	must(t, err)
	tr.root, tr.lock, tr.self, tr.own, tr.recovered = again.root, again.lock, again.self, again.own, again.recovered
}

func TestOnlyOneTreeOfAFolderIsOpen(t *testing.T) {
	tr := testTree(t)
	if _, err := Open(tr.path, testID); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	reopen(t, tr)
}

func TestAsideNamesAreReadAsTheyWereWritten(t *testing.T) {
	for _, base := range append([]string{"-", "a-b-c"}, oddNames...) {
		a := asideName{
			staged: 1<<64 - 1, tag: fresh(), base: clip(base, maxAsideBase),
			want: Stat{Kind: entry.File, Mode: 0o777, Size: 1<<63 - 1, ModTime: -1, Disk: entry.Disk{Inode: 1<<64 - 1}},
		}
		name := tempPrefix + a.String()
		if got, ok := parseAside(strings.TrimPrefix(name, tempPrefix)); !ok || got != a || len(name) > entry.MaxName {
			t.Errorf("%q: %+v, %d bytes", base, got, len(name))
		}
	}
}

func FuzzAside(f *testing.F) {
	f.Add(asideName{staged: 5, tag: "abc", base: "x.txt", want: Stat{Kind: entry.File, Size: 7}}.String())
	f.Add("1-2-3-4-5-6-7-8")
	f.Add("-------")
	f.Fuzz(func(t *testing.T, name string) {
		a, ok := parseAside(name)
		if !ok {
			return
		}
		a.base = clip(a.base, maxAsideBase)
		if again, ok := parseAside(a.String()); !ok || again != a {
			t.Fatalf("%+v, then %+v", a, again)
		}
	})
}

func TestSpecialFilesAreNeverOpenedOrDisplaced(t *testing.T) {
	tr := testTree(t)
	must(t, mkfifo(tr.file("fifo")))
	st := stat(t, tr, "fifo")
	if st.Kind != 0 {
		t.Errorf("%+v", st)
	}
	if _, err := tr.OpenFile("fifo"); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
	for p, want := range map[entry.Path]error{"fifo": ErrNotRegular, ".": ErrNotRegular} {
		dir, name := tr.path, string(p)
		if p == "." {
			dir = filepath.Dir(tr.path)
			name = filepath.Base(tr.path)
		}
		d, err := openTop(dir)
		must(t, err)
		if _, err := openRegular(d, name); !errors.Is(err, want) {
			t.Errorf("%q: %v", p, err)
		}
		d.close()
	}
	if _, err := tr.Place("fifo", staged(t, tr, "x"), meta, &st); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	if err := tr.Remove("fifo", st); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	old := put(t, tr, "p", "old")
	interfere(tr, "put", func() {
		must(t, os.Remove(tr.file("p")))
		must(t, mkfifo(tr.file("p")))
	})
	if _, err := tr.Place("p", staged(t, tr, "x"), meta, &old); !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
	if st := stat(t, tr, "p"); st.Kind != 0 {
		t.Errorf("the fifo did not go back: %+v", st)
	}
}

func TestAStagedFileWithASecondNameIsNotWrittenTo(t *testing.T) {
	tr := testTree(t)
	s, err := tr.Stage("a")
	must(t, err)
	_, err = s.WriteAt([]byte("placed"), 0)
	must(t, errors.Join(err, s.Close()))
	must(t, os.Link(tr.file(".kith/tmp/a"), tr.file("p"))) // a crash between link and unlink
	s, err = tr.Stage("a")
	must(t, err)
	_, err = s.WriteAt([]byte("other"), 0)
	must(t, errors.Join(err, s.Discard()))
	if content(t, tr, "p") != "placed" {
		t.Errorf("%q", content(t, tr, "p"))
	}
}

func TestPathsAreWalkedAlikeWithoutOpenat2(t *testing.T) {
	was := hasOpenat2
	defer func() { hasOpenat2 = was }()
	for _, has := range []bool{true, false} {
		hasOpenat2 = func() bool { return has }
		for _, test := range []struct {
			name string
			run  func(*testing.T)
		}{
			{"leads nowhere", TestPathsThatLeadNowhereDoNotExist},
			{"refuses", TestPlaceRefusesAPathThatIsTakenOrHasNoParent},
			{"odd names", TestOddNamesSurviveAsBytes},
			{"moves", TestMoveCarriesFilesAndWholeDirectories},
		} {
			t.Run(fmt.Sprintf("openat2 %v, %s", has, test.name), test.run)
		}
	}
}

func mkfifo(path string) error { return unix.Mkfifo(path, 0o600) }
