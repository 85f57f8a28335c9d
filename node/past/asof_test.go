package past_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/protocol/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func treeAt(t testing.TB, p *past.Past, at time.Time) *past.Tree {
	t.Helper()
	tree, err := p.AsOf(t.Context(), at)
	must(t, err)
	t.Cleanup(func() { must(t, tree.Close()) })
	return tree
}

// paths are what lives in a tree.
func paths(t *past.Tree) []entry.Path {
	var out []entry.Path
	for r := range past.Row(t.Len()) {
		out = append(out, t.Path(r))
	}
	return out
}

// checkTree compares a tree with what lived at its moment.
func checkTree(t testing.TB, tree *past.Tree, living map[entry.Path]*entry.Entry) {
	t.Helper()
	want := slices.SortedFunc(maps.Keys(living), entry.Path.Compare)
	if diff := cmp.Diff(want, paths(tree)); diff != "" {
		t.Fatalf("paths: %s", diff)
	}
	for r, p := range want {
		e, err := tree.Whole(past.Row(r))
		must(t, err)
		if !reflect.DeepEqual(living[p], e) {
			t.Fatalf("%q: %s", p, cmp.Diff(living[p], e))
		}
	}
}

func TestATreeOfARandomMomentIsWhatLivedThen(t *testing.T) {
	for seed := range uint64(3) {
		f := pasttest.New(t)
		r := rand.New(rand.NewPCG(seed, 2))
		type moment struct {
			at     time.Time
			living map[entry.Path]*entry.Entry
		}
		var moments []moment
		for range 30 {
			for range 1 + r.IntN(10) {
				f.Step(r)
			}
			living, _ := f.State()
			moments = append(moments, moment{f.Moment(), living})
		}
		p := f.Past()
		for range 15 {
			m := moments[r.IntN(len(moments))]
			tree := treeAt(t, p, m.at)
			checkTree(t, tree, m.living)
			if !tree.Gaps.None() || len(tree.Contested()) > 0 {
				t.Errorf("seed %d: gaps %v, contested %q", seed, tree.Gaps.Err(), tree.Contested())
			}
		}
		tree, err := past.NewTree(f.Entries(), "")
		must(t, err)
		checkTree(t, tree, f.Living)
		must(t, tree.Close())
	}
}

func TestATreeIsSearchedByPath(t *testing.T) {
	f := pasttest.New(t)
	for _, p := range []entry.Path{"a", "a/b", "a/b/c", "a.b"} {
		f.Mkdir(p, 0o755)
	}
	f.Write("a/b/c/f", "one")
	f.Write("a/b!", "four")
	tree := treeAt(t, f.Past(), f.Moment())
	for p, n := range map[entry.Path]past.Row{"": 6, "a": 5, "a/b": 3, "a/b/c": 2, "a/b/c/f": 1, "a/b!": 1, "a.b": 1, "b": 0, "a/a": 0, "A": 0} {
		from, to := tree.Below(p)
		if to-from != n {
			t.Errorf("%d rows at and below %q, not %d: %q", to-from, p, n, paths(tree)[from:to])
		}
		row, ok := tree.Find(p)
		if ok != (n > 0 && p != "") || ok && tree.Path(row) != p {
			t.Errorf("%q is found: %v", p, ok)
		}
	}
	if want := (past.Totals{Files: 2, Directories: 4, Bytes: 7}); tree.Totals != want {
		t.Errorf("totals %+v, not %+v", tree.Totals, want)
	}
}

// versionOn is a version that a replica makes on others.
func versionOn(r version.ReplicaID, count uint64, at time.Time, seen ...version.Version) version.Version {
	var v version.Version
	for _, s := range seen {
		v = v.Join(s)
	}
	return v.Next(r, count, version.ClockAt(at))
}

func TestOfVersionsThatHaveNotSeenEachOtherOneWinsAndNoContentIsLost(t *testing.T) {
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one := versionOn(1, 1, base)
	early, late := versionOn(2, 1, base.Add(time.Minute), one), versionOn(3, 1, base.Add(time.Hour), one)
	file := func(v version.Version, id byte) *entry.Entry {
		return &entry.Entry{Path: "p", Kind: entry.File, Mode: 0o600, Version: v, Epoch: 1, Size: 1, Blocks: []entry.Block{{ID: entry.BlockID{id}, Length: 1}}}
	}
	directory := func(v version.Version) *entry.Entry {
		return &entry.Entry{Path: "p", Kind: entry.Directory, Mode: 0o700, Version: v, Epoch: 1}
	}
	gone := func(v version.Version, what *entry.Entry) *entry.Entry {
		e := &entry.Entry{Path: "p", Kind: entry.Deleted, Version: v, Epoch: 1}
		if what != nil {
			e.Gone = what.Digest()
		}
		return e
	}
	below := &entry.Entry{Path: "p/x", Kind: entry.Symlink, Target: "t", Mode: 0o777, Version: one, Epoch: 1}
	for name, c := range map[string]struct {
		of     []*entry.Entry
		at     *entry.Entry // nil: nothing
		others int
		made   bool // a directory is there that nobody told of
	}{
		"one version":                               {of: []*entry.Entry{file(one, 1)}, at: file(one, 1)},
		"the later of two":                          {of: []*entry.Entry{file(one, 1), file(early, 2)}, at: file(early, 2)},
		"the larger clock of two at once":           {of: []*entry.Entry{file(early, 1), file(late, 2)}, at: file(late, 2), others: 1},
		"two at once with one content":              {of: []*entry.Entry{file(early, 1), file(late, 1)}, at: file(late, 1)},
		"a delete":                                  {of: []*entry.Entry{file(one, 1), gone(early, file(one, 1))}},
		"an edit outlives a delete that missed it":  {of: []*entry.Entry{file(early, 2), gone(late, file(one, 1))}, at: file(early, 2)},
		"a delete of just these bytes stands":       {of: []*entry.Entry{file(early, 2), gone(late, file(early, 2))}},
		"an edit beats an earlier delete":           {of: []*entry.Entry{gone(early, file(one, 1)), file(late, 2)}, at: file(late, 2)},
		"an empty directory yields to a delete":     {of: []*entry.Entry{directory(early), gone(late, nil)}},
		"a file and something below it":             {of: []*entry.Entry{file(one, 1), below}, others: 1, made: true},
		"a directory and a later file, both filled": {of: []*entry.Entry{directory(early), file(late, 1), below}, at: directory(early), others: 1},
		"a deleted directory with something in it":  {of: []*entry.Entry{gone(late, nil), below}, made: true},
		"something in a directory nobody knows":     {of: []*entry.Entry{below}, made: true},
		"a liar's second content of one version":    {of: []*entry.Entry{file(one, 2), file(one, 1)}, at: first(file(one, 1), file(one, 2)), others: 1},
	} {
		t.Run(name, func(t *testing.T) {
			for range 6 {
				rand.Shuffle(len(c.of), func(i, j int) { c.of[i], c.of[j] = c.of[j], c.of[i] })
				tree, err := past.NewTree(func(yield func(*entry.Entry, error) bool) {
					for _, e := range c.of {
						if !yield(e, nil) {
							return
						}
					}
				}, "")
				must(t, err)
				row, ok := tree.Find("p")
				if ok != (c.at != nil || c.made) {
					t.Fatalf("something is there: %v", ok)
				}
				if ok {
					e, err := tree.Whole(row)
					must(t, err)
					if c.made && (e.Kind != entry.Directory || !e.Version.IsZero()) || !c.made && !cmp.Equal(e, c.at) {
						t.Errorf("what is there: %s", cmp.Diff(c.at, e))
					}
				}
				others, err := tree.Others("p")
				must(t, err)
				if len(others) != c.others || len(others) > 0 && !slices.Equal(tree.Contested(), []entry.Path{"p"}) {
					t.Errorf("others: %+v", others)
				}
				must(t, tree.Close())
			}
		})
	}
}

// first is the one whose digest comes first.
func first(a, b *entry.Entry) *entry.Entry {
	x, y := a.Digest(), b.Digest()
	if bytes.Compare(x[:], y[:]) < 0 {
		return a
	}
	return b
}

func TestWhatCannotBeOpenedIsTold(t *testing.T) {
	f := pasttest.New(t)
	f.Write("old", "x")
	f.NewEpoch()
	f.Write("new", "y")
	p := f.Past()
	delete(p.Keys, 1)
	tree := treeAt(t, p, f.Moment())
	if !slices.Equal(paths(tree), []entry.Path{"new"}) {
		t.Errorf("paths: %q", paths(tree))
	}
	if g := tree.Gaps; g.Unopened != 1 || len(g.Records) != 1 || !errors.Is(g.Cause, past.ErrNoKey) || !errors.Is(g.Err(), past.ErrNoKey) || g.None() {
		t.Errorf("gaps: %+v", g)
	}
}

// broken is a source that fails after so many versions.
type broken struct {
	pasttest.Vault
	after int
}

var errBroken = errors.New("the line is cut")

func (b broken) AsOf(ctx context.Context, t time.Time, each func(history.Held) error) error {
	n := 0
	return b.Vault.AsOf(ctx, t, func(h history.Held) error {
		if n++; n > b.after {
			return errBroken
		}
		return each(h)
	})
}

func TestSeveralSourcesMakeOneTree(t *testing.T) {
	f := pasttest.New(t)
	f.Write("both", "x")
	f.Flush()
	first := f.Vault
	f.Vault = f.OpenVault()
	f.Write("second", "y")
	f.Write("both", "z")
	f.Flush()
	second := f.Vault
	f.Vault = first
	f.Write("first", "y")
	tree := treeAt(t, f.Past(pasttest.Vault{Vault: second}, broken{pasttest.Vault{Vault: second}, 0}), f.Moment())
	checkTree(t, tree, f.Living)
	if len(tree.Gaps.Failed) != 1 || !errors.Is(tree.Gaps.Err(), errBroken) {
		t.Errorf("gaps: %+v", tree.Gaps)
	}
	p := f.Past()
	p.Sources = []past.Source{broken{pasttest.Vault{Vault: second}, 1}}
	if _, err := p.AsOf(t.Context(), f.Now); !errors.Is(err, past.ErrNoSource) || !errors.Is(err, errBroken) {
		t.Errorf("all sources failed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Past().AsOf(ctx, f.Now); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestLongBlockListsComeBackFromTheSpool(t *testing.T) {
	dir := t.TempDir()
	want := map[entry.Path]*entry.Entry{}
	for i := range 40 {
		e := &entry.Entry{Path: entry.Path(fmt.Sprintf("f%02d", i)), Kind: entry.File, Epoch: 1, Version: versionOn(1, uint64(i+1), time.Unix(9, 0))}
		for b := range 30000 + i {
			e.Blocks = append(e.Blocks, entry.Block{ID: entry.BlockID{byte(i), byte(b), byte(b >> 8)}, Length: uint32(b + 1)})
			e.Size += int64(b + 1)
		}
		want[e.Path] = e
	}
	tree, err := past.NewTree(func(yield func(*entry.Entry, error) bool) {
		for _, e := range want {
			if !yield(e, nil) {
				return
			}
		}
	}, dir)
	must(t, err)
	checkTree(t, tree, want)
	must(t, tree.Close())
}
