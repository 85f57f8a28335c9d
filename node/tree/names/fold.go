package names

import (
	"bytes"
	"errors"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// scratch is where keys are made.
type scratch struct {
	is, was []byte // the key so far, and the room for its next state
	parts   []byte
	full    cases.Caser
}

var scratches = sync.Pool{New: func() any { return &scratch{full: cases.Fold()} }}

// key folds a well-formed name. The result is good until the scratch is used
// again.
func (s *scratch) key(t Traits, name string) []byte {
	if !t.FoldsForm {
		s.is = append(s.is[:0], name...)
		s.fold(t)
		return s.is
	}
	if norm.NFC.QuickSpanString(name) == len(name) && s.settled(t, name) {
		return append(s.is[:0], name...)
	}
	// A letter's case is that of what it consists of; and the last form is the
	// one that most names are in, so that these are their own keys.
	s.is = norm.NFD.AppendString(s.is[:0], name)
	s.fold(t)
	s.turn(norm.NFC.Append(s.was[:0], s.is...))
	return s.is
}

// settled tells whether none of the characters that name consists of is folded
// on its own. It is there because it allocates nothing, unlike what
// normalises.
func (s *scratch) settled(t Traits, name string) bool {
	s.parts = s.parts[:0]
	for i := 0; i < len(name); {
		p := norm.NFD.PropertiesString(name[i:])
		if parts := p.Decomposition(); parts != nil {
			s.parts = append(s.parts, parts...)
		} else {
			s.parts = append(s.parts, name[i:i+p.Size()]...)
		}
		i += p.Size()
	}
	s.is = append(s.is[:0], s.parts...)
	s.fold(t)
	return bytes.Equal(s.is, s.parts)
}

// fold leaves out what is ignored, and folds case.
func (s *scratch) fold(t Traits) {
	if t.Ignores {
		s.eachRune(visible)
	}
	switch {
	case !t.FoldsCase:
	case t.onlyASCII():
		for i, c := range s.is {
			s.is[i] = lower(c)
		}
	case t.Expands:
		s.expand()
		s.eachRune(fold) // Cherokee, whose capitals and small letters the former swaps
	case t.LastCased == 0:
		s.eachRune(fold)
	default:
		s.eachRune(func(r rune) rune {
			if r > t.LastCased {
				return r
			}
			return fold(r)
		})
	}
}

// turn makes next, which was built in the room for it, the state.
func (s *scratch) turn(next []byte) { s.is, s.was = next, s.is }

// eachRune replaces each character, or leaves it out if that is negative.
func (s *scratch) eachRune(with func(rune) rune) {
	next := s.was[:0]
	for i := 0; i < len(s.is); {
		r, size := utf8.DecodeRune(s.is[i:])
		i += size
		if r = with(r); r >= 0 {
			next = utf8.AppendRune(next, r)
		}
	}
	s.turn(next)
}

// expand folds case in full. No character takes more than three times its room
// then.
func (s *scratch) expand() {
	for room := 3 * len(s.is); ; room *= 2 {
		if cap(s.was) < room {
			s.was = make([]byte, room)
		}
		n, _, err := s.full.Transform(s.was[:cap(s.was)], s.is, true)
		if !errors.Is(err, transform.ErrShortDst) {
			s.turn(s.was[:n])
			return
		}
	}
}

// fold is simple case folding: of all characters that are one but for case it
// gives the same one, which is the small letter where there is one.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(lower(byte(r))) //nolint:gosec // ASCII
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least == r && unicode.SimpleFold(r) == r {
		return r // has no case: "İ" has none that would do for all languages
	}
	return unicode.ToLower(least)
}

// visible is r, or negative if that is to be ignored.
func visible(r rune) rune {
	if ignorable(r) {
		return -1
	}
	return r
}

// ignorable is Unicode's property Default_Ignorable_Code_Point, put together
// from what it is derived from.
func ignorable(r rune) bool {
	switch {
	case r < 0xAD, 0xFFF9 <= r && r <= 0xFFFB, 0x13430 <= r && r <= 0x1343F,
		unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	}
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Cf, unicode.Variation_Selector)
}
