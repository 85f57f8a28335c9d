package restore_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/node/past/restore"
	"github.com/kithmesh/kith/node/tree"
)

// told are the actions that a plan tells of each path.
func told(t testing.TB, x *restore.Restore, q restore.Request) map[entry.Path]restore.Action {
	t.Helper()
	p, err := x.Plan(t.Context(), q)
	must(t, err)
	out := map[entry.Path]restore.Action{}
	for s := range p.Steps() {
		out[s.Path] = s.Action
	}
	must(t, p.Close())
	return out
}

func TestADirectoryInTheWayGoesIfAllInItMay(t *testing.T) {
	const stays, goes = restore.Beside, restore.Replace
	for name, c := range map[string]struct {
		more    func(dir string) // in the directory, beside what is known
		changed restore.Action
		always  restore.Action
	}{
		"all of it is known":      {func(string) {}, goes, goes},
		"a file is unknown":       {func(d string) { write(t, d+"/a/deep/mine", "mine") }, stays, goes},
		"a symlink is unknown":    {func(d string) { must(t, os.Symlink("mine", d+"/a/mine")) }, stays, goes},
		"it may not be written":   {func(d string) { must(t, os.Chmod(d+"/a/deep", 0o500)) }, goes, goes},
		"another folder is in it": {func(d string) { must(t, os.MkdirAll(d+"/a/"+entry.Reserved, 0o700)) }, stays, stays},
	} {
		for o, want := range map[restore.Overwrite]restore.Action{restore.Never: stays, restore.IfChanged: c.changed, restore.Always: c.always} {
			for _, p := range []entry.Path{"a", "a link"} {
				if p == "a link" && name != "all of it is known" {
					continue
				}
				t.Run(name+" "+o.String()+" "+string(p), func(t *testing.T) {
					f := pasttest.New(t)
					f.Mkdir("z", 0o755)
					if p == "a" {
						f.Write("a", "was a file")
					} else {
						f.Symlink("a", "was a link")
					}
					then := treeAt(t, f.Past(), f.Moment())
					want1 := shown(f.State())
					f.Pass(time.Hour)
					f.Delete("a")
					f.Mkdir("a", 0o755)
					f.Mkdir("a/deep", 0o755)
					f.Write("a/deep/x", "x")
					f.Write("a/y", "y")
					f.Symlink("a/l", "x")
					f.Flush()
					dir := tempDir(t)
					do(t, into(t, f, dir), restore.Request{Tree: treeAt(t, f.Past(), f.Moment())})
					c.more(dir)
					before := see(t, dir)
					x := into(t, f, dir)
					q := restore.Request{Tree: then, Overwrite: o}
					first := told(t, x, q)
					if first["a"] != want || (first["a/deep/x"] == restore.Remove) != (want == goes) {
						t.Errorf("told: %v", first)
					}
					res := do(t, x, q)
					got := see(t, dir)
					if want == goes {
						if diff := cmp.Diff(want1, got); diff != "" || res.Replaced != 1 || res.Removed < 4 {
							t.Errorf("%+v: %s", res, diff)
						}
						return
					}
					for at, w := range before {
						if got[at] != w {
							t.Errorf("%q is %s", at, got[at])
						}
					}
					for range 2 {
						p, err := x.Plan(t.Context(), q)
						must(t, err)
						if again := told(t, x, q); again["a"] != restore.Beside || p.Totals.Left > 0 {
							t.Errorf("told again: %v, %+v", again, p.Totals)
						}
						must(t, p.Close())
						if res := do(t, x, q); res.Made+res.Replaced+res.Beside+res.Meta+res.Removed != 0 {
							t.Errorf("done again: %+v", res)
						}
					}
					if diff := cmp.Diff(got, see(t, dir)); diff != "" {
						t.Errorf("changed again: %s", diff)
					}
				})
			}
		}
	}
}

func TestADirectoryInTheWayStaysIfItIsNotWhatWasPlanned(t *testing.T) {
	for name, change := range map[string]func(dir string){
		"something has come":    func(d string) { write(t, d+"/a/deep/new", "new") },
		"something has changed": func(d string) { write(t, d+"/a/deep/x", "changed") },
		"something has gone":    func(d string) { must(t, os.Remove(d+"/a/deep/x")) },
		"a directory is a file": func(d string) { must(t, os.RemoveAll(d+"/a/deep")); write(t, d+"/a/deep", "") },
		"it is a file itself":   func(d string) { must(t, os.RemoveAll(d+"/a")); write(t, d+"/a", "") },
	} {
		t.Run(name, func(t *testing.T) {
			f := pasttest.New(t)
			f.Write("a", "was a file")
			then := treeAt(t, f.Past(), f.Moment())
			dir := tempDir(t)
			write(t, dir+"/a/deep/x", "x")
			must(t, os.Mkdir(dir+"/a/empty", 0o700))
			x := into(t, f, dir)
			p, err := x.Plan(t.Context(), restore.Request{Tree: then, Overwrite: restore.Always})
			must(t, err)
			change(dir)
			before := see(t, dir)
			res, err := x.Run(t.Context(), p)
			must(t, err)
			if len(res.Failed) != 1 || !errors.Is(res.Failed[0].Err, tree.ErrChanged) {
				t.Errorf("result: %+v", res)
			}
			for s := range p.Steps() {
				if s.Action == restore.Remove {
					t.Errorf("told as gone: %q", s.Path)
				}
			}
			if diff := cmp.Diff(before, see(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADirectoryGoesInPlaceIfAllInItIsKept(t *testing.T) {
	for name, refuse := range map[string]bool{"kept": false, "not kept": true} {
		t.Run(name, func(t *testing.T) {
			f := pasttest.New(t)
			f.Write("a", "was a file")
			then := treeAt(t, f.Past(), f.Moment())
			dir := tempDir(t)
			x := &restore.Restore{Past: f.Past(), Target: targets["a folder in place"](t, dir)}
			write(t, dir+"/a/deep/x", "x")
			before := seeFolder(t, dir)
			no := errors.New("it is not known yet")
			x.Before = func(_ context.Context, losing []entry.Path) (map[entry.Path]error, error) {
				if !slices.Equal(losing, []entry.Path{"a", "a/deep", "a/deep/x"}) {
					t.Errorf("losing %q", losing)
				}
				if refuse {
					return map[entry.Path]error{"a/deep/x": no}, nil
				}
				return nil, nil
			}
			p, err := x.Plan(t.Context(), restore.Request{Tree: then, Overwrite: restore.Always})
			must(t, err)
			res, err := x.Run(t.Context(), p)
			must(t, err)
			want := shown(f.State())
			if refuse {
				want = before
			}
			if diff := cmp.Diff(want, seeFolder(t, dir)); diff != "" || len(res.Skipped) > 0 != refuse {
				t.Errorf("%+v: %s", res, diff)
			}
		})
	}
}

func TestWhatIsInADirectoryThatWentBesideIsToldEachTime(t *testing.T) {
	f := pasttest.New(t)
	f.Mkdir("d", 0o755)
	f.Write("d/x", "x")
	q := restore.Request{Tree: treeAt(t, f.Past(), f.Moment())}
	dir := tempDir(t)
	write(t, dir+"/d", "mine")
	x := into(t, f, dir)
	for run := range 3 {
		p, err := x.Plan(t.Context(), q)
		must(t, err)
		for s := range p.Steps() {
			if s.Action != restore.Beside || s.At == s.Path {
				t.Errorf("run %d: %+v", run, s)
			}
		}
		if p.Totals.Beside != 2 || p.Totals.Left != 0 {
			t.Errorf("run %d: %+v", run, p.Totals)
		}
		if res := do(t, x, q); (res.Beside > 0) != (run == 0) {
			t.Errorf("run %d: %+v", run, res)
		}
	}
}

func TestModeAndTimeAreSetOnlyWhereSomethingMayBeReplaced(t *testing.T) {
	f := pasttest.New(t)
	f.Mkdir("d", 0o700)
	f.Write("d/f", "content")
	f.Write("right", "right")
	f.Symlink("l", "target")
	then := treeAt(t, f.Past(), f.Moment())
	want := shown(f.State())
	when := time.Unix(1, 0)
	for _, o := range []restore.Overwrite{restore.Never, restore.IfChanged, restore.Always} {
		t.Run(o.String(), func(t *testing.T) {
			dir := tempDir(t)
			do(t, into(t, f, dir), restore.Request{Tree: then})
			must(t, os.Chmod(dir+"/d", 0o755))
			must(t, os.Chmod(dir+"/d/f", 0o600))
			must(t, os.Chtimes(dir+"/d/f", when, when))
			must(t, os.Remove(dir+"/l"))
			must(t, os.Symlink("target", dir+"/l"))
			before := see(t, dir)
			x := into(t, f, dir)
			p, err := x.Plan(t.Context(), restore.Request{Tree: then, Overwrite: o})
			must(t, err)
			steps := told(t, x, restore.Request{Tree: then, Overwrite: o})
			res, err := x.Run(t.Context(), p)
			must(t, err)
			if p.Totals.Left != 1 {
				t.Errorf("%d are right already", p.Totals.Left)
			}
			if o == restore.Never {
				if diff := cmp.Diff(before, see(t, dir)); diff != "" {
					t.Errorf("it has changed: %s", diff)
				}
				if len(steps) > 0 || len(p.Skipped) != 3 || !errors.Is(p.Skipped[0].Err, restore.ErrMeta) || len(res.Skipped) != 3 {
					t.Errorf("told: %v, %v", steps, p.Skipped)
				}
				return
			}
			if diff := cmp.Diff(want, see(t, dir)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[entry.Path]restore.Action{"d": restore.Replace, "d/f": restore.Replace, "l": restore.Replace}, steps); diff != "" || res.Meta != 3 {
				t.Errorf("told: %s, done: %+v", diff, res)
			}
		})
	}
}

// counting counts the bytes of sealed blocks that are fetched.
type counting struct {
	pasttest.Vault
	blocks int
}

func (c *counting) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(int, []byte) error) error {
	c.blocks += len(ids)
	return c.Vault.Blocks(ctx, ids, form, got)
}

func TestWhatAnEarlierRunHasStagedIsNotFetchedAgain(t *testing.T) {
	f := pasttest.New(t)
	f.Block = 64
	content := make([]byte, 64*400)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	f.Mkdir("d", 0o555)
	f.Write("d/long", string(content))
	for i := range 26 {
		f.Write(entry.Path("d/"+string(rune('a'+i))), string(content[i*9:i*9+40]))
	}
	want := shown(f.State())
	q := restore.Request{Tree: treeAt(t, f.Past(), f.Moment())}
	count := func(dir string) int {
		c := &counting{Vault: pasttest.Vault{Vault: f.Vault}}
		x := into(t, f, dir)
		x.Past.Sources = []past.Source{c}
		do(t, x, q)
		if diff := cmp.Diff(want, see(t, dir)); diff != "" {
			t.Error(diff)
		}
		return c.blocks
	}
	all := count(tempDir(t))
	for name, c := range map[string]struct {
		hurt  func(t *testing.T, staged []string)
		again int // at most
	}{
		"as it was":          {func(*testing.T, []string) {}, all - 300},
		"one block is other": {func(t *testing.T, all []string) { edit(t, longest(t, all), 64*9+1, 'x') }, all - 299},
		"one is longer":      {func(t *testing.T, all []string) { edit(t, longest(t, all), 64*400, 'x') }, all},
		"it has another name": {func(t *testing.T, all []string) {
			name, other := longest(t, all), tempDir(t)+"/other"
			edit(t, name, 1, 'x')
			must(t, os.Link(name, other))
			was, err := os.ReadFile(name)
			must(t, err)
			t.Cleanup(func() {
				if is, err := os.ReadFile(other); !bytes.Equal(was, is) {
					t.Errorf("it was written to: %v", err)
				}
			})
		}, all},
		"a directory has a name": {func(t *testing.T, all []string) { must(t, os.Remove(all[0])); write(t, all[0]+"/x", "x") }, all},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			x := into(t, f, dir)
			ctx, cancel := context.WithCancel(t.Context())
			x.Past.Sources = []past.Source{&cutting{Vault: pasttest.Vault{Vault: f.Vault}, left: 300, cancel: cancel}}
			p, err := x.Plan(t.Context(), q)
			must(t, err)
			if _, err := x.Run(ctx, p); !errors.Is(err, context.Canceled) {
				t.Fatalf("run: %v", err)
			}
			for at, line := range see(t, dir) {
				if w, ok := want[at]; ok && line != w {
					t.Errorf("%q is %s", at, line)
				}
			}
			staged, err := filepath.Glob(dir + "/" + entry.Temporary + "restore/*/*")
			must(t, err)
			if len(staged) == 0 {
				t.Fatal("nothing is staged")
			}
			c.hurt(t, staged)
			if n := count(dir); n > c.again {
				t.Errorf("fetched %d of %d blocks again", n, all)
			}
		})
	}
}

func longest(t testing.TB, names []string) (out string) {
	t.Helper()
	size := int64(-1)
	for _, name := range names {
		info, err := os.Stat(name)
		must(t, err)
		if info.Size() > size {
			out, size = name, info.Size()
		}
	}
	return out
}

func edit(t testing.TB, name string, at int64, b byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{b}, at)
	must(t, errors.Join(err, f.Close()))
}

func TestWhatAVaultThatWentAwayHasGivenIsNotFetchedAgain(t *testing.T) {
	f := pasttest.New(t)
	f.Block = 64
	content := make([]byte, 64*100)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(content)
	f.Write("long", string(content))
	want := shown(f.State())
	q := restore.Request{Tree: treeAt(t, f.Past(), f.Moment())}
	dir := tempDir(t)
	x := into(t, f, dir)
	x.Past.Sources = []past.Source{&going{Vault: pasttest.Vault{Vault: f.Vault}, left: 60}}
	p, err := x.Plan(t.Context(), q)
	must(t, err)
	res, err := x.Run(t.Context(), p)
	must(t, err)
	if len(res.Lost) != 1 || see(t, dir)["long"] != "" {
		t.Fatalf("result: %+v", res)
	}
	c := &counting{Vault: pasttest.Vault{Vault: f.Vault}}
	x = into(t, f, dir)
	x.Past.Sources = []past.Source{c}
	do(t, x, q)
	if diff := cmp.Diff(want, see(t, dir)); diff != "" || c.blocks > 40 {
		t.Errorf("fetched %d blocks again: %s", c.blocks, diff)
	}
}

// going fails after so many blocks, and from then on.
type going struct {
	pasttest.Vault
	left int
}

func (g *going) Blocks(ctx context.Context, ids []entry.BlockID, form int, got func(int, []byte) error) error {
	return g.Vault.Blocks(ctx, ids, form, func(i int, sealed []byte) error {
		if g.left--; g.left < 0 {
			return errCut
		}
		return got(i, sealed)
	})
}
