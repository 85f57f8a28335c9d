package storytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAnInsertionAndARenameOfABigFileMoveLittle(t *testing.T) {
	t.Parallel()
	laptop, phone := onLAN(t)
	rng := chance(t, "the big file")
	bytes := int64(size(32<<20, 256<<20))
	writeNoise(t, rng, laptop.at("big"), bytes)
	write(t, laptop.at("small"), "beside it")
	share(t, laptop, phone)
	whole := moved(t, laptop, phone, func() {})
	t.Logf("the start of a sync of %d bytes: %d bytes cross", bytes, whole)

	insertion := moved(t, laptop, phone, func() { insertAtFront(t, laptop.at("big"), noise(rng, 1<<10)) })
	t.Logf("1 KiB inserted at the front of %d MiB: %d bytes cross", bytes>>20, insertion)
	if insertion >= 2<<20 {
		t.Errorf("inserting 1 KiB moves %d bytes, 2 MiB or more", insertion)
	}
	if insertion < 1<<10 {
		t.Errorf("inserting 1 KiB moves %d bytes: that cannot be", insertion)
	}
	rename := moved(t, laptop, phone, func() { mustRename(t, laptop.at("big"), laptop.at("elsewhere/large")) })
	t.Logf("renamed: %d bytes cross", rename)
	if rename >= bytes/100 {
		t.Errorf("renaming a file of %d bytes moves %d, 1 %% or more", bytes, rename)
	}
}

func TestARenameOfADirectoryMovesLittle(t *testing.T) {
	t.Parallel()
	laptop, phone := onLAN(t)
	// Names must cross, as they were and as they are: this leaves each file 204
	// bytes for both.
	const each = 20 << 10
	n := size(500, 5000)
	rng := chance(t, "the files")
	for i := range n {
		writeNoise(t, rng, laptop.at(fmt.Sprintf("photos/%02d/%04d.jpg", i%20, i)), each)
	}
	share(t, laptop, phone)
	moved(t, laptop, phone, func() {})
	rename := moved(t, laptop, phone, func() { mustRename(t, laptop.at("photos"), laptop.at("albums/of summer")) })
	t.Logf("a directory of %d files, %d bytes, renamed: %d bytes cross, %d for each file", n, n*each, rename, rename/int64(n))
	if rename >= int64(n*each/100) {
		t.Errorf("renaming a directory of %d bytes moves %d, 1 %% or more", n*each, rename)
	}
}

// moved is how many bytes cross the cable from a change on laptop until both
// devices are the same.
func moved(t *testing.T, laptop, phone *device, change func()) int64 {
	t.Helper()
	before := laptop.net.crossed(t)
	change()
	sameTrees(t, laptop, phone, 10*time.Minute)
	return laptop.net.crossed(t) - before
}

// insertAtFront rewrites a file with something before its content, and saves
// as careful programs do.
func insertAtFront(t *testing.T, path string, what []byte) {
	t.Helper()
	beside := filepath.Join(filepath.Dir(filepath.Dir(path)), "being saved")
	if err := os.WriteFile(beside, what, 0o644); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(beside, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(old); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	mustRename(t, beside, path)
}

func mustRename(t *testing.T, from, to string) {
	t.Helper()
	makeParent(t, to)
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestTheWireShowsNoNameAndNoContent(t *testing.T) {
	t.Parallel()
	laptop, phone := onLAN(t)
	rng := chance(t, "what is planted")
	word := func(kind string) string { return fmt.Sprintf("%s-%016x", kind, rng.Uint64()) }
	planted := map[string]string{
		"a file's name": word("file"), "a directory's name": word("directory"), "a symlink's target": word("target"),
		"a small file's content": word("small"), "a big file's content": word("big"), "the content of an edit": word("edit"),
		"the name after a rename": word("renamed"), "the label": word("label"),
	}
	write(t, laptop.at(planted["a directory's name"]+"/"+planted["a file's name"]), planted["a small file's content"])
	write(t, laptop.at("big"), strings.Repeat(planted["a big file's content"]+"\n", size(50_000, 500_000)))
	if err := os.Symlink(planted["a symlink's target"], laptop.at("link")); err != nil {
		t.Fatal(err)
	}
	writeNoise(t, rng, laptop.at("noise"), 1<<20)

	c := capture(t, laptop.net)
	laptop.start()
	phone.start()
	laptop.do(nil, "add", laptop.files, "--name", planted["the label"])
	s := laptop.show("--share", planted["the label"])
	phone.do(nil, "pair", s.Code)
	if a := s.end(); a.code != 0 {
		t.Fatalf("pair: %s", a.err)
	}
	_, words, _ := strings.Cut(s.Code, "-")
	planted["the words of the code"] = words
	eventually(t, "the offer", patience, func() error {
		if a := phone.ask("accept", planted["the label"], phone.files); a.code != 0 {
			return fmt.Errorf("%s", a.err)
		}
		return nil
	})
	sameTrees(t, phone, laptop, time.Minute)
	write(t, phone.at("big"), planted["the content of an edit"])
	mustRename(t, phone.at("noise"), phone.at(planted["the name after a rename"]))
	sameTrees(t, laptop, phone, time.Minute)

	seen := c.end()
	if len(seen.payload) < 1<<20 {
		t.Fatalf("only %d bytes were captured", len(seen.payload))
	}
	for what, text := range planted {
		if where := seen.find(text); where != "" {
			t.Errorf("%s, %q, is on the wire: %s", what, text, where)
		}
	}
}
