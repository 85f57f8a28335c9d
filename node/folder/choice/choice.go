// Package choice knows which paths of a folder are to lie on this device.
//
// A choice is made for a path and all below it: for a file, a subtree or, with
// the empty path, the folder. The longest one at or above a path counts, and
// where there is none everything is to lie here. To choose that something lies
// elsewhere is never a delete: it only says that the content is not needed
// here.
//
// The package is pure, and its values are immutable.
package choice

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// Rule is the choice for a path and all below it.
type Rule struct {
	Path   entry.Path // empty: the whole folder
	Here   bool
	Pinned bool // and may not be freed; implies Here
}

// Rules are the choices made for one folder. The zero value has everything
// lie here.
type Rules struct{ byPath map[entry.Path]Rule }

// New is the rules of a list; of two for one path the last counts.
func New(list []Rule) Rules {
	r := Rules{make(map[entry.Path]Rule, len(list))}
	for _, l := range list {
		l.Here = l.Here || l.Pinned
		r.byPath[l.Path] = l
	}
	return r
}

// List is the rules by path.
func (r Rules) List() []Rule {
	return slices.SortedFunc(maps.Values(r.byPath), func(a, b Rule) int { return cmp.Compare(a.Path, b.Path) })
}

// Of is the rule that counts for a path.
func (r Rules) Of(p entry.Path) Rule {
	if len(r.byPath) == 0 {
		return Rule{Here: true}
	}
	for {
		if rule, ok := r.byPath[p]; ok {
			return rule
		}
		if p == "" {
			return Rule{Here: true}
		}
		p = p.Parent()
	}
}

// With is the rules after one more choice. It takes the place of those made
// below its path, but what is pinned there stays pinned, unless the new rule
// pins everything. A rule that says what holds anyway is left out.
func (r Rules) With(rule Rule) Rules {
	rule.Here = rule.Here || rule.Pinned
	next := Rules{make(map[entry.Path]Rule, len(r.byPath)+1)}
	for p, had := range r.byPath {
		at := p == rule.Path || rule.Path == "" || p.Below(rule.Path)
		if !at || had.Pinned && !rule.Pinned && p != rule.Path {
			next.byPath[p] = had
		}
	}
	above := Rule{Here: true}
	if rule.Path != "" {
		above = next.Of(rule.Path.Parent())
	}
	if above.Here != rule.Here || above.Pinned != rule.Pinned {
		next.byPath[rule.Path] = rule
	}
	return next
}
