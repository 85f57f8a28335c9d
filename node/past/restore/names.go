package restore

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
)

// maxTries is how many names are tried for what is restored beside.
const maxTries = 100

// BesideName is the path at which a version is restored beside what has its
// own: named after when it was made, in UTC, so that restoring it again finds
// it. Where the name is taken the next try, from 0, has a number.
func BesideName(e *entry.Entry, p entry.Path, try int) entry.Path {
	suffix := e.Version.Clock.Time().UTC().Format(" (restored 2006-01-02 15.04.05")
	if try > 0 {
		suffix += fmt.Sprintf(" %d", try+1)
	}
	suffix += ")"
	stem, ext := p.Name(), ""
	if i := strings.LastIndexByte(stem, '.'); i > 0 && len(stem)-i <= 16 && e.Kind != entry.Directory {
		stem, ext = stem[:i], stem[i:]
	}
	return p.Parent().Join(clip(stem, entry.MaxName-len(suffix)-len(ext)) + suffix + ext)
}

// clip shortens a name to n bytes, and not within a character of UTF-8.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := n; i > max(0, n-utf8.UTFMax); i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return s[:n]
}
