package names

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// windowsForbids are the printable ones of the characters that Windows
	// forbids; it also forbids control characters, U+0000 to U+001F. This and
	// what follows: Microsoft, "Naming Files, Paths, and Namespaces".
	windowsForbids = `<>:"/\|?*`
	windowsEnds    = ". "
	windowsMax     = 255 // UTF-16 code units
)

// windowsDevices are reserved in every directory, with any extension. Three
// of the digits may be superscripts.
var windowsDevices = func() map[string]bool {
	devices := map[string]bool{"CON": true, "PRN": true, "AUX": true, "NUL": true, "CONIN$": true, "CONOUT$": true}
	for _, port := range []string{"COM", "LPT"} {
		for _, digit := range "123456789¹²³" {
			devices[port+string(digit)] = true
		}
	}
	return devices
}()

// Refuses tells whether a file of that name cannot exist, and in words for
// people why not, as a clause of its own: `names there cannot hold ":"`. The
// name is one name of a path: not empty, and without slashes.
//
// To hold the name, a file system would have to change it; and a name that has
// changed is, to all other devices, another file.
func (t Traits) Refuses(name string) (why string, refused bool) {
	why = t.refuses(name)
	if why == "" && t.Windows {
		why = refusesAsWindows(name)
	}
	return why, why != ""
}

// refuses gives the reason, empty if there is none, beside Windows' rules.
func (t Traits) refuses(name string) string {
	if t.MaxName > 0 && len(name) > t.MaxName {
		return fmt.Sprintf("the name is %d bytes long, and names there can have no more than %d", len(name), t.MaxName)
	}
	if (t.WellFormed || t.Windows || t.Decomposes || t.MaxRune > 0) && !utf8.ValidString(name) {
		return "the name is not text in UTF-8, and names there must be"
	}
	if bad, found := holdsOf(name, t.Forbids); found {
		return "names there cannot hold " + called(bad)
	}
	if bad, found := endsIn(name, t.Ends); found {
		return "names there cannot end with " + called(bad)
	}
	if bad, found := holdsBeyond(name, t.MaxRune); found {
		return "names there cannot hold " + called(bad)
	}
	if t.Decomposes && !norm.NFD.IsNormalString(name) {
		return "names there are stored with letters and their accents apart, and this one has them in one"
	}
	if t.Lowers && strings.ContainsFunc(name, func(r rune) bool { return unicode.ToLower(r) != r }) {
		return "names there are in small letters, and this one has capitals"
	}
	return ""
}

func refusesAsWindows(name string) string {
	if bad, found := holdsOf(name, windowsForbids); found {
		return "on Windows, names cannot hold " + called(bad)
	}
	for _, r := range name {
		if r < ' ' {
			return "on Windows, names cannot hold " + called(r)
		}
	}
	if bad, found := endsIn(name, windowsEnds); found {
		return "on Windows, names cannot end with " + called(bad)
	}
	if device, is := deviceOf(name); is {
		return fmt.Sprintf("on Windows, %q is a device, with or without an extension", device)
	}
	if n := units(name); n > windowsMax {
		return fmt.Sprintf("on Windows, names have at most %d characters as UTF-16 counts them, and this one has %d", windowsMax, n)
	}
	return ""
}

// deviceOf gives the name of the device that Windows finds under name, as it
// is spelled there: what stands before the first dot, without spaces at its
// end, in whatever case.
func deviceOf(name string) (device string, is bool) {
	base, _, _ := strings.Cut(name, ".")
	base = strings.TrimRight(base, " ")
	if len(base) > len("CONOUT$") {
		return "", false
	}
	return base, windowsDevices[strings.ToUpper(base)]
}

// units counts UTF-16 code units.
func units(name string) (n int) {
	for _, r := range name {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

// holdsOf finds the first character of name that is one of set.
func holdsOf(name, set string) (rune, bool) {
	if i := strings.IndexAny(name, set); i >= 0 {
		r, _ := utf8.DecodeRuneInString(name[i:])
		return r, true
	}
	return 0, false
}

// holdsBeyond finds the first character of name that is beyond last, unless
// last is 0.
func holdsBeyond(name string, last rune) (rune, bool) {
	if last == 0 {
		return 0, false
	}
	for _, r := range name {
		if r > last {
			return r, true
		}
	}
	return 0, false
}

// endsIn finds the last character of name in set.
func endsIn(name, set string) (rune, bool) {
	r, size := utf8.DecodeLastRuneInString(name)
	return r, size > 0 && strings.ContainsRune(set, r)
}

// called is what a sentence calls a character.
func called(r rune) string {
	switch {
	case r == '.':
		return "a dot"
	case r == ' ':
		return "a space"
	case r == '"':
		return `'"'`
	case r < ' ' || r == 0x7F:
		return fmt.Sprintf("control characters (%U)", r)
	case !unicode.IsPrint(r):
		return fmt.Sprintf("the character %U", r)
	}
	return fmt.Sprintf(`"%c"`, r)
}
