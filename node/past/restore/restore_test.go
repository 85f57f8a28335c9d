package restore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/node/past/restore"
	"github.com/kithmesh/kith/node/tree"
)

func TestARestoreAtARandomMomentGivesTheTreeThatWas(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := pasttest.New(t)
		type moment struct {
			at   time.Time
			want map[entry.Path]string
		}
		var moments []moment
		for range 40 {
			for range 1 + r.IntN(14) {
				f.Step(r)
			}
			at := f.Moment()
			moments = append(moments, moment{at, shown(f.State())})
		}
		back := tempDir(t) // one moment after another in one place
		for n := range 20 {
			m := moments[r.IntN(len(moments))]
			tree := treeAt(t, f.Past(), m.at)
			dir := filepath.Join(tempDir(t), "new")
			x := into(t, f, dir)
			do(t, x, restore.Request{Tree: tree})
			if diff := cmp.Diff(m.want, see(t, dir)); diff != "" {
				t.Fatalf("seed %d, restore %d: %s", seed, n, diff)
			}
			if res := do(t, x, restore.Request{Tree: tree}); res.Made+res.Replaced+res.Beside+res.Meta != 0 {
				t.Fatalf("seed %d, restore %d: done again: %+v", seed, n, res)
			}
			do(t, into(t, f, back), restore.Request{Tree: tree, Overwrite: restore.Always})
			checkWithin(t, m.want, see(t, back))
		}
	}
}

// checkWithin expects all of want to be there, or beside: directories stay where
// a file is to be.
func checkWithin(t testing.TB, want, got map[entry.Path]string) {
	t.Helper()
	for p, w := range want {
		if g := got[p]; g != w && !strings.HasPrefix(g, "directory") {
			moved := false
			for up := p; up != "" && !moved; up = up.Parent() {
				moved = strings.HasPrefix(got[up], "directory") && !strings.HasPrefix(want[up], "directory") || got[up] == ""
			}
			if !moved {
				t.Errorf("%q is %s, not %s", p, g, w)
			}
		}
	}
}

func TestAPartOfAFolderIsRestored(t *testing.T) {
	f := pasttest.New(t)
	f.Mkdir("a", 0o700)
	f.Mkdir("a/b", 0o755)
	f.Write("a/b/c", "c")
	f.Write("a/d", "d")
	f.Write("e", "e")
	tree := treeAt(t, f.Past(), f.Moment())
	for name, c := range map[string]struct {
		below, base entry.Path
		want        []entry.Path
	}{
		"a directory with those above it": {"a/b", "", []entry.Path{"a", "a/b", "a/b/c"}},
		"a file with those above it":      {"a/b/c", "", []entry.Path{"a", "a/b", "a/b/c"}},
		"a file by itself":                {"a/b/c", "a/b", []entry.Path{"c"}},
		"a directory by itself":           {"a/b", "a", []entry.Path{"b", "b/c"}},
		"what is in a directory":          {"a", "a", []entry.Path{"b", "b/c", "d"}},
	} {
		dir := tempDir(t)
		do(t, into(t, f, dir), restore.Request{Tree: tree, Below: c.below, Base: c.base})
		got := see(t, dir)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", name, got)
		}
		for _, p := range c.want {
			if got[p] == "" {
				t.Errorf("%s: %q is not there", name, p)
			}
		}
	}
	x := into(t, f, tempDir(t))
	if _, err := x.Plan(t.Context(), restore.Request{Tree: tree, Below: "a/x"}); !errors.Is(err, restore.ErrNotThere) {
		t.Errorf("what was not there: %v", err)
	}
	if _, err := x.Plan(t.Context(), restore.Request{Tree: tree, Below: "e", Base: "a"}); err == nil {
		t.Error("a base that is not above was taken")
	}
}

func TestWhatIsInTheWayGoesOnlyIfToldSo(t *testing.T) {
	f := pasttest.New(t)
	f.Write("f.txt", "an earlier version")
	f.Write("f.txt", "what is restored")
	f.Mkdir("d", 0o755)
	f.Write("d/x", "x")
	f.Symlink("l", "here")
	f.Pass(time.Hour)
	tree := treeAt(t, f.Past(), f.Moment())
	at := func(p entry.Path) string {
		row, _ := tree.Find(p)
		return tree.Entry(row).Version.Clock.Time().UTC().Format(" (restored 2006-01-02 15.04.05)")
	}
	const mine, kept, gone = "mine", "kept", "replaced"
	for name, c := range map[string]struct {
		lies     func(dir string)
		p        entry.Path // that is in the way
		never    string
		changed  string
		always   string
		besideAs entry.Path
	}{
		"an unknown file":             {func(d string) { write(t, d+"/f.txt", "unknown to all!!") }, "f.txt", kept, kept, gone, "f" + entry.Path(at("f.txt")) + ".txt"},
		"an unknown longer file":      {func(d string) { write(t, d+"/f.txt", "unknown to all, and longer") }, "f.txt", kept, kept, gone, "f" + entry.Path(at("f.txt")) + ".txt"},
		"an earlier version":          {func(d string) { write(t, d+"/f.txt", "an earlier version") }, "f.txt", kept, gone, gone, "f" + entry.Path(at("f.txt")) + ".txt"},
		"a directory":                 {func(d string) { write(t, d+"/f.txt/x", mine) }, "f.txt", kept, kept, gone, "f" + entry.Path(at("f.txt")) + ".txt"},
		"a file where a directory":    {func(d string) { write(t, d+"/d", mine) }, "d", kept, kept, gone, "d" + entry.Path(at("d")) + "/x"},
		"a symlink where a directory": {func(d string) { must(t, os.Symlink("/", d+"/d")) }, "d", kept, kept, gone, "d" + entry.Path(at("d")) + "/x"},
		"another symlink":             {func(d string) { must(t, os.Symlink("/", d+"/l")) }, "l", kept, kept, gone, "l" + entry.Path(at("l"))},
	} {
		for o, want := range map[restore.Overwrite]string{restore.Never: c.never, restore.IfChanged: c.changed, restore.Always: c.always} {
			t.Run(name+" "+o.String(), func(t *testing.T) {
				dir := tempDir(t)
				c.lies(dir)
				before := see(t, dir)
				x := into(t, f, dir)
				var losing []entry.Path
				x.Before = func(_ context.Context, ps []entry.Path) (map[entry.Path]error, error) { losing = ps; return nil, nil }
				q := restore.Request{Tree: tree, Overwrite: o}
				p, err := x.Plan(t.Context(), q)
				must(t, err)
				if diff := cmp.Diff(before, see(t, dir)); diff != "" {
					t.Fatalf("a plan has changed something: %s", diff)
				}
				steps := slices.Collect(p.Steps())
				res, err := x.Run(t.Context(), p)
				must(t, err)
				after := see(t, dir)
				if stays := after[c.p] == before[c.p]; stays != (want == kept) || res.Partial() {
					t.Errorf("it stays: %v; %+v", stays, res)
				}
				if (after[c.besideAs] != "") != (want == kept) || (len(losing) == 0) != (want == kept) || (res.Beside > 0) != (want == kept) {
					t.Errorf("beside: %q, replaced: %q, in %v, by %+v", after[c.besideAs], losing, after, steps)
				}
				if again := do(t, x, q); again.Made+again.Replaced+again.Beside+again.Meta != 0 {
					t.Errorf("done again: %+v", again)
				}
			})
		}
	}
}

func TestARunEndsBeforeAnythingGoesIfThatIsRefused(t *testing.T) {
	f := pasttest.New(t)
	f.Write("f", "one")
	f.Write("g", "one")
	tree := treeAt(t, f.Past(), f.Moment())
	dir := tempDir(t)
	write(t, dir+"/f", "two")
	write(t, dir+"/g", "two")
	x := into(t, f, dir)
	refused := errors.New("no snapshot")
	var all error
	x.Before = func(_ context.Context, p []entry.Path) (map[entry.Path]error, error) {
		if !slices.Equal(p, []entry.Path{"f", "g"}) {
			t.Errorf("losing %q", p)
		}
		return map[entry.Path]error{"f": refused}, all
	}
	p, err := x.Plan(t.Context(), restore.Request{Tree: tree, Overwrite: restore.Always})
	must(t, err)
	before := see(t, dir)
	all = refused
	if _, err := x.Run(t.Context(), p); !errors.Is(err, refused) || !cmp.Equal(before, see(t, dir)) {
		t.Errorf("run: %v, %v", err, see(t, dir))
	}
	all = nil
	res, err := x.Run(t.Context(), p)
	must(t, err)
	if len(res.Skipped) != 1 || res.Skipped[0].Path != "f" || !errors.Is(res.Skipped[0].Err, refused) || res.Replaced != 1 || see(t, dir)["f"] != before["f"] {
		t.Errorf("result: %+v", res)
	}
}

func TestWhatHasChangedSinceThePlanStays(t *testing.T) {
	f := pasttest.New(t)
	f.Write("changed", "one")
	f.Write("come", "one")
	f.Write("meta", "one")
	f.Write("right", "one")
	tree := treeAt(t, f.Past(), f.Moment())
	dir := tempDir(t)
	write(t, dir+"/changed", "two")
	write(t, dir+"/meta", "one")
	x := into(t, f, dir)
	p, err := x.Plan(t.Context(), restore.Request{Tree: tree, Overwrite: restore.Always})
	must(t, err)
	for _, name := range []string{"changed", "come", "meta"} {
		write(t, dir+"/"+name, "written meanwhile")
	}
	res, err := x.Run(t.Context(), p)
	must(t, err)
	if len(res.Failed) != 3 || res.Made != 1 {
		t.Errorf("result: %+v", res)
	}
	for _, s := range res.Failed {
		if b, _ := os.ReadFile(filepath.Join(dir, string(s.Path))); string(b) != "written meanwhile" || !errors.Is(s.Err, errorFor(s.Path)) {
			t.Errorf("%s is %q: %v", s.Path, b, s.Err)
		}
	}
	if _, err := os.Stat(dir + "/" + entry.Temporary + "restore"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("temporary files are left: %v", err)
	}
}

func errorFor(p entry.Path) error {
	if p == "come" {
		return tree.ErrExists
	}
	return tree.ErrChanged
}

func TestNothingOutsideIsTouched(t *testing.T) {
	f := pasttest.New(t)
	f.Mkdir("d", 0o700)
	f.Write("d/f", "new")
	f.Write("l", "new")
	tree := treeAt(t, f.Past(), f.Moment())
	outside := tempDir(t)
	write(t, outside+"/f", "outside")
	before := see(t, outside)
	for _, o := range []restore.Overwrite{restore.Never, restore.IfChanged, restore.Always} {
		dir := tempDir(t)
		write(t, dir+"/inside/f", "inside")
		must(t, os.Symlink(outside, dir+"/d"))
		must(t, os.Symlink("inside/f", dir+"/l"))
		do(t, into(t, f, dir), restore.Request{Tree: tree, Overwrite: o})
		if diff := cmp.Diff(before, see(t, outside)); diff != "" {
			t.Errorf("%s: %s", o, diff)
		}
		if b, err := os.ReadFile(dir + "/inside/f"); string(b) != "inside" {
			t.Errorf("%s: through a symlink: %q, %v", o, b, err)
		}
		// Swapped in after the plan.
		dir = tempDir(t)
		must(t, os.Mkdir(dir+"/d", 0o755))
		x := into(t, f, dir)
		p, err := x.Plan(t.Context(), restore.Request{Tree: tree, Overwrite: o})
		must(t, err)
		must(t, x.Target.(*restore.Directory).Close())
		x.Target, err = restore.Into(dir)
		must(t, err)
		must(t, os.Remove(dir+"/d"))
		must(t, os.Symlink(outside, dir+"/d"))
		res, err := x.Run(t.Context(), p)
		must(t, err)
		must(t, x.Target.(*restore.Directory).Close())
		if !res.Partial() || !cmp.Equal(before, see(t, outside)) {
			t.Errorf("%s: after a swap: %+v", o, res)
		}
	}
}

func TestARunThatWasEndedIsGoneOnWith(t *testing.T) {
	f := pasttest.New(t)
	r := rand.New(rand.NewPCG(4, 4))
	f.Mkdir("d", 0o555)
	for i := range 60 {
		f.Write(entry.Path("d/"+string(rune('a'+i%26))+strings.Repeat("x", i)), pasttest.Text(r))
	}
	tree := treeAt(t, f.Past(), f.Moment())
	want := shown(f.State())
	for cut := range 5 {
		dir := tempDir(t)
		x := into(t, f, dir, nil)
		x.Past.Sources = []past.Source{&cutting{Vault: pasttest.Vault{Vault: f.Vault}, left: cut * 17}}
		p, err := x.Plan(t.Context(), restore.Request{Tree: tree})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		x.Past.Sources[0].(*cutting).cancel = cancel
		if _, err := x.Run(ctx, p); !errors.Is(err, context.Canceled) {
			t.Fatalf("run: %v", err)
		}
		write(t, dir+"/"+entry.Temporary+"restore/left", "by a run that was killed")
		must(t, os.Chmod(dir, 0o755))
		do(t, into(t, f, dir), restore.Request{Tree: tree})
		if diff := cmp.Diff(want, see(t, dir)); diff != "" {
			t.Errorf("cut after %d: %s", cut*17, diff)
		}
	}
}

// cutting ends the run after so many blocks.
type cutting struct {
	pasttest.Vault
	left   int
	cancel func()
}

func (c *cutting) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(int, []byte) error) error {
	return c.Vault.Blocks(ctx, ids, form, func(i int, sealed []byte) error {
		if c.left--; c.left < 0 {
			c.cancel()
			return ctx.Err()
		}
		return got(i, sealed)
	})
}

func TestTwoRestoresDoNotMixInOneDirectory(t *testing.T) {
	dir := tempDir(t)
	one, err := restore.Into(dir)
	must(t, err)
	must(t, one.Begin())
	other, err := restore.Into(dir)
	must(t, err)
	if err := other.Begin(); !errors.Is(err, restore.ErrInUse) {
		t.Errorf("begun twice: %v", err)
	}
	must(t, one.Close())
	must(t, other.Begin())
	must(t, other.Close())
}

func TestNamesBesideAreFreeAndShortEnough(t *testing.T) {
	when := "2026-03-04 05.06.07"
	e := pasttest.New(t).Write("x", "y")
	for name, c := range map[string]struct{ p, want entry.Path }{
		"the extension is kept":     {"d/a.txt", entry.Path("d/a (restored " + when + ").txt")},
		"a hidden file has none":    {".bashrc", entry.Path(".bashrc (restored " + when + ")")},
		"no extension":              {"README", entry.Path("README (restored " + when + ")")},
		"a long name is cut":        {entry.Path(strings.Repeat("é", 125) + ".jpeg"), entry.Path(strings.Repeat("é", 109) + " (restored " + when + ").jpeg")},
		"what is long is no ending": {"a.and then it goes on", entry.Path("a.and then it goes on (restored " + when + ")")},
	} {
		if got := restore.BesideName(e, c.p, 0); got != c.want || len(got.Name()) > entry.MaxName {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := restore.BesideName(e, "a.txt", 1); got != entry.Path("a (restored "+when+" 2).txt") {
		t.Errorf("the second try: %q", got)
	}
}
