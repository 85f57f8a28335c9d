package names_test

import (
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/kithmesh/kith/node/tree/names"
)

// File systems as they are found.
var (
	bytesAlone = names.Traits{}
	ntfs       = names.Traits{FoldsCase: true, LastCased: 0xFFFF, Windows: true}
	fat        = names.Traits{FoldsCase: true, LastCased: 0x7F, WellFormed: true, Forbids: `"*:<>?\|`, Ends: "."}
	apfs       = names.Traits{FoldsCase: true, FoldsForm: true, WellFormed: true}
	casefold   = names.Traits{FoldsCase: true, Expands: true, FoldsForm: true, Ignores: true}
	formAlone  = names.Traits{FoldsForm: true}
)

func TestNamesAreOneWhereTheFileSystemSaysSo(t *testing.T) {
	all := map[string]names.Traits{
		"bytes": bytesAlone, "ntfs": ntfs, "fat": fat, "apfs": apfs, "casefold": casefold, "form": formAlone,
	}
	for _, c := range []struct {
		about, a, b string
		one         []string // where they are one name
	}{
		{"the same bytes", "Ärger\xff", "Ärger\xff", []string{"bytes", "ntfs", "fat", "apfs", "casefold", "form"}},
		{"other letters", "report", "rapport", nil},
		{"case from A to Z", "Report.ODT", "report.odt", []string{"ntfs", "fat", "apfs", "casefold"}},
		{"case of other letters", "ÉTÉ", "été", []string{"ntfs", "apfs", "casefold"}},
		{"case beyond the basic plane", "\U00010400", "\U00010428", []string{"apfs", "casefold"}},
		{"a letter and its accent apart", "a\u0308", "\u00e4", []string{"apfs", "casefold", "form"}},
		{"both case and form", "A\u0308", "\u00e4", []string{"apfs", "casefold"}},
		{"two accents in another order", "a\u0323\u0308", "a\u0308\u0323", []string{"apfs", "casefold", "form"}},
		{"a syllable and its parts", "\uac00", "\u1100\u1161", []string{"apfs", "casefold", "form"}},
		{"sharp s and ss", "straße", "STRASSE", []string{"casefold"}},
		{"sharp s and its capital", "straße", "STRAẞE", []string{"ntfs", "apfs", "casefold"}},
		{"a ligature", "ﬁle", "file", []string{"casefold"}},
		{"Kelvin sign and k", "300\u212a", "300k", []string{"ntfs", "apfs", "casefold"}},
		{"Kelvin sign and K", "300\u212a", "300K", []string{"ntfs", "apfs", "casefold", "form"}},
		{"dotless i and i", "\u0131", "i", nil},
		{"dotless i and I", "\u0131", "I", nil},
		{"dotted I and i", "\u0130", "i", nil},
		{"dotted I and i with a dot", "\u0130", "i\u0307", []string{"apfs", "casefold"}},
		{"sigma within and at the end", "ΟΔΟΣ", "οδος", []string{"ntfs", "apfs", "casefold"}},
		{"long s and s", "\u017f", "s", []string{"ntfs", "apfs", "casefold"}},
		{"compatible but not canonical", "①", "1", nil},
		{"an emoji in colour", "❤\ufe0f", "❤", []string{"casefold"}},
		{"with a joiner of no width", "a\u200db", "ab", []string{"casefold"}},
		{"ill-formed, case from A to Z", "A\xff", "a\xff", []string{"fat"}},
		{"ill-formed in two ways", "a\xff", "a\xfe", nil},
		{"ill-formed and its replacement", "a\xff", "a\ufffd", nil},
	} {
		for fs, traits := range all {
			a, b := traits.Key(c.a), traits.Key(c.b)
			if got, want := a == b, slices.Contains(c.one, fs); got != want {
				t.Errorf("%s: %q and %q are one name on %s: %v, want %v (keys %q, %q)", c.about, c.a, c.b, fs, got, want, a, b)
			}
		}
	}
}

func TestKeysOfNamesInSmallLettersCostNothing(t *testing.T) {
	for _, traits := range []names.Traits{bytesAlone, ntfs, fat, apfs, casefold, formAlone} {
		for _, name := range []string{"report.odt", "été.txt", "документ", "写真.jpg", "🦊.png", "ill\xff"} {
			var key string
			n := testing.AllocsPerRun(100, func() { key = traits.Key(name) })
			if key != name || n >= 1 {
				t.Errorf("%+v: key of %q is %q and took %v allocations", traits, name, key, n)
			}
		}
	}
}

func TestAClashIsWithAnotherNameOnly(t *testing.T) {
	living := []string{"notes.txt", "Report.odt", "photos"}
	for _, c := range []struct {
		traits names.Traits
		name   string
		other  string
		clash  bool
	}{
		{ntfs, "report.odt", "Report.odt", true},
		{ntfs, "Report.odt", "", false}, // itself
		{ntfs, "NOTES.TXT", "notes.txt", true},
		{ntfs, "new", "", false},
		{formAlone, "report.odt", "", false},
		{bytesAlone, "report.odt", "", false},
	} {
		if other, clash := c.traits.Clash(c.name, slices.Values(living)); other != c.other || clash != c.clash {
			t.Errorf("%q among %q clashes with %q, %v; want %q, %v", c.name, living, other, clash, c.other, c.clash)
		}
	}
}

func TestSiblingsAreNotReadWhereNothingClashes(t *testing.T) {
	siblings := func(func(string) bool) { t.Error("the siblings were read") }
	if _, clash := bytesAlone.Clash("a", siblings); clash {
		t.Error("a clash")
	}
}

func BenchmarkKey(b *testing.B) {
	for _, c := range []struct {
		about, name string
		traits      names.Traits
	}{
		{"ascii", "img_20260412_173355.jpg", casefold},
		{"ASCII", "IMG_20260412_173355.JPG", casefold},
		{"simple", "Übersicht über das Jahr.odt", ntfs},
		{"full", "Übersicht über das Jahr.odt", casefold},
		{"unchanged", "übersicht über das jahr.odt", casefold},
	} {
		b.Run(c.about, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.traits.Key(c.name)
			}
		})
	}
}

// What Unicode 15 says: 104 characters become several when case is folded in
// full, and no character that has no case changes.
func TestFullFoldingExpandsWhatUnicodeSaysItDoes(t *testing.T) {
	full := names.Traits{FoldsCase: true, Expands: true}
	simple := names.Traits{FoldsCase: true}
	expanded := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		key := full.Key(string(r))
		switch {
		case utf8.RuneCountInString(key) > 1:
			expanded++
		case key != simple.Key(string(r)):
			t.Errorf("%U folds to %q in full, to %q simply", r, key, simple.Key(string(r)))
		}
	}
	if expanded != 104 {
		t.Errorf("%d characters expand, want 104", expanded)
	}
}
