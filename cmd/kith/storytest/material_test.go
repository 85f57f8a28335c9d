package storytest

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// goSource is where Go's own source lies: a tree that people wrote, and that is
// on every machine that runs tests.
func goSource(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "src")
}

var errEnough = errors.New("enough")

// copyTree copies a tree with its modes and times, so many of its files at
// most. What it copies can be written to.
func copyTree(t *testing.T, from, to string, most int) {
	t.Helper()
	n := 0
	times := map[string]time.Time{}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n == most {
			return errEnough
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		dst := filepath.Join(to, strings.TrimPrefix(path, from))
		switch info.Mode().Type() {
		case fs.ModeDir:
			return os.MkdirAll(dst, info.Mode().Perm()|0o700)
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, dst)
		case 0:
			n++
			times[dst] = info.ModTime()
			return copyFile(path, dst, info.Mode().Perm()|0o200)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	for path, at := range times {
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(from, to string, mode fs.FileMode) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// clone copies a tree exactly, kith's own directory included, as cp -a does.
func clone(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp -a: %v: %s", err, out)
	}
}

// writeNoise writes a file of random bytes, of any size.
func writeNoise(t *testing.T, r *rand.Rand, path string, bytes int64) {
	t.Helper()
	makeParent(t, path)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	w := bufio.NewWriterSize(f, 1<<20)
	for bytes > 0 {
		n := min(bytes, 1<<20)
		_, _ = w.Write(noise(r, int(n))) // told by Flush
		bytes -= n
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// write writes a file in place, as an editor would that knows no better.
func write(t *testing.T, path, content string) {
	t.Helper()
	makeParent(t, path)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func makeParent(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
}

// has tells what is amiss if a file does not hold some content.
func has(path, content string) error {
	b, err := os.ReadFile(path)
	if err == nil && string(b) != content {
		err = errors.New("it holds something else")
	}
	return err
}

// oddities adds to a tree what trees of source do not have.
func oddities(t *testing.T, root string) {
	t.Helper()
	write(t, filepath.Join(root, "odd/empty file"), "")
	write(t, filepath.Join(root, "odd/-rf"), "a leading dash")
	write(t, filepath.Join(root, "odd/.dot"), "a leading dot")
	write(t, filepath.Join(root, "odd/"+strings.Repeat("x", 251)+".txt"), "255 bytes")
	write(t, filepath.Join(root, "odd/run.sh"), "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(root, "odd/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "odd/an/empty/directory"), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"to a file": "run.sh", "to nothing": "/nowhere/at all", "to a directory": "an"} {
		if err := os.Symlink(target, filepath.Join(root, "odd", name)); err != nil {
			t.Skip("no symlinks here: ", err)
		}
	}
}
