package main

import (
	"os"
	"path/filepath"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheDemoCopiesFilesAndNothingElse(t *testing.T) {
	source, root := t.TempDir(), t.TempDir()
	write(t, filepath.Join(source, "a/b.txt"), "b")
	write(t, filepath.Join(source, ".kith/marker"), "m")
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, "secret")
	if err := os.Symlink(outside, filepath.Join(source, "link")); err != nil {
		t.Skip(err)
	}
	if err := os.Mkdir(filepath.Join(source, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	before, err := treeDigest(source)
	if err != nil {
		t.Fatal(err)
	}
	s, err := makeSample(root, source)
	if err != nil {
		t.Fatal(err)
	}
	if s.files != 4 || s.skipped != 1 {
		t.Errorf("%+v, want 4 files and 1 left out", s)
	}
	if b, err := os.ReadFile(filepath.Join(root, "a/b.txt")); err != nil || string(b) != "b" {
		t.Errorf("a/b.txt: %q, %v", b, err)
	}
	for _, name := range []string{"link", ".kith"} {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			t.Errorf("%s was copied", name)
		}
	}
	if after, err := treeDigest(source); err != nil || after != before {
		t.Errorf("the source changed: %s became %s, %v", before, after, err)
	}
}

func TestTheDemoCopiesSoManyFilesAtMost(t *testing.T) {
	source := t.TempDir()
	f, err := os.Create(filepath.Join(source, "huge"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(maxCopyBytes + 1); err != nil { // takes no space
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range maxCopyFiles + 10 {
		write(t, filepath.Join(source, "many", string(rune('a'+i%26)), string(rune('a'+i/26%26)), string(rune('a'+i/676))), "x")
	}
	s, err := makeSample(t.TempDir(), source)
	if err != nil {
		t.Fatal(err)
	}
	if s.files != maxCopyFiles+3 || s.skipped != 11 {
		t.Errorf("%+v", s)
	}
}

func TestTheDigestOfATreeSeesNamesAndContentsButNotKithsOwn(t *testing.T) {
	digestOf := func(change func(root string)) string {
		root := t.TempDir()
		write(t, filepath.Join(root, "a"), "1")
		write(t, filepath.Join(root, "b"), "2")
		change(root)
		d, err := treeDigest(root)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	same := digestOf(func(string) {})
	if d := digestOf(func(root string) { write(t, filepath.Join(root, ".kith/x"), "x") }); d != same {
		t.Error("kith's own directory counts")
	}
	for what, change := range map[string]func(root string){
		"a content":          func(root string) { write(t, filepath.Join(root, "a"), "3") },
		"a name":             func(root string) { _ = os.Rename(filepath.Join(root, "a"), filepath.Join(root, "c")) },
		"bytes moved over":   func(root string) { write(t, filepath.Join(root, "a"), "12"); write(t, filepath.Join(root, "b"), "") },
		"an empty directory": func(root string) { _ = os.Mkdir(filepath.Join(root, "d"), 0o700) },
		"a link for the file": func(root string) {
			_ = os.Remove(filepath.Join(root, "a"))
			_ = os.Symlink("b", filepath.Join(root, "a"))
		},
	} {
		if digestOf(change) == same {
			t.Errorf("%s does not count", what)
		}
	}
}
