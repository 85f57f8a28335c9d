package merge

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// loser is an entry that lost its path to another.
func loser(p entry.Path, author string) *entry.Entry {
	when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return &entry.Entry{
		Path: p, AuthorName: author, Kind: entry.File, Size: 3, ModTime: when.Add(-time.Hour).UnixNano(),
		Version: version.Version{Vector: version.Vector{{Replica: 1, Count: 1}}, Clock: version.ClockAt(when), Author: 1},
		Blocks:  []entry.Block{{ID: entry.BlockID{1, 2, 3}, Length: 3}},
	}
}

func TestAConflictCopyIsNamedAfterItsAuthorAndTime(t *testing.T) {
	longest := strings.Repeat("x", entry.MaxAuthorName)
	unknown := loser("a.txt", "")
	unknown.Unknown, unknown.Version = true, version.Version{}
	for name, c := range map[string]struct {
		e          *entry.Entry
		start, end string // of the copy's path
	}{
		"the extension is kept":          {loser("d/a.txt", "laptop"), "d/a (conflict, laptop, 2026-03-04 05.06.07 ", ").txt"},
		"only the last extension counts": {loser("a.tar.gz", "laptop"), "a.tar (conflict, laptop, ", ").gz"},
		"no extension":                   {loser("README", "laptop"), "README (conflict, laptop, ", ")"},
		"a hidden file has none":         {loser(".bashrc", "laptop"), ".bashrc (conflict, laptop, ", ")"},
		"what is long is no extension":   {loser("a.and then it goes on", "laptop"), "a.and then it goes on (conflict, ", ")"},
		"a device with a slash":          {loser("d/a.txt", "me/and\x00you"), "d/a (conflict, me-and-you, ", ").txt"},
		"unknown history":                {unknown, "a (conflict, here, 2026-03-04 04.06.07 ", ").txt"},
		"the longest name":               {loser(entry.Path("d/"+strings.Repeat("n", entry.MaxName-4)+".txt"), longest), "d/nnn", ").txt"},
		"the longest of two-byte characters": {loser(entry.Path(strings.Repeat("é", 125)+".jpeg"), longest),
			"ééé", ").jpeg"},
		"the longest of three-byte characters": {loser(entry.Path(strings.Repeat("語", entry.MaxName/3)), strings.Repeat("é", 32)),
			"語語語", ")"},
		"the longest of four-byte characters": {loser(entry.Path("a"+strings.Repeat("😀", 62)+".mp4"), longest), "a😀😀", ").mp4"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[entry.Path]bool{}
			for try := range MaxCopyTries {
				p := checkCopy(t, c.e, try)
				if !strings.HasPrefix(string(p), c.start) || !strings.HasSuffix(string(p), c.end) {
					t.Errorf("try %d is %q, not %q...%q", try, p, c.start, c.end)
				}
				seen[p] = true
			}
			if len(seen) != MaxCopyTries {
				t.Errorf("%d names of %d tries", len(seen), MaxCopyTries)
			}
		})
	}
}

// checkCopy checks what holds of every copy's name, and of that of a copy of
// the copy.
func checkCopy(t *testing.T, e *entry.Entry, try int) entry.Path {
	t.Helper()
	p := CopyName(e, "here", try)
	again := *e
	if q := CopyName(&again, "here", try); q != p {
		t.Errorf("one entry has the names %q and %q", p, q)
	}
	if _, err := entry.ParsePath(string(p)); err != nil || p.Parent() != e.Path.Parent() {
		t.Errorf("%q is not a path beside %q: %v", p, e.Path, err)
	}
	if n := p.Name(); len(n) > entry.MaxName || !utf8.ValidString(n) {
		t.Errorf("%q has %d bytes; valid UTF-8: %v", n, len(n), utf8.ValidString(n))
	}
	if !IsCopy(p) || IsCopy(e.Path) {
		t.Errorf("%q is a copy: %v; %q is one: %v", p, IsCopy(p), e.Path, IsCopy(e.Path))
	}
	second := CopyName(loser(p, "phone"), "here", try)
	if strings.Count(string(second), "(conflict, ") != 1 || !strings.Contains(string(second), "phone") || !IsCopy(second) {
		t.Errorf("a copy of the copy nests: %q", second)
	}
	return p
}

func TestOtherContentOfAPathGetsAnotherCopyName(t *testing.T) {
	a, b := loser("a.txt", "laptop"), loser("a.txt", "laptop")
	b.Blocks = []entry.Block{{ID: entry.BlockID{9}, Length: 3}}
	if p := CopyName(a, "here", 0); p == CopyName(b, "here", 0) {
		t.Errorf("both are %q", p)
	}
	if p := CopyName(a, "here", 0); p != CopyName(a, "elsewhere", 0) {
		t.Errorf("the name depends on who makes the copy: %q", p)
	}
}

func TestOrdinaryNamesAreNoCopies(t *testing.T) {
	for _, p := range []entry.Path{
		"a.txt", "a (1).txt", "a (conflict).txt", "a (conflict, laptop).txt", "(conflict, laptop, 2026-03-04 05.06.07 abcd)",
		"a (conflict, laptop, 2026-03-04 05.06.07 abc).txt", "a (conflict, laptop, 2026-03-04 05:06:07 abcd).txt",
		"a (conflict, laptop, 2026-03-04 05.06.07 abcd) and more.txt", "a (conflict, laptop, 2026-03-04 05.06.07 abcd)/b.txt",
	} {
		if IsCopy(p) {
			t.Errorf("%q is taken for a conflict copy", p)
		}
	}
}

// What peers may tell of a path, in random order: versions that grew out of
// one another on three replicas.
func TestWhatIsWantedOfAPathIsWhatItsTellersSaidLast(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		var wanted []Want
		last := map[entry.DeviceID]*entry.Entry{} // who has told what, last
		made := []*entry.Entry{grown(r, 1, nil)}
		for step := range 30 {
			teller := entry.DeviceID(fmt.Sprint("peer", r.IntN(4)))
			if r.IntN(6) == 0 {
				wanted = Withdraw(wanted, teller)
				delete(last, teller)
			} else {
				made = append(made, grown(r, uint64(len(made)+1), made))
				e := made[len(made)-1]
				if told := made[r.IntN(len(made))]; last[teller] == nil || last[teller].Version.Compare(told.Version) != version.After {
					e = told
				}
				wanted = Remember(wanted, e, teller, entry.Sequence(step+1))
				last[teller] = e
			}
			if err := checkWanted(wanted, last); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
	}
}

// grown is a version that has seen up to two of those made before.
func grown(r *rand.Rand, clock uint64, made []*entry.Entry) *entry.Entry {
	var v version.Vector
	if len(made) > 0 {
		v = made[r.IntN(len(made))].Version.Vector
		if r.IntN(3) == 0 {
			v = v.Join(made[r.IntN(len(made))].Version.Vector)
		}
	}
	author := version.ReplicaID(1 + r.IntN(3))
	return &entry.Entry{Path: "p", Kind: entry.Directory, Version: version.Version{
		Vector: v.With(author, clock), Clock: version.Clock(clock), Author: author,
	}}
}

func checkWanted(wanted []Want, last map[entry.DeviceID]*entry.Entry) error {
	holds := map[entry.DeviceID]bool{}
	for i, w := range wanted {
		if len(w.Tellers) == 0 {
			return fmt.Errorf("nobody tells %v", w.Entry.Version)
		}
		for d := range w.Tellers {
			if holds[d] {
				return fmt.Errorf("%s tells two versions", d)
			}
			holds[d] = true
			if e := last[d]; e == nil || e.Version.Compare(w.Entry.Version) != version.Equal {
				return fmt.Errorf("%s is said to tell %v, and its last was %v", d, w.Entry.Version, e)
			}
		}
		for _, o := range wanted[:i] {
			if c := w.Entry.Version.Compare(o.Entry.Version); c != version.Concurrent {
				return fmt.Errorf("%v is kept beside %v: %v", w.Entry.Version, o.Entry.Version, c)
			}
		}
	}
	return nil
}

func TestATellersLaterVersionWithdrawsItsEarlierOne(t *testing.T) {
	one := loser("p", "a")
	other := loser("p", "b")
	other.Version = version.Version{Vector: version.Vector{{Replica: 2, Count: 1}}, Clock: 2, Author: 2}
	w := Remember(Remember(nil, one, "x", 1), other, "x", 2)
	if len(w) != 1 || w[0].Entry != other || w[0].Tellers["x"] != 2 {
		t.Errorf("wanted after the second telling: %+v", w)
	}
	w = Remember(w, one, "y", 5)
	if len(w) != 2 {
		t.Errorf("two concurrent versions of two tellers: %+v", w)
	}
	if w = Withdraw(w, "x"); len(w) != 1 || w[0].Entry != one {
		t.Errorf("after x withdrew: %+v", w)
	}
	if w = Withdraw(w, "y"); len(w) != 0 {
		t.Errorf("after all withdrew: %+v", w)
	}
}
