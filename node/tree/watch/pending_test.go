package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
)

func TestPendingIsTakenInTreeOrderWithoutWhatIsCovered(t *testing.T) {
	var s pending
	for _, e := range []Event{{"b", false}, {"a.c", false}, {"a/x/y", false}, {"a", false}, {"a/x", true}, {"a/x/z", false}, {"b", true}, {"b", false}, {"b/c", true}} {
		s.add(e)
	}
	want := []Event{{"a", false}, {"a/x", true}, {"a.c", false}, {"b", true}}
	if got := s.take(); !slices.Equal(got, want) {
		t.Errorf("took %v, want %v", got, want)
	}
	if got := s.take(); len(got) != 0 {
		t.Errorf("took %v a second time", got)
	}
}

func TestPendingStaysBounded(t *testing.T) {
	for name, path := range map[string]func(i int) string{
		"in one directory":      func(i int) string { return fmt.Sprintf("a/b/%d", i) },
		"in a directory each":   func(i int) string { return fmt.Sprintf("a/%d/f", i) },
		"in the root":           func(i int) string { return fmt.Sprint(i) },
		"ever deeper":           func(i int) string { return strings.Repeat("d/", i%100) + fmt.Sprint(i) },
		"in directories of ten": func(i int) string { return fmt.Sprintf("%d/%d", i/10, i) },
	} {
		t.Run(name, func(t *testing.T) {
			var s pending
			for i := range 5 * maxPending {
				s.add(Event{Path: entry.Path(path(i))})
				if len(s.paths) > maxPending {
					t.Fatalf("%d paths", len(s.paths))
				}
			}
			told := map[Event]bool{}
			for _, e := range s.take() {
				told[e] = true
			}
			for i := range 5 * maxPending {
				p := entry.Path(path(i))
				found := told[Event{Path: p}]
				for !found && p != "" {
					p = p.Parent()
					found = told[Event{Path: p, Recursive: true}]
				}
				if !found {
					t.Fatalf("%q is lost", path(i))
				}
			}
		})
	}
}

func TestPendingForgetsNothing(t *testing.T) {
	path := rapid.Custom(func(t *rapid.T) entry.Path {
		return entry.Path(strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "a.b"}), 0, 4).Draw(t, "names"), "/"))
	})
	rapid.Check(t, func(t *rapid.T) {
		var s pending
		var all []Event
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			e := Event{path.Draw(t, "path"), rapid.Bool().Draw(t, "recursive")}
			all = append(all, e)
			s.add(e)
			if rapid.IntRange(0, 20).Draw(t, "collapse") == 0 {
				s.collapse()
			}
		}
		got := s.take()
		for _, e := range all {
			if !slices.ContainsFunc(got, func(g Event) bool {
				return g.Path == e.Path && (g.Recursive || !e.Recursive) || g.Recursive && e.Path.Below(g.Path)
			}) {
				t.Errorf("%v is lost; took %v", e, got)
			}
		}
		if !slices.IsSortedFunc(got, func(a, b Event) int { return a.Path.Compare(b.Path) }) {
			t.Errorf("not in order: %v", got)
		}
	})
}
