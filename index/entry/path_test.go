package entry

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePathAcceptsWhatLiesWithinAFolder(t *testing.T) {
	deepest := strings.Repeat("a/", MaxPath/2-1) + "ab" // just as long as allowed
	for _, s := range []string{
		"a", "a/b", "...", "a/...", "..a", "a..", ".a", " ", "a b", "-", "~", "*", `a\b`, "C:", "con", "a:b",
		"\xff\xfe", "é", "e\u0301", "\n", "\x01", "a\r", "💾",
		".kithignore", ".kithx", "x.kith", "a/.kith", "a/.kith/b", ".KITH",
		strings.Repeat("n", MaxName), "d/" + strings.Repeat("n", MaxName), deepest,
	} {
		if p, err := ParsePath(s); err != nil || string(p) != s {
			t.Errorf("ParsePath(%.40q) = %.40q, %v", s, p, err)
		}
	}
}

func TestParsePathRefusesWhatLeavesAFolder(t *testing.T) {
	for _, s := range []string{
		"", "/", "//", "/a", "a/", "a//b", "//a", "a/b/",
		".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../b", "a/../../b", "../../etc/passwd", "/etc/passwd",
		"\x00", "a\x00", "\x00a", "a/\x00/b", "a\x00/../b",
		Reserved, Reserved + "/", Reserved + "/ignore", Reserved + "/a/b", "./" + Reserved, "/" + Reserved,
		strings.Repeat("n", MaxName+1), "d/" + strings.Repeat("n", MaxName+1) + "/f",
		strings.Repeat("a/", MaxPath/2) + "b", strings.Repeat("a", MaxPath+1),
	} {
		if p, err := ParsePath(s); !errors.Is(err, ErrPath) || p != "" {
			t.Errorf("ParsePath(%.40q) = %.40q, %v", s, p, err)
		}
	}
}

func FuzzParsedPathsStayWithin(f *testing.F) {
	for _, s := range []string{"a/b", "../a", "/a", ".kith/x", "a\x00b", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePath(s)
		if err != nil {
			return
		}
		for q := p; q != ""; q = q.Parent() {
			if n := q.Name(); n == "" || n == "." || n == ".." || len(n) > MaxName || strings.ContainsAny(n, "/\x00") {
				t.Errorf("%q has the name %q", s, n)
			}
			if q == Reserved {
				t.Errorf("%q is kith's own", s)
			}
			if q.Parent().Join(q.Name()) != q {
				t.Errorf("%q is not %q and %q", q, q.Parent(), q.Name())
			}
		}
	})
}

func TestPathsComeApartAndTogether(t *testing.T) {
	for _, c := range []struct {
		path, parent Path
		name         string
	}{
		{"", "", ""}, {"a", "", "a"}, {"a/b", "a", "b"}, {"a/b/c.d", "a/b", "c.d"},
	} {
		if c.path.Parent() != c.parent || c.path.Name() != c.name {
			t.Errorf("%q is %q and %q, want %q and %q", c.path, c.path.Parent(), c.path.Name(), c.parent, c.name)
		}
	}
}

func TestBelowIsStrict(t *testing.T) {
	for _, c := range []struct {
		p, d Path
		want bool
	}{
		{"", "", false}, {"a", "", true}, {"a/b", "", true}, {"", "a", false},
		{"a", "a", false}, {"a/b", "a", true}, {"a/b/c", "a", true}, {"ab", "a", false}, {"ab/c", "a", false},
		{"a", "a/b", false}, {"b/a", "a", false}, {"a/b/c", "a/b", true}, {"a/bc", "a/b", false},
	} {
		if got := c.p.Below(c.d); got != c.want {
			t.Errorf("%q below %q: %v", c.p, c.d, got)
		}
	}
}

// paths draws names that sort around the slash.
var paths = rapid.Custom(func(t *rapid.T) Path {
	name := rapid.SampledFrom([]string{"a", "b", "a!", "a.b", "a0", "aa", "\x01", "\xff", "-", "0"})
	return Path(strings.Join(rapid.SliceOfN(name, 0, 4).Draw(t, "names"), "/"))
})

// walk lists the paths as a walk does that sorts the names of each directory.
func walk(paths []Path, dir Path) []Path {
	names := map[string]bool{}
	for _, p := range paths {
		if p.Below(dir) {
			name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(string(p), string(dir)), "/"), "/")
			names[name] = true
		}
	}
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	var out []Path
	if slices.Contains(paths, dir) {
		out = append(out, dir)
	}
	for _, n := range sorted {
		out = append(out, walk(paths, dir.Join(n))...)
	}
	return out
}

func TestCompareOrdersAsASortedWalkDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfNDistinct(paths, 0, 20, rapid.ID).Draw(t, "paths")
		want := walk(all, "")
		got := slices.Clone(all)
		slices.SortFunc(got, Path.Compare)
		if !slices.Equal(got, want) {
			t.Errorf("sorted %q, walked %q", got, want)
		}
	})
}

func TestCompareIsATotalOrder(t *testing.T) {
	sign := func(n int) int { return min(1, max(-1, n)) }
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := paths.Draw(t, "a"), paths.Draw(t, "b"), paths.Draw(t, "c")
		if sign(a.Compare(b)) != -sign(b.Compare(a)) {
			t.Errorf("%q and %q: %d and %d", a, b, a.Compare(b), b.Compare(a))
		}
		if (a.Compare(b) == 0) != (a == b) {
			t.Errorf("%q and %q: %d", a, b, a.Compare(b))
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Errorf("%q, %q, %q do not chain", a, b, c)
		}
	})
}
