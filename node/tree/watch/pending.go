package watch

import (
	"slices"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// maxPending is how many paths wait to be taken before they are summed up.
const maxPending = 8192

// pending is what has not been taken: paths, and whether all below them
// counts. The zero value is empty.
type pending struct {
	paths     map[entry.Path]bool
	recursive int // how many of them are
}

func (s *pending) add(e Event) {
	if s.covered(e.Path) {
		return
	}
	if s.paths == nil {
		s.paths = make(map[entry.Path]bool)
	}
	s.set(e)
	if len(s.paths) > maxPending {
		s.collapse()
	}
}

func (s *pending) set(e Event) {
	was := s.paths[e.Path]
	if e.Recursive && !was {
		s.recursive++
	}
	s.paths[e.Path] = was || e.Recursive
}

// covered tells whether a recursive event above p waits already.
func (s *pending) covered(p entry.Path) bool {
	if s.recursive == 0 {
		return false
	}
	for p != "" {
		p = p.Parent()
		if s.paths[p] {
			return true
		}
	}
	return false
}

// collapse puts directories in the place of the deepest paths, level by level,
// until half of the room is free.
func (s *pending) collapse() {
	depth := func(p entry.Path) int { return strings.Count(string(p), "/") }
	for len(s.paths) > maxPending/2 {
		deepest := 0
		for p := range s.paths {
			deepest = max(deepest, depth(p))
		}
		for p, recursive := range s.paths {
			if p == "" || depth(p) != deepest {
				continue
			}
			delete(s.paths, p)
			if recursive {
				s.recursive--
			}
			s.set(Event{Path: p.Parent(), Recursive: true})
		}
	}
}

func (s *pending) take() []Event {
	out := make([]Event, 0, len(s.paths))
	for p, recursive := range s.paths {
		out = append(out, Event{Path: p, Recursive: recursive})
	}
	*s = pending{}
	slices.SortFunc(out, func(a, b Event) int { return a.Path.Compare(b.Path) })
	var last Event // the last recursive one
	return slices.DeleteFunc(out, func(e Event) bool {
		if last.Recursive && e.Path.Below(last.Path) {
			return true
		}
		if e.Recursive {
			last = e
		}
		return false
	})
}
