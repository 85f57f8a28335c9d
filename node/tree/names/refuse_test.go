package names_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/node/tree/names"
)

var windows = names.Traits{Windows: true}

func TestARefusalSaysWhatIsWrongWithTheName(t *testing.T) {
	exfat := names.Traits{Forbids: "\x01\x1f" + `"*:<>?\|`, Ends: ".", WellFormed: true}
	for _, c := range []struct {
		traits names.Traits
		name   string
		says   string // a part of the reason; empty if it is not refused
	}{
		{windows, "report.odt", ""},
		{windows, "a:b", `":"`},
		{windows, "what?", `"?"`},
		{windows, `say "hi"`, `'"'`},
		{windows, `a\b`, `"\"`},
		{windows, "a|b", `"|"`},
		{windows, "a*", `"*"`},
		{windows, "<a", `"<"`},
		{windows, "a>", `">"`},
		{windows, "tab\there", "control characters (U+0009)"},
		{windows, "bell\a", "control characters (U+0007)"},
		{windows, "\x7f", ""},
		{windows, "end.", "end with a dot"},
		{windows, "end ", "end with a space"},
		{windows, "..a", ""},
		{windows, " a", ""},
		{windows, "\xff", "not text in UTF-8"},
		{windows, "\xed\xa0\x80", "not text in UTF-8"}, // half a surrogate pair
		{windows, strings.Repeat("x", 255), ""},
		{windows, strings.Repeat("x", 256), "has 256"},
		{windows, strings.Repeat("🦊", 127), ""},
		{windows, strings.Repeat("🦊", 128), "has 256"},

		{exfat, "a:b", `":"`},
		{exfat, "a\x1fb", "control characters (U+001F)"},
		{exfat, "a.", "a dot"},
		{exfat, "a ", ""},
		{exfat, "con", ""},
		{exfat, "\xff", "not text in UTF-8"},

		{names.Traits{}, "a:b\xff.", ""},
		{names.Traits{WellFormed: true}, "a\xff", "not text in UTF-8"},
		{names.Traits{MaxName: 143}, strings.Repeat("x", 143), ""},
		{names.Traits{MaxName: 143}, strings.Repeat("x", 144), "144 bytes long"},
		{names.Traits{MaxRune: 0x7f}, "ascii", ""},
		{names.Traits{MaxRune: 0x7f}, "été", `"é"`},
		{names.Traits{MaxRune: 0xffff}, "été", ""},
		{names.Traits{MaxRune: 0xffff}, "🦊", `"🦊"`},
		{names.Traits{MaxRune: 0x7f}, "a\u200d", "U+200D"},
		{names.Traits{Decomposes: true}, "e\u0301te\u0301", ""},
		{names.Traits{Decomposes: true}, "\u00e9t\u00e9", "accents"},
		{names.Traits{Lowers: true}, "été", ""},
		{names.Traits{Lowers: true}, "Été", "capitals"},
		{names.Traits{Lowers: true}, "a\xff", ""},
		{names.Traits{Forbids: "é"}, "Café", `"é"`},
	} {
		why, refused := c.traits.Refuses(c.name)
		if refused != (why != "") || refused != (c.says != "") || !strings.Contains(why, c.says) {
			t.Errorf("%+v refuses %q: %v, %q; want %q", c.traits, c.name, refused, why, c.says)
		}
	}
}

func TestWindowsKeepsTheNamesOfDevicesWhateverFollows(t *testing.T) {
	for _, device := range []string{
		"CON", "PRN", "AUX", "NUL", "COM1", "COM9", "LPT1", "LPT9", "COM¹", "COM²", "LPT³", "CONIN$", "CONOUT$",
		"con", "Aux", "nUl", "lpt4", "com³", "conin$",
	} {
		for _, name := range []string{device, device + ".txt", device + ".tar.gz", device + " .txt"} {
			if why, refused := windows.Refuses(name); !refused || !strings.Contains(why, `"`+device+`" is a device`) {
				t.Errorf("%q is refused: %v, %q", name, refused, why)
			}
			if why, refused := bytesAlone.Refuses(name); refused {
				t.Errorf("%q is refused where names are bytes: %q", name, why)
			}
		}
		for _, name := range []string{"x" + device, device + "x", device + "x.txt", "my " + device, device + "-1"} {
			if why, refused := windows.Refuses(name); refused {
				t.Errorf("%q is refused: %q", name, why)
			}
		}
	}
	for _, name := range []string{"COM", "COM10", "LPT", "COM0", "COM⁴", "CONIN", "CLOCK", "NULL", "auxiliary.c", ".con"} {
		if why, refused := windows.Refuses(name); refused {
			t.Errorf("%q is refused: %q", name, why)
		}
	}
}

func TestAReasonIsOneLineOfReadableText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traits := names.Traits{
			Windows: rapid.Bool().Draw(t, "windows"), WellFormed: rapid.Bool().Draw(t, "well-formed"),
			Decomposes: rapid.Bool().Draw(t, "decomposes"),
			MaxName:    rapid.IntRange(0, 8).Draw(t, "longest"),
			MaxRune:    rapid.SampledFrom([]rune{0, 0x7f, 0xffff}).Draw(t, "last"),
			Forbids:    rapid.String().Draw(t, "forbids"), Ends: rapid.String().Draw(t, "ends"),
		}
		name := anyName().Draw(t, "name")
		why, refused := traits.Refuses(name)
		if refused != (why != "") || !utf8.ValidString(why) || strings.ContainsFunc(why, func(r rune) bool { return r < ' ' }) {
			t.Fatalf("%q is refused: %v, %q", name, refused, why)
		}
		if _, refused := (names.Traits{}).Refuses(name); refused {
			t.Fatalf("%q is refused where names are bytes", name)
		}
	})
}
