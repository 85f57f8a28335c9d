package names_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/kithmesh/kith/node/tree/names"
)

// anyTraits draws what a file system folds.
func anyTraits(t *rapid.T) names.Traits {
	return names.Traits{
		FoldsCase: rapid.Bool().Draw(t, "case"),
		LastCased: rapid.SampledFrom([]rune{0, 0x7F, 0xFFFF}).Draw(t, "last"),
		Expands:   rapid.Bool().Draw(t, "expands"),
		FoldsForm: rapid.Bool().Draw(t, "form"),
		Ignores:   rapid.Bool().Draw(t, "ignores"),
	}
}

// tricky are characters that fold, combine, expand or vanish.
var tricky = []rune("aAäÄkK\u212aßẞsSſiIıİΣσςµμÅ\u212bﬁǅǆᾳᾼΐ\u0300\u0301\u0308\u0323\u0345\u034f\u200d\ufe0f\U00010400\U00010428Ꭰꭰ가\u1100\u1161ა\U0001F98A.1")

// anyName draws a name of such characters, of any, or of any bytes.
func anyName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringOfN(rapid.SampledFrom(tricky), 0, 8, -1),
		rapid.StringN(0, 8, -1),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) string { return string(b) }),
	)
}

func TestTheKeyOfAKeyIsTheKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traits, name := anyTraits(t), anyName().Draw(t, "name")
		key := traits.Key(name)
		if again := traits.Key(key); again != key {
			t.Fatalf("key of %q is %q, and of that %q", name, key, again)
		}
	})
}

func TestEveryCharacterFoldsTheSameInEveryCase(t *testing.T) {
	simple, full := names.Traits{FoldsCase: true}, names.Traits{FoldsCase: true, Expands: true}
	both := names.Traits{FoldsCase: true, Expands: true, FoldsForm: true, Ignores: true}
	lettersAlone := names.Traits{FoldsCase: true, FoldsForm: true}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		for _, traits := range []names.Traits{simple, full, both, lettersAlone} {
			key, other := traits.Key(string(r)), unicode.SimpleFold(r)
			if key != traits.Key(string(other)) {
				t.Fatalf("%+v: %U and %U are one but for case, and have keys %q and %q", traits, r, other, key, traits.Key(string(other)))
			}
			if again := traits.Key(key); again != key {
				t.Fatalf("%+v: key of %U is %q, and of that %q", traits, r, key, again)
			}
		}
		if key, _ := utf8.DecodeRuneInString(simple.Key(string(r))); key != r && !foldsTo(r, key) {
			t.Fatalf("key of %U is %U, which is not a case of it", r, key)
		}
	}
}

// foldsTo tells whether o differs from r in case only.
func foldsTo(r, o rune) bool {
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		if next == o {
			return true
		}
	}
	return false
}

func TestCasesOfASCIIAreOneExactlyWhereCaseIsFolded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traits := anyTraits(t)
		name := rapid.StringMatching(`[a-z0-9 ._-]{0,8}[a-z][a-z0-9 ._-]{0,8}`).Draw(t, "name")
		if one := traits.Key(name) == traits.Key(strings.ToUpper(name)); one != traits.FoldsCase {
			t.Fatalf("%q is one with itself in capitals: %v", name, one)
		}
	})
}

func TestFormsAreOneExactlyWhereFormIsFolded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traits := anyTraits(t)
		name := rapid.StringOfN(rapid.SampledFrom([]rune("äöüéñ가ạ")), 1, 8, -1).Draw(t, "name")
		if one := traits.Key(name) == traits.Key(norm.NFD.String(name)); one != traits.FoldsForm {
			t.Fatalf("%q is one with itself in parts: %v", name, one)
		}
	})
}

func TestEachFoldingKeepsTogetherWhatALesserOneDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traits, a, b := anyTraits(t), anyName().Draw(t, "a"), anyName().Draw(t, "b")
		if rapid.Bool().Draw(t, "alike") {
			b = strings.ToUpper(a)
		}
		if !utf8.ValidString(a) || !utf8.ValidString(b) || traits.Key(a) != traits.Key(b) {
			return
		}
		more := traits
		switch rapid.IntRange(0, 3).Draw(t, "more") {
		case 0:
			more.FoldsCase = true
		case 1:
			more.LastCased = 0
		case 2:
			more.Expands = true
		case 3:
			more.FoldsForm, more.Ignores = true, true
		}
		if more.Key(a) != more.Key(b) {
			t.Fatalf("%q and %q are one with %+v and two with %+v", a, b, traits, more)
		}
	})
}

func TestAClashIsFoundExactlyIfThereIsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traits, name := anyTraits(t), anyName().Draw(t, "name")
		siblings := rapid.SliceOfN(anyName(), 0, 6).Draw(t, "siblings")
		other, clash := traits.Clash(name, slices.Values(siblings))
		want := slices.ContainsFunc(siblings, func(s string) bool { return s != name && traits.Key(s) == traits.Key(name) })
		if clash != want {
			t.Fatalf("clash: %v, want %v", clash, want)
		}
		if clash && (other == name || !slices.Contains(siblings, other) || traits.Key(other) != traits.Key(name)) {
			t.Fatalf("%q clashes with %q", name, other)
		}
	})
}
