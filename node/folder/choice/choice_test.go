package choice

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
)

func here(p entry.Path) Rule   { return Rule{Path: p, Here: true} }
func away(p entry.Path) Rule   { return Rule{Path: p} }
func pinned(p entry.Path) Rule { return Rule{Path: p, Here: true, Pinned: true} }

func TestTheLongestChoiceAbovePathCounts(t *testing.T) {
	r := New([]Rule{away("a"), here("a/b"), pinned("a/b/c"), away("z.txt")})
	for p, want := range map[entry.Path]Rule{
		"":        {Here: true},
		"x":       {Here: true},
		"a":       away("a"),
		"a/x/y":   away("a"),
		"ab":      {Here: true},
		"a/b":     here("a/b"),
		"a/b/x":   here("a/b"),
		"a/b/c/d": pinned("a/b/c"),
		"z.txt":   away("z.txt"),
	} {
		if got := r.Of(p); got != want {
			t.Errorf("of %q: %+v, want %+v", p, got, want)
		}
	}
}

func TestANewChoiceTakesThePlaceOfThoseBelow(t *testing.T) {
	r := Rules{}.With(away("a/b")).With(pinned("a/c")).With(here("a/b/d")).With(away("a"))
	if got, want := r.List(), []Rule{away("a"), pinned("a/c")}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v: what is pinned stays", got, want)
	}
	if got := r.With(here("a/c")).List(); !slices.Equal(got, []Rule{away("a"), here("a/c")}) {
		t.Errorf("unpinned: %+v", got)
	}
	if got := r.With(here("")).List(); !slices.Equal(got, []Rule{pinned("a/c")}) {
		t.Errorf("all here: %+v", got)
	}
	if got := r.With(pinned("")).List(); !slices.Equal(got, []Rule{pinned("")}) {
		t.Errorf("all pinned: %+v", got)
	}
}

func TestAChoiceIsSoAndChangesNothingBeside(t *testing.T) {
	paths := []entry.Path{"", "a", "a/b", "a/b/c", "b", "ab"}
	rapid.Check(t, func(t *rapid.T) {
		r := Rules{}
		for range rapid.IntRange(1, 8).Draw(t, "choices") {
			rule := Rule{Path: rapid.SampledFrom(paths).Draw(t, "path")}
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 1:
				rule.Here = true
			case 2:
				rule.Here, rule.Pinned = true, true
			}
			next := r.With(rule)
			for _, p := range paths {
				was, is := r.Of(p), next.Of(p)
				at := p == rule.Path || rule.Path == "" || p.Below(rule.Path)
				switch {
				case !at && (was.Here != is.Here || was.Pinned != is.Pinned):
					t.Fatalf("%+v changed %q from %+v to %+v", rule, p, was, is)
				case p == rule.Path && (is.Here != rule.Here || is.Pinned != rule.Pinned):
					t.Fatalf("%+v came to %+v", rule, is)
				case at && is.Here != rule.Here && !is.Pinned:
					t.Fatalf("%+v left %q as %+v", rule, p, is)
				}
			}
			if again := New(next.List()); !slices.Equal(again.List(), next.List()) {
				t.Fatalf("%+v, read again %+v", next.List(), again.List())
			}
			r = next
		}
	})
}
