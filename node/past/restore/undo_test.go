package restore_test

import (
	"context"
	"errors"
	"maps"
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

// targets are the two ways to a directory.
var targets = map[string]func(t testing.TB, dir string) restore.Target{
	"a folder in place": func(t testing.TB, dir string) restore.Target {
		must(t, tree.Create(dir, pasttest.ID))
		tr, err := tree.Open(dir, pasttest.ID)
		must(t, err)
		t.Cleanup(func() { must(t, tr.Close()) })
		return restore.InPlace(tr)
	},
	"a directory": func(t testing.TB, dir string) restore.Target {
		d, err := restore.Into(dir)
		must(t, err)
		t.Cleanup(func() { must(t, d.Close()) })
		return d
	},
}

// seeFolder is see without what is kith's own.
func seeFolder(t testing.TB, dir string) map[entry.Path]string {
	t.Helper()
	out := see(t, dir)
	maps.DeleteFunc(out, func(p entry.Path, _ string) bool { return p == entry.Reserved || p.Below(entry.Reserved) })
	return out
}

func TestUndoingABatchGivesTheFilesBeforeIt(t *testing.T) {
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			f := pasttest.New(t)
			dir := tempDir(t)
			x := &restore.Restore{Past: f.Past(), Target: target(t, dir)}
			f.Mkdir("d", 0o700)
			f.Write("d/kept", "kept")
			f.Write("d/edited", "one")
			f.Write("d/deleted", "one")
			f.Write("file to directory", "one")
			f.Mkdir("directory to file", 0o750)
			f.Write("directory to file/x", "x")
			f.Chmod("d/kept", 0o600)
			f.Symlink("l", "one")
			f.Mkdir("gone", 0o750)
			f.Write("gone/a", "a")
			f.Write("local edit", "one")
			before := treeAt(t, f.Past(), f.Moment())
			want := shown(f.State())
			f.Pass(time.Hour).As(2)
			f.Write("d/edited", "two")
			f.Delete("d/deleted")
			f.Delete("file to directory")
			f.Mkdir("file to directory", 0o755)
			f.Write("file to directory/y", "y")
			f.Delete("directory to file/x")
			f.Delete("directory to file")
			f.Write("directory to file", "two")
			f.Chmod("d/kept", 0o644)
			f.Symlink("l", "two")
			f.Mkdir("new", 0o755)
			f.Write("new/z", "z")
			f.Write("new/stays", "z")
			f.Write("local edit", "two")
			f.Delete("gone/a")
			f.Delete("gone")
			after := treeAt(t, f.Past(), f.Moment())
			do(t, x, restore.Request{Tree: after})
			write(t, dir+"/local edit", "unseen")
			write(t, dir+"/new/mine", "mine")
			delete(want, "local edit")

			l, err := f.Past().Log(t.Context(), past.LogOptions{Below: "new"})
			must(t, err)
			u, err := f.Past().Undo(t.Context(), l.Events[0].Batch, past.UndoOptions{})
			must(t, err)
			var losing []entry.Path
			x.Before = func(_ context.Context, p []entry.Path) (map[entry.Path]error, error) { losing = p; return nil, nil }
			p, err := x.PlanUndo(t.Context(), &u)
			must(t, err)
			res, err := x.Run(t.Context(), p)
			must(t, err)
			must(t, p.Close())
			got := seeFolder(t, dir)
			if b, _ := os.ReadFile(filepath.Join(dir, "local edit")); string(b) != "unseen" {
				t.Errorf("a local edit is now %q", b)
			}
			for _, p := range []entry.Path{"local edit", "new", "new/mine"} {
				if got[p] == "" {
					t.Errorf("%q has gone", p)
				}
				delete(got, p)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if len(res.Skipped) != 1 || res.Skipped[0].Path != "local edit" || !errors.Is(res.Skipped[0].Err, tree.ErrChanged) ||
				len(res.Failed) != 1 || res.Failed[0].Path != "new" || len(res.Lost) != 0 {
				t.Errorf("result: %+v", res)
			}
			if !slices.Contains(losing, "d/edited") || !slices.Contains(losing, "new/z") || slices.Contains(losing, "local edit") {
				t.Errorf("losing %q", losing)
			}
			_ = before
		})
	}
}

func TestAFolderIsRestoredInPlace(t *testing.T) {
	f := pasttest.New(t)
	dir := tempDir(t)
	x := &restore.Restore{Past: f.Past(), Target: targets["a folder in place"](t, dir)}
	f.Mkdir("d", 0o555)
	f.Write("d/a", "one")
	f.Write("d/b", "one")
	f.Write("same", "one")
	f.Symlink("d/l", "x")
	then := treeAt(t, f.Past(), f.Moment())
	want := shown(f.State())
	do(t, x, restore.Request{Tree: then})
	if diff := cmp.Diff(want, seeFolder(t, dir)); diff != "" {
		t.Fatal(diff)
	}
	must(t, os.Chmod(dir+"/d", 0o755))
	write(t, dir+"/d/a", "mangled")
	must(t, os.Remove(dir+"/d/b"))
	write(t, dir+"/d/new", "new")
	asked := 0
	x.Known = func(p entry.Path) *entry.Entry { asked++; return nil }
	res := do(t, x, restore.Request{Tree: then, Overwrite: restore.Always})
	want["d/new"] = seeFolder(t, dir)["d/new"]
	if diff := cmp.Diff(want, seeFolder(t, dir)); diff != "" {
		t.Error(diff)
	}
	if res.Made != 1 || res.Replaced != 1 || res.Meta != 1 || asked == 0 {
		t.Errorf("result: %+v", res)
	}
}
