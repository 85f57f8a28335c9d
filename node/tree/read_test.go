package tree

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// oddNames are all legal on Linux.
var oddNames = []string{
	"new\nline", "-rf", "--", " ", "...", ".hidden", "a'b\"c", "*", "\\", "con", "x\x7f", "é", "e\u0301",
	"\xff\xfe not UTF-8", strings.Repeat("n", 255), strings.Repeat("é", 127), ".kith-", ".kithx", "tab\there",
}

func TestOddNamesSurviveAsBytes(t *testing.T) {
	tr := testTree(t)
	_, err := tr.Mkdir("d", 0o755)
	must(t, err)
	for _, name := range oddNames {
		p := entry.Path("d").Join(name)
		st, err := tr.Place(p, staged(t, tr, name), meta, nil)
		must(t, err)
		st, err = tr.Place(p, staged(t, tr, "2"+name), meta, &st)
		must(t, err)
		if got := stat(t, tr, p); !got.Same(st) {
			t.Errorf("%q: %+v, placed %+v", name, got, st)
		}
		if content(t, tr, p) != "2"+name {
			t.Errorf("%q: wrong content", name)
		}
	}
	children, err := tr.List("d")
	must(t, err)
	if len(children) != len(oddNames) {
		t.Errorf("%d of %d listed", len(children), len(oddNames))
	}
	for i, c := range children {
		if i > 0 && children[i-1].Name >= c.Name {
			t.Errorf("%q comes before %q", children[i-1].Name, c.Name)
		}
		must(t, tr.Remove(entry.Path("d").Join(c.Name), c.Stat))
	}
	must(t, tr.Remove("d", stat(t, tr, "d")))
}

func TestListHidesWhatIsKithsOwnAndNothingElse(t *testing.T) {
	tr := testTree(t)
	put(t, tr, "a", "")
	put(t, tr, "sub/.kith", "")
	put(t, tr, ".kithx", "")
	must(t, os.WriteFile(tr.file("sub/"+tempPrefix+"0"), nil, 0o600))
	for dir, want := range map[entry.Path]string{"": ".kithx a sub", "sub": ".kith"} {
		children, err := tr.List(dir)
		must(t, err)
		var names []string
		for _, c := range children {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s", dir, got)
		}
	}
	must(t, os.Remove(tr.file("sub/"+tempPrefix+"0")))
}

func TestListAgreesWithLstat(t *testing.T) {
	tr := testTree(t)
	put(t, tr, "file", "12345")
	must(t, os.Mkdir(tr.file("dir"), 0o750))
	must(t, os.Symlink("to/where", tr.file("link")))
	children, err := tr.List("")
	must(t, err)
	for _, c := range children {
		if st := stat(t, tr, entry.Path(c.Name)); st != c.Stat {
			t.Errorf("%s: %+v, listed as %+v", c.Name, st, c.Stat)
		}
	}
	if link := stat(t, tr, "link"); link.Kind != entry.Symlink || link.Target != "to/where" || link.Mode != 0o777 || link.Size != 0 {
		t.Errorf("%+v", link)
	}
	if f := stat(t, tr, "file"); f.Kind != entry.File || f.Size != 5 || f.Mode != 0o644 {
		t.Errorf("%+v", f)
	}
	if d := stat(t, tr, "dir"); d.Kind != entry.Directory || d.Mode != 0o750 || d.ModTime != 0 {
		t.Errorf("%+v", d)
	}
}

func TestPathsThatLeadNowhereDoNotExist(t *testing.T) {
	tr := testTree(t)
	put(t, tr, "file", "x")
	put(t, tr, "dir/x", "x")
	must(t, os.Symlink("dir", tr.file("link")))
	for p, want := range map[entry.Path]error{
		"none": fs.ErrNotExist, "none/x": fs.ErrNotExist, "file/x": ErrNotDirectory, "link/x": ErrThroughLink,
		"dir/none": fs.ErrNotExist,
	} {
		_, lerr := tr.Lstat(p)
		_, oerr := tr.OpenFile(p)
		_, derr := tr.List(p)
		rerr := tr.Remove(p, Stat{Kind: entry.File})
		for _, err := range []error{lerr, oerr, derr, rerr} {
			if !errors.Is(err, want) || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: got %v, want %v", p, err, want)
			}
		}
	}
	for p, want := range map[entry.Path]error{"file": ErrNotDirectory, "link": ErrThroughLink} {
		if _, err := tr.List(p); !errors.Is(err, want) {
			t.Errorf("list %q: %v", p, err)
		}
	}
}

func TestNoPathLeavesTheFolderOrTouchesWhatIsKithsOwn(t *testing.T) {
	tr := testTree(t)
	for p, want := range map[entry.Path]error{
		"..": entry.ErrPath, "../x": entry.ErrPath, "/etc/passwd": entry.ErrPath, "a/../../x": entry.ErrPath,
		".": entry.ErrPath, "a//b": entry.ErrPath, "a/": entry.ErrPath, "a\x00b": entry.ErrPath,
		".kith": entry.ErrPath, ".kith/folder": entry.ErrPath, entry.Path(strings.Repeat("n", 256)): entry.ErrPath,
		tempPrefix + "x": ErrReserved, "a/" + tempPrefix + "x": ErrReserved, tempPrefix + "/x": ErrReserved,
	} {
		s := staged(t, tr, "evil")
		_, placed := tr.Place(p, s, meta, nil)
		_, made := tr.Mkdir(p, 0o755)
		_, looked := tr.Lstat(p)
		_, opened := tr.OpenFile(p)
		_, listed := tr.List(p)
		_, set := tr.SetMeta(p, meta, Stat{})
		_, moved := tr.Move(p, "ok", Stat{}, meta)
		_, movedTo := tr.Move("ok", p, Stat{}, meta)
		removed := tr.Remove(p, Stat{})
		for i, err := range []error{placed, made, looked, opened, listed, set, moved, removed} {
			if !errors.Is(err, want) {
				t.Errorf("%q, %d: got %v, want %v", p, i, err, want)
			}
		}
		if movedTo == nil {
			t.Errorf("moved to %q", p)
		}
	}
	must(t, tr.Check())
}

func TestSameComparesWhatIdentifiesAState(t *testing.T) {
	file := Stat{Kind: entry.File, Mode: 0o644, Size: 5, ModTime: 7, Disk: entry.Disk{Inode: 3, ChangeTime: 9}}
	link := Stat{Kind: entry.Symlink, Mode: 0o777, ModTime: 7, Target: "x", Disk: entry.Disk{Inode: 3, ChangeTime: 9}}
	dir := Stat{Kind: entry.Directory, Mode: 0o755, Disk: entry.Disk{Inode: 3, ChangeTime: 9}}
	with := func(s Stat, change func(*Stat)) Stat { change(&s); return s }
	for name, c := range map[string]struct {
		a, b Stat
		want bool
	}{
		"equal files":               {file, file, true},
		"equal links":               {link, link, true},
		"mode":                      {file, with(file, func(s *Stat) { s.Mode = 0o755 }), false},
		"size":                      {file, with(file, func(s *Stat) { s.Size++ }), false},
		"modification time":         {file, with(file, func(s *Stat) { s.ModTime++ }), false},
		"inode":                     {file, with(file, func(s *Stat) { s.Disk.Inode++ }), false},
		"change time":               {file, with(file, func(s *Stat) { s.Disk.ChangeTime++ }), false},
		"change time of a link":     {link, with(link, func(s *Stat) { s.Disk.ChangeTime++ }), false},
		"target":                    {link, with(link, func(s *Stat) { s.Target = "y" }), false},
		"kind":                      {file, with(file, func(s *Stat) { s.Kind = entry.Symlink }), false},
		"directories, other times":  {dir, with(dir, func(s *Stat) { s.Disk.ChangeTime++; s.ModTime++ }), true},
		"directories, other inodes": {dir, with(dir, func(s *Stat) { s.Disk.Inode++ }), true},
		"directories, other modes":  {dir, with(dir, func(s *Stat) { s.Mode = 0 }), false},
		"what kith does not sync":   {Stat{}, Stat{}, false},
		"deleted":                   {Stat{Kind: entry.Deleted}, Stat{Kind: entry.Deleted}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if c.a.Same(c.b) != c.want || c.b.Same(c.a) != c.want {
				t.Errorf("want %v", c.want)
			}
		})
	}
}

func TestStatOfAnEntryIsWhatWasPlaced(t *testing.T) {
	tr := testTree(t)
	st, err := tr.Place("f", staged(t, tr, "abc"), meta, nil)
	must(t, err)
	e := &entry.Entry{Kind: entry.File, Mode: meta.Mode, ModTime: meta.ModTime, Size: 3, Disk: st.Disk}
	if !StatOf(e).Same(stat(t, tr, "f")) {
		t.Errorf("%+v, on disk %+v", StatOf(e), st)
	}
	l, err := tr.StageSymlink("l", "target")
	must(t, err)
	st, err = tr.Place("l", l, meta, nil)
	must(t, err)
	e = &entry.Entry{Kind: entry.Symlink, Mode: 0o777, ModTime: st.ModTime, Target: "target", Disk: st.Disk}
	if !StatOf(e).Same(stat(t, tr, "l")) {
		t.Errorf("%+v, on disk %+v", StatOf(e), st)
	}
	st, err = tr.Mkdir("d", 0o750)
	must(t, err)
	if e = (&entry.Entry{Kind: entry.Directory, Mode: 0o750, Disk: st.Disk}); !StatOf(e).Same(stat(t, tr, "d")) {
		t.Errorf("%+v, on disk %+v", StatOf(e), st)
	}
}
