package merge

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
)

// CopyName is the path of the conflict copy of e, which lost its own: beside
// it, named after the device that made it, when, and a few characters for its
// version, so that every device that keeps it makes the same file. Where the
// name is taken by other content, the next try has more characters; no name
// nests in another.
//
// e of unknown history has no author: then device names this device, and the
// time is that of the file.
func CopyName(e *entry.Entry, device string, try int) entry.Path {
	when, author := e.Version.Clock.Time(), e.AuthorName
	if e.Unknown {
		when = time.Unix(0, e.ModTime)
	}
	if author == "" {
		author = device
	}
	suffix := fmt.Sprintf(" (conflict, %s, %s %s)",
		strings.NewReplacer("/", "-", "\x00", "-").Replace(author), when.UTC().Format("2006-01-02 15.04.05"), tag(e, try))
	stem, ext := splitName(plainName(e.Path.Name()))
	stem = clip(stem, max(1, entry.MaxName-len(suffix)-len(ext)))
	return e.Path.Parent().Join(stem + suffix + ext)
}

// MaxCopyTries is how many different names [CopyName] has.
const MaxCopyTries = 4

var tags = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// tag is a few characters that stand for the version and what it holds, more of
// them with each try. Of another version with the same content they differ: the
// copy of that is another file, which no delete of this one takes away.
func tag(e *entry.Entry, try int) string {
	d := e.Digest()
	b := d[:]
	for _, c := range e.Version.Vector {
		b = binary.BigEndian.AppendUint64(b, uint64(c.Replica))
		b = binary.BigEndian.AppendUint64(b, c.Count)
	}
	sum := sha256.Sum256(b)
	text := tags.EncodeToString(sum[:len(d)])
	return text[:min(4<<try, len(text))]
}

var copySuffix = regexp.MustCompile(`(?s)^(.+) \(conflict, ([^/]{1,64}), (\d{4,5}-\d\d-\d\d \d\d\.\d\d\.\d\d) [a-z2-9]{4,26}\)(\.[^.]{0,15})?$`)

// plainName is the name of what a conflict copy is a copy of.
func plainName(name string) string {
	if m := copySuffix.FindStringSubmatch(name); m != nil {
		return m[1] + m[4]
	}
	return name
}

// CopyOf is the path of what a conflict copy is a copy of; a path that is none
// is returned as it is. A name that was shortened to make room stays short.
func CopyOf(p entry.Path) entry.Path { return p.Parent().Join(plainName(p.Name())) }

// CopyBy is the device that a conflict copy is named after.
func CopyBy(p entry.Path) (device string, ok bool) {
	m := copySuffix.FindStringSubmatch(p.Name())
	if m == nil {
		return "", false
	}
	return m[2], true
}

// PlainCopyName is a path for a conflict copy that is to stay for good, under a
// name that is none of a conflict copy; the next try has a number.
func PlainCopyName(p entry.Path, try int) entry.Path {
	m := copySuffix.FindStringSubmatch(p.Name())
	if m == nil {
		return p
	}
	number := ""
	if try > 0 {
		number = fmt.Sprintf(" %d", try+1)
	}
	return p.Parent().Join(fmt.Sprintf("%s (%s, %s%s)%s", m[1], m[2], m[3], number, m[4]))
}

// IsCopy tells whether a path has the name of a conflict copy.
func IsCopy(p entry.Path) bool {
	n := p.Name()
	return strings.Contains(n, " (conflict, ") && plainName(n) != n
}

// splitName divides a name before its extension, if it has a short one.
func splitName(name string) (stem, ext string) {
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 16 {
		return name[:i], name[i:]
	}
	return name, ""
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
