package folder_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/merge"
)

// conflict has two devices write one path apart; anna is the later, and wins.
func conflict(t *testing.T, path string, write func(h *hand, what string)) (w *world, a, b *hand) {
	t.Helper()
	w, all := hands(t, "anna", "ben")
	a, b = all[0], all[1]
	w.cut(a.device, b.device)
	write(b, "by ben")
	b.quiet()
	write(a, "by anna")
	a.quiet()
	w.link(a.device, b.device)
	w.settle()
	if c := a.conflicts(""); len(c) != 1 || string(c[0].Path) != path || len(c[0].Copies) != 1 {
		t.Fatalf("conflicts: %+v:%v", c, a.files())
	}
	return w, a, b
}

func (h *hand) conflicts(p entry.Path) (out []folder.Conflict) {
	h.w.t.Helper()
	h.does("conflicts", func(ctx context.Context) (err error) { out, err = h.folder.Conflicts(ctx, p); return err })
	return out
}

func (h *hand) resolve(p entry.Path, keep folder.Keep) (out []folder.Resolution) {
	h.w.t.Helper()
	h.does("resolve", func(ctx context.Context) (err error) { out, err = h.folder.Resolve(ctx, p, keep); return err })
	return out
}

// written makes a file, later in each call, so that the newest is known.
func written(path string) func(h *hand, what string) {
	return func(h *hand, what string) {
		h.write(path, what)
		if what == "by ben" {
			h.w.must(os.Chtimes(h.path(path), time.Time{}, time.Unix(1e9, 0)))
		}
	}
}

func TestAConflictEndsAsItsPersonChooses(t *testing.T) {
	long := strings.Repeat("long name ", 25) + ".txt"
	for _, path := range []string{"report.odt", "d/e/no extension", long, "d/ (brackets) [x]*?.a b", "Grüße ☺.txt"} {
		for _, c := range []struct {
			name string
			keep folder.Keep
			on   int // who resolves: anna made what lies at the path, ben the copy
			want string
		}{
			{"main", folder.KeepMain, 0, "by anna"},
			{"mine", folder.KeepMine, 0, "by anna"},
			{"mine of the other", folder.KeepMine, 1, "by ben"},
			{"theirs", folder.KeepTheirs, 0, "by ben"},
			{"theirs of the other", folder.KeepTheirs, 1, "by anna"},
			{"newest", folder.KeepNewest, 1, "by anna"},
			{"both", folder.KeepBoth, 0, "by anna"},
		} {
			t.Run(c.name+" "+path[:min(len(path), 20)], func(t *testing.T) {
				t.Parallel()
				w, a, b := conflict(t, mainOf(path), written(path))
				h := []*hand{a, b}[c.on]
				out := h.resolve("", c.keep)
				if len(out) != 1 || out[0].Err != nil {
					t.Fatalf("%+v", out)
				}
				w.settle()
				f := w.agree()
				if !strings.HasSuffix(f[path], c.want) {
					t.Errorf("%q holds %q:%v", path, f[path], f)
				}
				both := holds(f, "by anna") && holds(f, "by ben")
				if both != (c.keep == folder.KeepBoth) {
					t.Errorf("left:%v", f)
				}
				for _, d := range []*hand{a, b} {
					if left := d.conflicts(""); len(left) != 0 || d.folder.Status().Conflicts != 0 {
						t.Errorf("%s: %+v", d.name, left)
					}
				}
			})
		}
	}
}

// mainOf is the path that a copy of it is told to be of: a long name is
// shortened to make room.
func mainOf(path string) string { return path }

func TestSymlinksInConflictAreResolvedToo(t *testing.T) {
	for name, c := range map[string]struct {
		write func(h *hand, what string)
		want  string
	}{
		"two symlinks": {func(h *hand, what string) { h.symlink("f", what) }, "-> by ben"},
		"a file and a symlink": {func(h *hand, what string) {
			if what == "by ben" {
				h.symlink("f", what)
			} else {
				h.write("f", what)
			}
		}, "-> by ben"},
		"a symlink and a file": {func(h *hand, what string) {
			if what == "by ben" {
				h.write("f", what)
			} else {
				h.symlink("f", what)
			}
		}, text("by ben")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a, _ := conflict(t, "f", c.write)
			if out := a.resolve("f", folder.KeepTheirs); len(out) != 1 || out[0].Err != nil {
				t.Fatalf("%+v", out)
			}
			w.settle()
			if f := w.agree(); len(f) != 1 || f["f"] != c.want {
				t.Error(f)
			}
		})
	}
}

// crowd writes one path on many devices apart.
func crowd(t *testing.T, n int) (*world, []*hand) {
	t.Helper()
	w := newWorld(t)
	var all []*hand
	for i := range n {
		h := handOf(w.add(fmt.Sprintf("dev%02d", i)))
		h.up()
		h.write("f", fmt.Sprint("version ", i))
		w.must(os.Chtimes(h.path("f"), time.Time{}, time.Unix(int64(1e9+i), 0)))
		h.quiet()
		all = append(all, h)
	}
	for _, h := range all[1:] {
		w.link(all[0].device, h.device)
	}
	w.settle()
	return w, all
}

func TestOfSeveralCopiesOneStays(t *testing.T) {
	t.Parallel()
	w, all := crowd(t, 5)
	c := all[0].conflicts("f") // of a version that was joined before it lost there is another copy
	if len(c) != 1 || len(c[0].Copies) < 4 {
		t.Fatalf("%+v", c)
	}
	if out := all[2].resolve("f", folder.KeepNewest); len(out) != 1 || out[0].Err != nil || len(out[0].Removed) != len(c[0].Copies) {
		t.Fatalf("%+v", out)
	}
	w.settle()
	if f := w.agree(); len(f) != 1 || f["f"] != text("version 4") {
		t.Error(f)
	}
}

func TestOfSeveralCopiesAllStayUnderNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	w, all := crowd(t, 4)
	copies := all[0].conflicts("f")[0].Copies
	taken := string(merge.PlainCopyName(copies[0].Path, 0))
	all[0].write(taken, "has that name already")
	w.settle()
	if out := all[0].resolve("f", folder.KeepBoth); len(out) != 1 || out[0].Err != nil || len(out[0].Renamed) != len(copies) {
		t.Fatalf("%+v", out)
	}
	w.settle()
	f := w.agree()
	w.holds("version 0", "version 1", "version 2", "version 3", "has that name already")
	if len(f) != 2+len(copies) || f[taken] != text("has that name already") || len(all[1].conflicts("")) != 0 {
		t.Error(f)
	}
}

func TestAResolveTouchesNothingThatHasChangedMeanwhile(t *testing.T) {
	for name, path := range map[string]func(c folder.Conflict) entry.Path{
		"the copy": func(c folder.Conflict) entry.Path { return c.Copies[0].Path },
		"the main": func(c folder.Conflict) entry.Path { return c.Path },
	} {
		for keep, k := range map[string]folder.Keep{"main": folder.KeepMain, "newest": folder.KeepNewest, "theirs": folder.KeepTheirs, "both": folder.KeepBoth} {
			t.Run(name+" "+keep, func(t *testing.T) {
				t.Parallel()
				w, a, _ := conflict(t, "f", written("f"))
				p := string(path(a.conflicts("")[0]))
				w.must(os.WriteFile(a.path(p), []byte("edited just now"), 0o644))
				a.resolve("", k)
				w.settle()
				w.agree()
				w.holds("edited just now")
			})
		}
	}
}

func TestAResolveOfWhatIsNotHereTouchesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		path  func(c folder.Conflict) entry.Path
		keeps []folder.Keep
	}{
		"the copy": {func(c folder.Conflict) entry.Path { return c.Copies[0].Path }, []folder.Keep{folder.KeepTheirs, folder.KeepNewest, folder.KeepMine, folder.KeepBoth}},
		"the main": {func(c folder.Conflict) entry.Path { return c.Path }, []folder.Keep{folder.KeepTheirs}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a, b := conflict(t, "f", written("f"))
			a.frees(c.path(a.conflicts("")[0]), b.device)
			w.settle()
			for _, keep := range c.keeps {
				out := a.resolve("", keep)
				if len(out) == 1 && out[0].Err == nil {
					t.Errorf("keep %d: %+v", keep, out)
				}
				w.atRest()
				w.somewhere("by anna", "by ben")
			}
		})
	}
}

func TestNoVersionIsByWhomTheChoiceAsksFor(t *testing.T) {
	t.Parallel()
	w, all := crowd(t, 3)
	d := handOf(w.add("other"))
	d.up()
	w.link(all[0].device, d.device)
	w.settle()
	out := d.resolve("f", folder.KeepMine)
	if len(out) != 1 || !errors.Is(out[0].Err, folder.ErrNoVersion) || len(out[0].Removed) != 0 {
		t.Fatalf("%+v", out)
	}
	w.settle()
	w.holds("version 0", "version 1", "version 2")
}

// Beyond fifty copies, versions wait where they are.
func TestTooManyConflictsWaitAndNoneIsLost(t *testing.T) {
	t.Parallel()
	w, all := hands(t, "anna", "ben")
	a, b := all[0], all[1]
	var kept []string
	for i := range 48 {
		kept = append(kept, fmt.Sprint("of before ", i, "."))
		a.write(fmt.Sprintf("f (conflict, carla, 2026-11-22 14.00.%02d abcd)", i), kept[i])
	}
	for i := range 5 {
		w.cut(a.device, b.device)
		a.write("f", fmt.Sprint("of anna ", i, "."))
		a.quietly()
		b.write("f", fmt.Sprint("of ben ", i, "."))
		b.quietly()
		w.link(a.device, b.device)
		w.heard(a.device, b.device)
		w.heard(b.device, a.device)
		a.calm()
		b.calm()
	}
	if c := b.conflicts(""); len(c) != 1 || len(c[0].Copies) != 50 {
		t.Fatalf("%d copies", len(c[0].Copies))
	}
	codes := func() bool {
		for _, h := range all {
			if c, _ := h.why("f"); slices.Contains(c, "too_many_conflicts") {
				return true
			}
		}
		return false
	}
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for said := false; !said; {
		ofAnna, ofBen := a.folder.Watch(), b.folder.Watch()
		if said = codes(); said {
			break
		}
		select {
		case <-ofAnna:
		case <-ofBen:
		case <-late.C:
			t.Fatal("nobody says that there are too many")
		}
	}
	// Each has replaced what lay at the path but for the last; two of anna's had
	// lost it by then.
	kept = append(kept, "of anna 0.", "of anna 1.", "of anna 4.", "of ben 4.")
	w.somewhere(kept...)
	if out := a.resolve("f", folder.KeepBoth); len(out) != 1 || out[0].Err != nil {
		t.Fatalf("%+v", out)
	}
	w.settle()
	w.agree()
	w.holds(kept...)
	a.resolve("f", folder.KeepMain)
	w.settle()
	if codes() || a.folder.Status().Conflicts != 0 {
		t.Errorf("%+v", a.folder.Status())
	}
}
