package tree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func TestCreateMakesMissingDirectoriesForTheirOwnerAlone(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a", "b")
	must(t, Create(root, testID))
	for _, dir := range []string{filepath.Dir(root), root, filepath.Join(root, ownDir)} {
		info, err := os.Stat(dir)
		must(t, err)
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", dir, info.Mode())
		}
	}
	text, err := os.ReadFile(filepath.Join(root, ownDir, markerName))
	must(t, err)
	if !strings.HasPrefix(string(text), testID.String()+"\n") {
		t.Errorf("marker: %q", text)
	}
}

func TestCreateIsAnsweredBySituation(t *testing.T) {
	other := entry.FolderID{9}
	for name, c := range map[string]struct {
		before func(t *testing.T, base string) // base holds the root "f"
		want   error
	}{
		"an existing directory keeps its files": {func(t *testing.T, base string) {
			must(t, os.MkdirAll(filepath.Join(base, "f", "sub"), 0o755))
		}, nil},
		"the same folder again": {func(t *testing.T, base string) {
			must(t, Create(filepath.Join(base, "f"), testID))
		}, nil},
		"a marker cut short by a crash of something else": {func(t *testing.T, base string) {
			must(t, os.MkdirAll(filepath.Join(base, "f", ownDir), 0o755))
			must(t, os.WriteFile(filepath.Join(base, "f", ownDir, markerName), nil, 0o600))
		}, nil},
		"another folder": {func(t *testing.T, base string) {
			must(t, Create(filepath.Join(base, "f"), other))
		}, ErrOtherFolder},
		"inside a folder": {func(t *testing.T, base string) {
			must(t, Create(base, other))
		}, ErrNested},
		"around a folder": {func(t *testing.T, base string) {
			must(t, Create(filepath.Join(base, "f", "x", "y"), other))
		}, ErrNested},
		"inside a folder by way of a link": {func(t *testing.T, base string) {
			must(t, Create(filepath.Join(base, "real"), other))
			must(t, os.Mkdir(filepath.Join(base, "real", "f"), 0o755))
			must(t, os.Symlink(filepath.Join(base, "real", "f"), filepath.Join(base, "f")))
		}, ErrNested},
		"kith's own name is a link": {func(t *testing.T, base string) {
			must(t, os.Mkdir(filepath.Join(base, "f"), 0o755))
			must(t, os.Symlink(t.TempDir(), filepath.Join(base, "f", ownDir)))
		}, ErrThroughLink},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			c.before(t, base)
			if err := Create(filepath.Join(base, "f"), testID); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestARootThatIsNotTheFoldersIsNeverTakenForEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		spoil       func(t *testing.T, root string)
		check, open error
	}{
		"as it was":         {func(*testing.T, string) {}, nil, nil},
		"moved away":        {func(t *testing.T, r string) { must(t, os.Rename(r, r+"2")) }, ErrRootMissing, ErrRootMissing},
		"marker removed":    {func(t *testing.T, r string) { must(t, os.Remove(r+"/.kith/folder")) }, ErrMarkerMissing, ErrMarkerMissing},
		"own removed":       {func(t *testing.T, r string) { must(t, os.RemoveAll(r+"/.kith")) }, ErrMarkerMissing, ErrMarkerMissing},
		"marker of another": {func(t *testing.T, r string) { mark(t, r, entry.FolderID{7}) }, ErrOtherFolder, ErrOtherFolder},
		"marker unreadable": {func(t *testing.T, r string) { must(t, os.WriteFile(r+"/.kith/folder", []byte("?"), 0o600)) }, ErrMarkerMissing, ErrMarkerMissing},
		"marker a directory": {func(t *testing.T, r string) {
			must(t, os.Remove(r+"/.kith/folder"))
			must(t, os.Mkdir(r+"/.kith/folder", 0o700))
		}, ErrMarkerMissing, ErrMarkerMissing},
		"an empty directory in its place": {func(t *testing.T, r string) {
			must(t, os.Rename(r, r+"2"))
			must(t, os.Mkdir(r, 0o700))
		}, ErrRootReplaced, ErrMarkerMissing},
		"a file in its place": {func(t *testing.T, r string) {
			must(t, os.Rename(r, r+"2"))
			must(t, os.WriteFile(r, nil, 0o600))
		}, ErrRootReplaced, ErrRootReplaced},
		"a copy in its place": {func(t *testing.T, r string) {
			must(t, os.Rename(r, r+"2"))
			must(t, Create(r, testID))
		}, ErrRootReplaced, nil},
		"a link to where it went": {func(t *testing.T, r string) {
			must(t, os.Rename(r, r+"2"))
			must(t, os.Symlink(r+"2", r))
		}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tr := testTree(t)
			c.spoil(t, tr.path)
			if err := tr.Check(); !errors.Is(err, c.check) || (c.check == nil) != (err == nil) {
				t.Errorf("check: got %v, want %v", err, c.check)
			}
			if c.open == nil {
				return
			}
			if _, err := Open(tr.path, testID); !errors.Is(err, c.open) {
				t.Errorf("open: got %v, want %v", err, c.open)
			}
		})
	}
}

func mark(t *testing.T, root string, id entry.FolderID) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(root, ownDir, markerName), marker(id), 0o600))
}

func FuzzMarker(f *testing.F) {
	f.Add(marker(testID))
	f.Add([]byte("x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		id, err := parseMarker(text)
		if err != nil {
			return
		}
		if again, err := parseMarker(marker(id)); err != nil || again != id {
			t.Fatalf("%v %v", again, err)
		}
	})
}
