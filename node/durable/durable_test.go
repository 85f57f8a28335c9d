package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWriteReplacesWhateverIsThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, want := range []string{"one", "two, longer", ""} {
		if err := Write(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, path, want, 0o600)
	}
	alone(t, dir, "a")
}

func TestWriteGivesThePermissionsAskedForWhateverTheUmask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, perm := range []fs.FileMode{0o600, 0o644, 0o400} {
		if err := Write(path, nil, perm); err != nil {
			t.Fatal(err)
		}
		expect(t, path, "", perm)
	}
}

func TestWriteReplacesASymlinkAndLeavesWhatItPointsAt(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "a")
	symlink(t, outside, path)
	if err := Write(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, path, "new", 0o600)
	expect(t, outside, "mine", 0o600)
}

func TestCreateRefusesAnythingThatIsThereAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Create(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("want ErrExist, got %v", err)
	}
	expect(t, path, "first", 0o600)
	alone(t, dir, "a")

	dangling := filepath.Join(dir, "b")
	symlink(t, filepath.Join(dir, "nowhere"), dangling)
	if err := Create(dangling, []byte("x"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("want ErrExist over a dangling symlink, got %v", err)
	}
}

func TestAFailedWriteLeavesTheOldFileAndNoTemporary(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.Mkdir(path, 0o700); err != nil { // a directory cannot be replaced by a file
		t.Fatal(err)
	}
	if err := Write(path, []byte("x"), 0o600); err == nil {
		t.Fatal("a file took the place of a directory")
	}
	alone(t, dir, "a")
}

func TestSweepRemovesTemporariesAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{prefix + "123", "keep"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	alone(t, dir, "keep")
}

func TestRemoveOfWhatIsGoneIsDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := Write(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t *testing.T, path, want string, perm fs.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, []byte(want)) {
		t.Fatalf("%s holds %q (%v), want %q", path, got, err, want)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode() != perm {
		t.Fatalf("%s has mode %v, want %v", path, info.Mode(), perm)
	}
}

func alone(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != name {
		t.Fatalf("%s holds %v, want only %s", dir, entries, name)
	}
}

func symlink(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Skipf("needs symlinks: %v", err)
	}
}
