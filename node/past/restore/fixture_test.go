package restore_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/node/past/restore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tempDir is a directory that is removed in the end, whatever the modes in it.
func tempDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(name, 0o700) //nolint:gosec // before it is read
			}
			return err
		})
	})
	return dir
}

func treeAt(t testing.TB, p *past.Past, at time.Time) *past.Tree {
	t.Helper()
	tree, err := p.AsOf(t.Context(), at)
	must(t, err)
	t.Cleanup(func() { must(t, tree.Close()) })
	return tree
}

// into is a restore to a directory.
func into(t testing.TB, f *pasttest.Folder, dir string, more ...past.Source) *restore.Restore {
	t.Helper()
	d, err := restore.Into(dir)
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	return &restore.Restore{Past: f.Past(more...), Target: d}
}

// do plans and runs, and expects nothing to be missing.
func do(t testing.TB, r *restore.Restore, q restore.Request) restore.Result {
	t.Helper()
	p, err := r.Plan(t.Context(), q)
	must(t, err)
	res, err := r.Run(t.Context(), p)
	must(t, err)
	if res.Partial() {
		t.Fatalf("partial: lost %v, failed %v, skipped %v", res.Lost, res.Failed, res.Skipped)
	}
	must(t, p.Close())
	return res
}

// see is what lies below a directory, as lines that hold all of it: kind, mode,
// modification time, target and content.
func see(t testing.TB, dir string) map[entry.Path]string {
	t.Helper()
	out := map[entry.Path]string{}
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		p := entry.Path(rel)
		switch info.Mode().Type() {
		case 0:
			b, err := os.ReadFile(name)
			out[p] = fmt.Sprintf("file %o %d %q", info.Mode().Perm(), info.ModTime().UnixNano(), b)
			return err
		case fs.ModeDir:
			out[p] = fmt.Sprintf("directory %o", info.Mode().Perm())
		case fs.ModeSymlink:
			target, err := os.Readlink(name)
			out[p] = fmt.Sprintf("symlink %d %q", info.ModTime().UnixNano(), target)
			return err
		default:
			out[p] = info.Mode().Type().String()
		}
		return nil
	}))
	return out
}

// shown is what entries look like to see.
func shown(living map[entry.Path]*entry.Entry, content map[entry.Path][]byte) map[entry.Path]string {
	out := map[entry.Path]string{}
	for p, e := range living {
		switch e.Kind {
		case entry.File:
			out[p] = fmt.Sprintf("file %o %d %q", e.Mode, e.ModTime, content[p])
		case entry.Directory:
			out[p] = fmt.Sprintf("directory %o", e.Mode)
		case entry.Symlink:
			out[p] = fmt.Sprintf("symlink %d %q", e.ModTime, e.Target)
		case entry.Deleted:
		}
	}
	return out
}

func write(t testing.TB, name, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(content), 0o644))
}
