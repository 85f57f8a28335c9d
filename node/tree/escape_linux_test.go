//go:build !portable

package tree

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kithmesh/kith/index/entry"
)

// canary is a directory that nothing may be read from or written to.
type canary struct {
	dir  string
	then map[string]string
	stat os.FileInfo
}

func newCanary(t *testing.T, dir string) *canary {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o755))
	for _, name := range []string{"x", "y", "sub/x", "sub/y"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("canary"), 0o644))
	}
	info, err := os.Stat(filepath.Join(dir, "x"))
	must(t, err)
	return &canary{dir, contents(t, dir), info}
}

func (c *canary) unharmed(t *testing.T) {
	t.Helper()
	if now := contents(t, c.dir); !maps.Equal(now, c.then) {
		t.Errorf("the canary holds %q", now)
	}
	info, err := os.Stat(filepath.Join(c.dir, "x"))
	if err != nil || info.Mode() != c.stat.Mode() || info.ModTime() != c.stat.ModTime() {
		t.Errorf("the canary's file is %v: %v", info, err)
	}
}

func TestALinkAtAnyPlaceOfAPathLeadsNowhere(t *testing.T) {
	for _, inside := range []bool{false, true} {
		tr := testTree(t)
		dir := filepath.Join(t.TempDir(), "canary")
		if inside {
			dir = tr.file("canary")
		}
		c := newCanary(t, dir)
		must(t, os.MkdirAll(tr.file("real"), 0o755))
		must(t, os.Symlink(dir, tr.file("l")))
		must(t, os.Symlink(dir, tr.file("real/l")))
		must(t, os.Symlink(filepath.Join(dir, "x"), tr.file("x")))
		for _, p := range []entry.Path{"l/x", "l/sub/x", "l/sub", "real/l/x", "real/l/sub/x", "x"} {
			everyOperation(tr, p, func(what string, err error) {
				if err == nil && p != "x" {
					t.Errorf("%s %q went through", what, p)
				}
			})
		}
		c.unharmed(t)
	}
}

// everyOperation tries all that can be done at p, with whatever expectation
// would let it happen, and undoes what it made.
func everyOperation(tr *Tree, p entry.Path, tried func(what string, err error)) {
	st, err := tr.Lstat(p)
	if err != nil {
		st = Stat{Kind: entry.Directory, Mode: 0o755}
	}
	tried("lstat", err)
	_, err = tr.List(p)
	tried("list", err)
	if f, err := tr.OpenFile(p); err == nil {
		_ = f.Close()
	} else {
		tried("open", err)
	}
	if _, err = tr.SetMeta(p, Meta{Mode: st.Mode, ModTime: 1}, st); err == nil {
		st, _ = tr.Lstat(p)
	}
	tried("set", err)
	s, err := stageFor(tr, "tree")
	if err != nil {
		tried("stage", nil)
		return
	}
	_, err = tr.Place(p, s, meta, nil)
	tried("place", err)
	if err != nil {
		_, err = tr.Place(p, s, meta, &st)
		tried("replace", err)
	}
	_ = s.Discard()
	if st, err = tr.Lstat(p); err == nil {
		_, err = tr.Move(p, p+"2", st, Meta{Mode: 0o755})
		tried("move", err)
		if st, err = tr.Lstat(p + "2"); err == nil {
			tried("remove", tr.Remove(p+"2", st))
		}
	}
	if st, err = tr.Mkdir(p, 0o755); err == nil {
		tried("rmdir", tr.Remove(p, st))
	} else {
		tried("mkdir", err)
	}
}

func TestARacingLinkLeadsNowhere(t *testing.T) {
	was := hasOpenat2
	defer func() { hasOpenat2 = was }()
	for _, has := range []bool{true, false} {
		hasOpenat2 = func() bool { return has }
		tr := testTree(t)
		c := newCanary(t, filepath.Join(t.TempDir(), "canary"))
		must(t, os.MkdirAll(tr.file("d/sub"), 0o755))
		must(t, os.Symlink(c.dir, tr.file("evil")))
		done := attack(tr.file("d"), tr.file("evil"))
		through, tries := 0, 0
		for i := range 400 {
			p := []entry.Path{"d/x", "d/sub/y", "d/sub"}[i%3]
			everyOperation(tr, p, func(_ string, err error) {
				tries++
				if err == nil {
					through++
				}
			})
			readNothing(t, tr)
		}
		swaps := done()
		t.Logf("openat2 %v: %d of %d operations succeeded, %d swaps", has, through, tries, swaps)
		if through == 0 || through == tries || swaps == 0 {
			t.Error("there was no race")
		}
		c.unharmed(t)
	}
}

func TestALinkThatAppearsBetweenTwoStepsLeadsNowhere(t *testing.T) {
	both(t, func(t *testing.T) {
		for _, point := range []string{"put", "exchange", "exchanged", "placed", "remove", "removed", "move", "moved", "set"} {
			tr := testTree(t)
			c := newCanary(t, filepath.Join(t.TempDir(), "canary"))
			must(t, os.Symlink(c.dir, tr.file("evil")))
			for i := range 4 {
				st := put(t, tr, "d/x", "old")
				interfere(tr, point, func() {
					must(t, unix.Renameat2(unix.AT_FDCWD, tr.file("d"), unix.AT_FDCWD, tr.file("evil"), unix.RENAME_EXCHANGE))
				})
				switch i {
				case 0:
					_, _ = tr.Place("d/x", staged(t, tr, "new"), meta, &st)
				case 1:
					_ = tr.Remove("d/x", st)
				case 2:
					_, _ = tr.Move("d/x", "y", st, meta)
				case 3:
					_, _ = tr.SetMeta("d/x", meta, st)
				}
				c.unharmed(t)
				tr.at = func(string) {}
				if info, err := os.Lstat(tr.file("d")); err == nil && !info.IsDir() {
					must(t, os.Remove(tr.file("d")))
					must(t, os.Rename(tr.file("evil"), tr.file("d")))
					must(t, os.Symlink(c.dir, tr.file("evil")))
				}
			}
		}
	})
}

// attack turns a directory into a link and back, as fast as it can, until
// done, which tells how often.
func attack(dir, link string) (done func() int) {
	var stop atomic.Bool
	swaps := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			_ = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			if n%2 == 1 { // a directory again, for long enough to be entered
				for range rand.IntN(4) {
					_, _ = os.Lstat(dir)
				}
			}
		}
		swaps <- n
	}()
	return func() int {
		stop.Store(true)
		return <-swaps
	}
}

// readNothing looks for what only the canary holds.
func readNothing(t *testing.T, tr *Tree) {
	t.Helper()
	if f, err := tr.OpenFile("d/x"); err == nil {
		b := make([]byte, 6)
		if _, _ = f.Read(b); string(b) == "canary" {
			t.Error("read the canary")
		}
		must(t, f.Close())
	}
	if children, err := tr.List("d"); err == nil {
		for _, child := range children {
			if child.Name == "y" {
				t.Error("listed the canary")
			}
		}
	}
}
