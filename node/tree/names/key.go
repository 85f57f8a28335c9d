package names

import (
	"iter"
	"unicode/utf8"
)

// Key is the same for two names if they are one name there, and only then. It
// is the name itself, without an allocation, where nothing is to be folded: of
// a name in small letters, nearly always. The key of a key is the key.
//
// Case is folded by the tables of Unicode's CaseFolding.txt, form by its
// canonical equivalence, and both by definition D145 of its core
// specification. Names that are not well-formed UTF-8 are folded from A to Z
// if the file system knows no other letters, else not at all.
func (t Traits) Key(name string) string {
	if !t.Folds() {
		return name
	}
	if isASCII(name) || t.onlyASCII() && !t.FoldsForm && !t.Ignores {
		if t.FoldsCase {
			return lowerASCII(name)
		}
		return name
	}
	if !utf8.ValidString(name) {
		return name
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if key := s.key(t, name); string(key) != name {
		return string(key)
	}
	return name
}

// Clash looks among siblings, the names that are in a directory, for another
// than name itself that is one with it there: the one to tell people of when
// name turns out to be taken. It reads all of them if there is none, and none
// if the file system tells all names apart.
func (t Traits) Clash(name string, siblings iter.Seq[string]) (other string, clash bool) {
	if !t.Folds() {
		return "", false
	}
	key := t.Key(name)
	for sibling := range siblings {
		if sibling != name && t.Key(sibling) == key {
			return sibling, true
		}
	}
	return "", false
}

func isASCII(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lowerASCII folds A to Z and leaves all other bytes alone.
func lowerASCII(name string) string {
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			b := []byte(name)
			for ; i < len(b); i++ {
				b[i] = lower(b[i])
			}
			return string(b)
		}
	}
	return name
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
