package look

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/seal"
)

// bench is a looker at a real tree, with a real index and real keys. Its clock
// is an hour ahead, so that every file has been left alone for long.
type bench struct {
	keys *seal.Keys
	*Looker
	t    *testing.T
	root string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	id := entry.FolderID{7}
	b := &bench{t: t, root: filepath.Join(t.TempDir(), "root")}
	b.must(tree.Create(b.root, id))
	tr, err := tree.Open(b.root, id)
	b.must(err)
	t.Cleanup(func() { _ = tr.Close() })
	db, err := index.Open(filepath.Join(filepath.Dir(b.root), "index"))
	b.must(err)
	t.Cleanup(func() { _ = db.Close() })
	b.must(db.Update(func(tx *index.Tx) error {
		_, err := tx.CreateFolder(id, 1, 1)
		return err
	}))
	keys, err := seal.Derive(id, 1, seal.FolderKey{1})
	b.must(err)
	b.keys = keys
	b.Looker = &Looker{
		Tree: Of(tr), DB: db, Folder: id, Keys: func(entry.Epoch) *seal.Keys { return keys }, Epochs: func() []entry.Epoch { return []entry.Epoch{1} }, Ignores: NewIgnores(Of(tr), LocalRules(b.root)),
		Now: func() time.Time { return time.Now().Add(time.Hour) },
	}
	return b
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) at(p string) string { return filepath.Join(b.root, filepath.FromSlash(p)) }

func (b *bench) write(p, text string) {
	b.t.Helper()
	b.must(os.MkdirAll(filepath.Dir(b.at(p)), 0o755))
	b.must(os.WriteFile(b.at(p), []byte(text), 0o644))
}

// look is all that a look at the targets finds, in its order.
func (b *bench) look(targets ...Target) []Finding {
	b.t.Helper()
	var out []Finding
	b.must(b.Look(context.Background(), targets, func(f []Finding) error {
		out = append(out, f...)
		return nil
	}))
	return out
}

func (b *bench) all() []Finding {
	b.t.Helper()
	return b.look(Target{Below: true})
}

// learn puts all that is on disk into the index. It returns the sequences.
func (b *bench) learn() map[entry.Path]entry.Sequence {
	b.t.Helper()
	seqs := map[entry.Path]entry.Sequence{}
	found := b.all()
	b.must(b.DB.Update(func(tx *index.Tx) error {
		x, err := tx.Folder(b.Folder)
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.Err != nil || f.Unsteady || !f.Present {
				b.t.Fatalf("learn %+v", f)
			}
			n, err := x.NextCount()
			if err != nil {
				return err
			}
			e := &entry.Entry{
				Path: f.Path, AuthorName: "here", Kind: f.Stat.Kind, Mode: f.Stat.Mode, ModTime: f.Stat.ModTime, Epoch: 1,
				Size: f.Stat.Size, Target: f.Stat.Target, Blocks: f.Blocks, Disk: f.Stat.Disk,
				Version: version.Version{Vector: version.Vector{{Replica: x.Replica(), Count: n}}, Clock: 1, Author: x.Replica()},
			}
			if seqs[f.Path], err = x.Put(e); err != nil {
				return err
			}
		}
		return nil
	}))
	if again := b.all(); len(again) != 0 {
		b.t.Fatalf("what was just learned differs: %+v", again)
	}
	return seqs
}

func paths(found []Finding) []entry.Path {
	var out []entry.Path
	for _, f := range found {
		out = append(out, f.Path)
	}
	return out
}

// one is the only finding, at p.
func (b *bench) one(found []Finding, p entry.Path) Finding {
	b.t.Helper()
	if len(found) != 1 || found[0].Path != p || found[0].Err != nil {
		b.t.Fatalf("not one finding at %q: %+v", p, found)
	}
	return found[0]
}

// holds checks that the blocks of a finding are those of the text.
func (b *bench) holds(f Finding, text string) {
	b.t.Helper()
	var want []entry.Block
	b.must(b.chunker(1, b.keys).Split(bytes.NewReader([]byte(text)), int64(len(text)), func(c []byte) error {
		want = append(want, entry.Block{ID: b.keys.BlockID(c), Length: uint32(len(c))})
		return nil
	}))
	if !f.Present || f.Unsteady || f.Stat.Kind != entry.File || f.Stat.Size != int64(len(text)) || !slices.Equal(f.Blocks, want) {
		b.t.Errorf("%+v is not the file of %q", f, text)
	}
}

func TestANewFileIsFoundWithItsContent(t *testing.T) {
	b := newBench(t)
	b.write("old", "old")
	b.learn()
	b.write("new", "new text")
	for name, target := range map[string]Target{"the folder": {Below: true}, "the path": {Path: "new"}} {
		f := b.one(b.look(target), "new")
		if b.holds(f, "new text"); f.Seen != 0 {
			t.Errorf("%s: a new file was seen before, at %d", name, f.Seen)
		}
	}
}

func TestAChangedFileIsFoundWithTheEntryItReplaces(t *testing.T) {
	b := newBench(t)
	b.write("d/f", "before")
	b.write("d/g", "stays")
	seqs := b.learn()
	b.write("d/f", "after that")
	for _, target := range []Target{{Below: true}, {Path: "d", Below: true}, {Path: "d/f"}} {
		f := b.one(b.look(target), "d/f")
		if b.holds(f, "after that"); f.Seen != seqs["d/f"] {
			t.Errorf("it was compared with %d, not %d", f.Seen, seqs["d/f"])
		}
	}
	if found := b.look(Target{Path: "d/g"}, Target{Path: "d"}); len(found) != 0 {
		t.Errorf("unchanged, and found: %+v", found)
	}
}

func TestWhatIsMissingIsReportedLastAndFromBelow(t *testing.T) {
	b := newBench(t)
	b.write("a/b/f", "moves")
	b.write("a/g", "goes")
	seqs := b.learn()
	b.must(os.Rename(b.at("a/b/f"), b.at("z")))
	b.must(os.RemoveAll(b.at("a")))
	for _, targets := range [][]Target{{{Below: true}}, {{Path: "a"}, {Path: "z"}}} {
		found := b.look(targets...)
		if got := paths(found); !slices.Equal(got, []entry.Path{"z", "a/g", "a/b/f", "a/b", "a"}) {
			t.Fatalf("found in the order %q", got)
		}
		b.holds(found[0], "moves")
		for _, f := range found[1:] {
			if f.Present || f.Seen != seqs[f.Path] || f.Err != nil || f.Unsteady {
				t.Errorf("not just missing: %+v", f)
			}
		}
	}
}

func TestADirectoryThatBecameAFile(t *testing.T) {
	b := newBench(t)
	b.write("d/f", "in it")
	seqs := b.learn()
	b.must(os.RemoveAll(b.at("d")))
	b.write("d", "a file now")
	for _, target := range []Target{{Below: true}, {Path: "d"}} {
		found := b.look(target)
		if !slices.Equal(paths(found), []entry.Path{"d", "d/f"}) {
			t.Fatalf("found %+v", found)
		}
		if b.holds(found[0], "a file now"); found[0].Seen != seqs["d"] || found[1].Present || found[1].Seen != seqs["d/f"] {
			t.Errorf("found %+v", found)
		}
	}
}

func TestWhatIsIgnoredIsNeitherFoundNorMissing(t *testing.T) {
	b := newBench(t)
	b.write("gone.tmp", "known before the rule")
	b.write("here.tmp", "known before the rule")
	b.write("cache/f", "known before the rule")
	b.learn()
	b.write(".kithignore", "*.tmp\ncache/\n")
	b.Ignores.Forget()
	b.must(os.Remove(b.at("gone.tmp")))
	b.must(os.RemoveAll(b.at("cache")))
	b.write("here.tmp", "changed since")
	b.write("new.tmp", "new")
	found := b.look(Target{Below: true}, Target{Path: "gone.tmp"}, Target{Path: "here.tmp"}, Target{Path: "new.tmp"}, Target{Path: "cache"})
	b.one(found, ".kithignore")
}

func TestARuleThatWasJustWrittenHoldsForWhatCameWithIt(t *testing.T) {
	b := newBench(t)
	b.write(".kithignore", "*.tmp\n")
	b.write("d/.kithignore", "*.bak\n")
	b.write("d/f", "known")
	b.look(Target{Below: true})
	b.learn()
	b.write(".kithignore", "*.tmp\nsecret*\n")
	b.write("d/.kithignore", "*.bak\nown*\n")
	for _, name := range []string{"secret1", "d/secret2", "d/own"} {
		b.write(name, "not for others")
	}
	for name, found := range map[string][]Finding{
		"each alone": b.look(Target{Path: "secret1"}, Target{Path: "d/secret2"}, Target{Path: "d/own"}),
		"a walk":     b.look(Target{Below: true}),
	} {
		for _, f := range found {
			if f.Path != ".kithignore" && f.Path != "d/.kithignore" {
				t.Errorf("%s: found %q", name, f.Path)
			}
		}
	}
}

func TestAFileOpenForWritingIsUnsteady(t *testing.T) {
	b := newBench(t)
	f, err := os.Create(b.at("f"))
	b.must(err)
	defer f.Close()
	_, err = f.WriteString("half of it")
	b.must(err)
	changed := func() time.Time {
		st, err := b.Tree.Lstat("f")
		b.must(err)
		return time.Unix(0, st.Disk.ChangeTime)
	}
	after := func(d time.Duration) Finding {
		now := changed().Add(d)
		b.Now = func() time.Time { return now }
		return b.one(b.all(), "f")
	}
	for _, d := range []time.Duration{0, tick, 100 * time.Millisecond} {
		if f := after(d); !f.Unsteady || f.Blocks != nil {
			t.Errorf("open, %v after the last write: %+v", d, f)
		}
	}
	b.holds(after(openQuiet), "half of it") // a log is never closed
	b.must(f.Close())
	if f := after(tick / 2); !f.Unsteady {
		t.Errorf("half a tick after the last write: %+v", f)
	}
	b.holds(after(closedQuiet), "half of it")
}
