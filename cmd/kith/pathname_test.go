package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func TestNamesAreShownAsAShellTakesThem(t *testing.T) {
	for name, want := range map[string]string{
		"plain": "plain", "it's here/写真.jpg": "it's here/写真.jpg", "a\xff": `$'a\xff'`, "it's\n\\": `$'it\'s\x0a\\'`,
		"\u202egnp": `$'\xe2\x80\xaegnp'`, "real \ufffd": "real \ufffd", "real \ufffd\t": "$'real \ufffd\\x09'",
	} {
		if got := shown(name); got != want {
			t.Errorf("shown(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestAPlaceThatIsMissingLiesBelowWhatExists(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Skip("no symlinks here:", err)
	}
	t.Chdir(dir)
	for arg, want := range map[string]string{
		"a": "a", "link": "link", "link/": "real", "link/a": "real/a", "link/a/../b": "real/b", "none/none": "none/none", ".": "", "link/.": "real",
		filepath.Join(dir, "link", "a"): "real/a",
	} {
		got, err := placesOf([]string{filepath.FromSlash(arg)})
		if err != nil || got[0].Text != filepath.FromSlash(arg) || got[0].Absolute != filepath.Join(dir, filepath.FromSlash(want)) {
			t.Errorf("%q is at %+v, %v, want %q", arg, got, err, want)
		}
	}
}

func TestACommandLineIsTakenApartAtSpaces(t *testing.T) {
	for line, want := range map[string][]string{
		"": nil, "  ": nil, "meld": {"meld"}, " a  b ": {"a", "b"}, `a 'b c' "d 'e'"`: {"a", "b c", "d 'e'"}, `a''b ""`: {"ab", ""}, `c:\x y`: {`c:\x`, "y"},
	} {
		if got, err := splitWords(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("splitWords(%q) = %q, %v, want %q", line, got, err, want)
		}
	}
	if got, err := splitWords(`a "b`); err == nil {
		t.Errorf("a quote without end gave %q", got)
	}
}

func TestAPlaceMeansTheConflictsThatItNames(t *testing.T) {
	c := control.Conflict{
		Folder: control.Folder{ID: entry.FolderID{0xd0}, Label: "Documents", Path: filepath.FromSlash("/home/me/Documents")},
		Path:   "a/[b].txt", Copies: []control.ConflictVersion{{Path: "a/[b] (conflict).txt"}},
	}
	for place, want := range map[control.Place]bool{
		{Text: "Documents"}: true, {Text: "Documents/"}: true, {Text: "d000"}: true, {Text: "Documents/a"}: true, {Text: "Documents/a/[b].txt"}: true,
		{Text: "Documents/a/[b] (conflict).txt"}: true, {Text: "Documents/?/*.txt"}: true, {Text: "Documents/*"}: true,
		{Text: "Documents/*.txt"}: false, {Text: "Documents/a/b.txt"}: false, {Text: "work"}: false, {Text: "work/a"}: false, {Text: "Doc/a"}: false,
		{Text: "Documents/a/[b].txt/c"}: false, {Text: ""}: false,
		{Text: "x", Absolute: filepath.FromSlash("/home/me/Documents/a/[[]*")}:    false,
		{Text: "x", Absolute: filepath.FromSlash("/home/me/Documents/a/[*")}:      true,
		{Text: "x", Absolute: filepath.FromSlash("/home/me/Documents")}:           true,
		{Text: "x", Absolute: filepath.FromSlash("/home/me/Documents2/a")}:        false,
		{Text: "Documents", Absolute: filepath.FromSlash("/home/me/Documents/z")}: false, // where it is counts first
		{Text: "Documents/a", Absolute: filepath.FromSlash("/tmp/Documents/a")}:   true,
	} {
		if got := means(place, c); got != want {
			t.Errorf("%+v means it: %v, want %v", place, got, want)
		}
	}
}

func TestOnlyAYesIsAYes(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, " YES \n": true, "yes": true, "n\n": false, "": false, "\n": false, "yess\n": false} {
		var errs bytes.Buffer
		a := &app{in: strings.NewReader(answer), err: &errs, inTerminal: true}
		err := a.confirm(t.Context(), "Sure\x1b?")
		if (err == nil) != want || err != nil && !errors.Is(err, errDeclined) || errs.String() != "Sure\ufffd? [y/N] " {
			t.Errorf("%q: %v after %q", answer, err, errs.String())
		}
	}
}
