package tree

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// testID is the folder of all tests.
var testID = entry.FolderID{1, 2, 3}

// testTree is a tree in a temporary directory. When the test ends, nothing of
// kith's own may be left but the marker and what the test staged.
func testTree(t testing.TB) *Tree {
	t.Helper()
	root := filepath.Join(t.TempDir(), "folder")
	if err := Create(root, testID); err != nil {
		t.Fatal(err)
	}
	tr, err := Open(root, testID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nothingLeft(t, root)
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// nothingLeft fails if an operation has left something behind.
func nothingLeft(t testing.TB, root string) {
	t.Helper()
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		in := filepath.Dir(path)
		switch {
		case err != nil:
		case in == filepath.Join(root, asideDir), in == filepath.Join(root, notesDir),
			strings.HasPrefix(d.Name(), tempPrefix):
			t.Errorf("left behind: %q", path)
		}
		return nil
	})
}

func (t *Tree) file(p entry.Path) string { return filepath.Join(t.path, string(p)) }

// put writes a file as a user would.
func put(t testing.TB, tr *Tree, p entry.Path, content string) Stat {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(tr.file(p)), 0o755))
	must(t, os.WriteFile(tr.file(p), []byte(content), 0o644))
	return stat(t, tr, p)
}

func stat(t testing.TB, tr *Tree, p entry.Path) Stat {
	t.Helper()
	st, err := tr.Lstat(p)
	must(t, err)
	return st
}

// staged stages content under a fresh name, and discards what is left of it.
func staged(t testing.TB, tr *Tree, content string) *Staged {
	t.Helper()
	s, err := tr.Stage(fresh())
	must(t, err)
	if _, err := s.WriteAt([]byte(content), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, s.Discard()) })
	return s
}

func content(t testing.TB, tr *Tree, p entry.Path) string {
	t.Helper()
	f, err := tr.OpenFile(p)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	b, err := io.ReadAll(f)
	must(t, err)
	return string(b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contents are the files of a folder by path, kith's own left out.
func contents(t testing.TB, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ownDir && filepath.Dir(path) == root {
			return filepath.SkipDir
		}
		rel, _ := filepath.Rel(root, path)
		switch {
		case d.Type().IsRegular():
			b, err := os.ReadFile(path)
			all[rel] = string(b)
			return err
		case d.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			all[rel] = "-> " + target
			return err
		}
		return nil
	}))
	return all
}

var meta = Meta{Mode: 0o640, ModTime: 1_600_000_000_123_456_789}
