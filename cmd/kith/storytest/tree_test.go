package storytest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tree is what lies in a folder, by path. Kith's own directory is no part of
// it.
type tree map[string]item

// item is all that must be the same on two devices.
type item struct {
	kind    fs.FileMode // its type bits; zero for a regular file
	mode    fs.FileMode // its permissions; zero for a symlink
	size    int64
	modTime time.Time // zero for a directory
	digest  [sha256.Size]byte
	target  string // of a symlink
}

func (i item) String() string {
	s := fmt.Sprintf("%v %d B", i.kind|i.mode, i.size)
	if !i.modTime.IsZero() {
		s += " " + i.modTime.Format("15:04:05.000000000")
	}
	switch {
	case i.kind == 0:
		s += fmt.Sprintf(" %x", i.digest[:4])
	case i.target != "":
		s += fmt.Sprintf(" -> %q", i.target)
	}
	return s
}

// look reads a tree.
func look(t *testing.T, root string) tree {
	t.Helper()
	got, err := readTree(root, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// readTree reads what of a tree is wanted; of a directory that is not, nothing
// is.
func readTree(root string, wanted func(path string) bool) (tree, error) {
	got := tree{}
	err := filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if full == root {
			return err
		}
		path := strings.TrimPrefix(full, root+string(filepath.Separator))
		if path == ".kith" || !wanted(path) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if err != nil {
			return err
		}
		got[path], err = readItem(full)
		return err
	})
	return got, err
}

func readItem(full string) (item, error) {
	info, err := os.Lstat(full)
	if err != nil {
		return item{}, err
	}
	i := item{kind: info.Mode().Type(), mode: info.Mode().Perm(), modTime: info.ModTime()}
	switch i.kind {
	case 0:
		i.size = info.Size()
		i.digest, err = digestOf(full)
	case fs.ModeDir:
		i.modTime = time.Time{}
	case fs.ModeSymlink:
		i.mode = 0
		i.target, err = os.Readlink(full)
	}
	return i, err
}

func digestOf(full string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(full)
	if err != nil {
		return sum, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// differences lists in what another tree differs, a few lines of it.
func (a tree) differences(b tree) string {
	var lines []string
	paths := slices.Sorted(maps.Keys(a))
	for p := range b {
		if _, ok := a[p]; !ok {
			paths = append(paths, p)
		}
	}
	for _, p := range paths {
		x, here := a[p]
		y, there := b[p]
		switch {
		case here && there && x.same(y):
		case here && there:
			lines = append(lines, fmt.Sprintf("  %q: %v, other %v", p, x, y))
		case here:
			lines = append(lines, fmt.Sprintf("  %q: %v, not on the other", p, x))
		default:
			lines = append(lines, fmt.Sprintf("  %q: only on the other, %v", p, y))
		}
	}
	if n := len(lines); n > 20 {
		lines = append(lines[:20], fmt.Sprintf("  and %d more", n-20))
	}
	return strings.Join(lines, "\n")
}

func (i item) same(o item) bool {
	at := i.modTime.Equal(o.modTime)
	i.modTime, o.modTime = time.Time{}, time.Time{}
	return at && i == o
}

// files is how many regular files there are, and how many bytes.
func (a tree) files() (n int, bytes int64) {
	for _, i := range a {
		if i.kind == 0 {
			n++
			bytes += i.size
		}
	}
	return n, bytes
}

// conflicts are the conflict copies in a tree.
func (a tree) conflicts() []string {
	var out []string
	for p := range a {
		if strings.Contains(filepath.Base(p), " (conflict, ") {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// nothingLeft demands that no temporary file lies about on a device. A device
// may tell the other that all is done a moment before it has tidied up.
func nothingLeft(t *testing.T, devices ...*device) {
	t.Helper()
	for _, d := range devices {
		eventually(t, d.name+" to leave no temporary file", 10*time.Second, d.isTidy)
	}
}

func (d *device) isTidy() error {
	for _, own := range []string{"tmp", "aside", "notes"} {
		entries, err := os.ReadDir(d.at(".kith/" + own))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if n := len(entries); n > 0 {
			return fmt.Errorf("%d files in .kith/%s, such as %q", n, own, entries[0].Name())
		}
	}
	return filepath.WalkDir(d.files, func(path string, _ fs.DirEntry, err error) error {
		name := filepath.Base(path)
		switch {
		case err != nil:
			return err
		case path == d.at(".kith"):
			return fs.SkipDir
		case strings.HasPrefix(name, ".kith"), strings.Contains(name, " (kept "):
			return fmt.Errorf("%q lies about", strings.TrimPrefix(path, d.files))
		}
		return nil
	})
}

// noConflicts demands that a tree has no conflict copies.
func noConflicts(t *testing.T, a tree) {
	t.Helper()
	if c := a.conflicts(); len(c) > 0 {
		t.Errorf("conflict copies where nothing was in conflict: %q", c)
	}
}
