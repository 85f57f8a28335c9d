package tree

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree/names"
)

// spellings are pairs of names that some file system takes for one.
var spellings = [][2]string{
	{"report.odt", "Report.odt"}, {"été", "ÉTÉ"}, {"\u00e4rger", "a\u0308rger"}, {"\u00c4rger", "a\u0308rger"},
	{"straße", "strasse"}, {"straße", "STRASSE"}, {"ﬁle", "file"}, {"οδος", "ΟΔΟΣ"}, {"\uac00", "\u1100\u1161"},
	{"❤\ufe0f", "❤"}, {"a\u200db", "ab"}, {"\u0131", "i"}, {"\u0130", "i\u0307"}, {"\U00010400", "\U00010428"},
	{"300\u212a", "300k"}, {"a", "b"}, {"①", "1"}, {"ﷺ", "صلى"}, {"A\xff", "a\xff"}, {"a\xff", "a\xfe"},
}

// oddities are names that some file system cannot hold.
var oddities = []string{
	`a"b`, "a*b", "a:b", "a<b", "a>b", "a?b", `a\b`, "a|b", "a\x01b", "a\nb", "a\x1fb", "a\x7fb", "end.", "end..", "end ", "a.b", " a",
	"\xff", "Capital", "é", "e\u0301", "🦊", "aux", "Con.txt", "com¹", "plain", "~", "%", "a;b", "[a]", "a=b", "a,b", "+",
}

// TestTraitsAreWhatTheFileSystemDoes is of whatever the temporary directory is
// on.
func TestTraitsAreWhatTheFileSystemDoes(t *testing.T) {
	traitsHold(t, filepath.Join(t.TempDir(), "folder"))
}

// traitsHold makes root a folder, and compares what its traits say with what
// becomes of files, but of those names that are said to be exceptions.
func traitsHold(t *testing.T, root string, but ...string) names.Traits {
	t.Helper()
	must(t, Create(root, testID))
	tr, err := Open(root, testID)
	must(t, err)
	defer func() { must(t, tr.Close()) }()
	traits, err := tr.Traits()
	must(t, err)
	if left, err := os.ReadDir(filepath.Join(root, tmpDir)); err != nil || len(left) > 0 {
		t.Errorf("left among the temporaries: %v, %v", left, err)
	}
	for _, pair := range spellings {
		if st, err := os.Create(filepath.Join(root, pair[0])); err == nil {
			must(t, st.Close())
			_, err := os.Lstat(filepath.Join(root, pair[1]))
			if one, says := err == nil, traits.Key(pair[0]) == traits.Key(pair[1]); one != says && !slices.Contains(but, pair[0]) {
				t.Errorf("%q and %q are one: %v; %+v says %v", pair[0], pair[1], one, traits, says)
			}
			must(t, os.Remove(filepath.Join(root, pair[0])))
		}
	}
	for _, name := range oddities {
		why, refused := traits.Refuses(name)
		if held := holdsName(t, tr, name); held == refused && !slices.Contains(but, name) {
			t.Errorf("%q is held: %v; %+v refuses it: %v, %q", name, held, traits, refused, why)
		}
	}
	return traits
}

// holdsName places a file, and tells whether it is then listed by its name.
func holdsName(t *testing.T, tr *Tree, name string) bool {
	t.Helper()
	s := staged(t, tr, "content")
	_, err := tr.Place(entry.Path(name), s, meta, nil)
	must(t, s.Discard())
	before, lerr := tr.List("")
	must(t, lerr)
	for _, c := range before {
		must(t, os.Remove(filepath.Join(tr.path, c.Name)))
	}
	return err == nil && len(before) == 1 && before[0].Name == name
}

func TestTraitsAreFoundOutOnce(t *testing.T) {
	tr := testTree(t)
	first, err := tr.Traits()
	must(t, err)
	must(t, os.RemoveAll(tr.file(tmpDir)))
	must(t, os.WriteFile(tr.file(tmpDir), nil, 0o600)) // where nothing can be found out
	again, err := tr.Traits()
	if must(t, err); again != first {
		t.Errorf("%+v, then %+v", first, again)
	}
	must(t, os.Remove(tr.file(tmpDir)))
}

func TestTraitsThatCannotBeFoundOutAreAnError(t *testing.T) {
	tr := testTree(t)
	must(t, os.RemoveAll(tr.file(tmpDir)))
	must(t, os.WriteFile(tr.file(tmpDir), nil, 0o600))
	if got, err := tr.Traits(); err == nil {
		t.Errorf("traits %+v of a folder that takes no files", got)
	}
	must(t, os.Remove(tr.file(tmpDir)))
	if _, err := tr.Traits(); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestTraitsCanBeAskedByManyAtOnce(t *testing.T) {
	tr := testTree(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := tr.Traits(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestWhatACrashLeavesOfTraitsIsATemporary(t *testing.T) {
	tr := testTree(t)
	d, err := tr.inOwn(tmpDir)
	must(t, err)
	defer d.close()
	p := &prober{shelf: temporaries{tr, d}, tag: "probe-" + fresh()}
	must(t, p.try(p.samples()))
	if len(p.made) < 10 {
		t.Fatalf("made only %q", p.made)
	}
	must(t, tr.CleanTemporaries(func(string) bool { return true }))
	for _, name := range p.made {
		if _, err := os.Lstat(filepath.Join(tr.path, tmpDir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q was kept: %v", name, err)
		}
	}
}

// said is a file system that does what traits say, and no more.
type said struct {
	traits names.Traits
	files  map[string]string // key to name
}

func (s said) make(name string) error {
	stored := s.stored(name)
	if _, refused := s.traits.Refuses(stored); refused {
		return fs.ErrInvalid
	}
	if s.finds(name) {
		return fs.ErrExist
	}
	s.files[s.traits.Key(stored)] = stored
	return nil
}

// stored is what becomes of a name.
func (s said) stored(name string) string {
	if s.traits.Decomposes {
		name = norm.NFD.String(name)
	}
	if s.traits.Lowers && utf8.ValidString(name) {
		name = strings.ToLower(name)
	}
	return name
}

func (s said) finds(name string) bool {
	_, found := s.files[s.traits.Key(s.stored(name))]
	return found
}

func (s said) names() ([]string, error) { return slices.Collect(maps.Values(s.files)), nil }

func (s said) remove(name string) error {
	delete(s.files, s.traits.Key(s.stored(name)))
	return nil
}

// subset draws some of the characters of all, in their order.
func subset(t *rapid.T, all []string, label string) (some string) {
	for _, c := range all {
		if rapid.Bool().Draw(t, label) {
			some += c
		}
	}
	return some
}

func TestWhatAFileSystemDoesIsWhatIsFoundOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := names.Traits{
			MaxName: rapid.SampledFrom([]int{0, 0, 40, 143, 254}).Draw(t, "longest"),
			Windows: rapid.Bool().Draw(t, "windows"),
			MaxRune: rapid.SampledFrom([]rune{0, 0, 0x7F, 0xFFFF}).Draw(t, "last"),
		}
		if want.FoldsCase = rapid.Bool().Draw(t, "case"); want.FoldsCase {
			want.Lowers = rapid.Bool().Draw(t, "lowers")
		}
		if want.MaxRune != 0x7F {
			want.FoldsForm = rapid.Bool().Draw(t, "form")
			want.Decomposes = want.FoldsForm && rapid.Bool().Draw(t, "decomposes")
			want.Ignores = rapid.Bool().Draw(t, "ignores")
		}
		if want.FoldsCase && want.MaxRune == 0 && !want.Lowers {
			want.LastCased = rapid.SampledFrom([]rune{0, 0x7F, 0xFFFF}).Draw(t, "last cased")
			want.Expands = want.LastCased == 0 && rapid.Bool().Draw(t, "expands")
		}
		if !want.Windows {
			want.WellFormed = want.MaxRune > 0 || want.Decomposes || rapid.Bool().Draw(t, "well-formed")
			want.Ends = subset(t, probeEnds, "ends")
			want.Forbids = subset(t, probeForbids, "forbids")
			if rapid.Bool().Draw(t, "controls") {
				want.Forbids += controls
			}
		}
		shelf := said{want, map[string]string{"other": "other"}}
		got, err := probe(shelf, false)
		if want.LastCased == 0 && want.MaxRune == 0xFFFF && want.FoldsCase {
			want.LastCased = 0xFFFF // the same, as there are no others
		}
		if err != nil || got != want {
			t.Fatalf("found\n%+v, %v, want\n%+v", got, err, want)
		}
		if len(shelf.files) != 1 {
			t.Fatalf("left behind: %q", shelf.files)
		}
	})
}

func BenchmarkTraits(b *testing.B) {
	tr := testTree(b)
	for b.Loop() {
		if _, err := tr.probe(); err != nil {
			b.Fatal(err)
		}
	}
}
