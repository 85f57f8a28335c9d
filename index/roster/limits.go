package roster

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Bounds of one statement.
const (
	MaxName  = entry.MaxAuthorName // bytes of a device's name
	MaxLabel = 128                 // bytes of a folder's label
	MaxKnows = MaxByAuthor         // so that all of one author can be named
	// MaxPayload is that of a Recover, in bytes. It is the same for all kinds,
	// so that devices that do not know a kind pass it on.
	MaxPayload = 4096

	maxDevice    = 128 // bytes of a device ID
	maxSignature = 128 // bytes
	saltSize     = 16  // bytes
	// maxEncoded is above what the fields can add up to.
	maxEncoded = 2*maxDevice + MaxName + MaxLabel + MaxPayload + maxSignature + 32*MaxKnows + 256
)

// Bounds of a roster.
const (
	MaxStatements = 4096    // of all devices ever admitted
	MaxByAuthor   = 512     // of one author
	MaxSize       = 4 << 20 // bytes, encoded

	maxStrays = 256 // of devices never admitted, as far as is known
	// reserve is what only a Revoke may use: nobody may be safe from
	// revocation because the roster has been filled up.
	reserve     = MaxStatements / 8
	reserveSize = MaxSize / 8
)

// check refuses, for this roster, a statement that is malformed, about another
// folder, or not signed by its author.
func (r Roster) check(s *signed) error {
	err := s.check()
	switch {
	case err != nil:
	case s.Folder != r.folder || s.Kind == Found && s.founds() != r.folder:
		err = ErrFolder
	case r.verify == nil || !r.verify(s.Author, s.Bytes(), s.Signature):
		err = ErrSignature
	}
	if err != nil {
		return fmt.Errorf("statement %q of %q about %q: %w", s.Kind, s.Author, s.Subject, err)
	}
	s.size = len(s.Encode())
	return nil
}

// check refuses what is out of bounds, and for the known kinds also a field
// that does not belong there. It wraps [ErrStatement].
func (s *Statement) check() error {
	switch {
	case s.Kind == 0:
		return fmt.Errorf("%w: no kind", ErrStatement)
	case s.Clock == 0 || s.Clock > version.MaxClock:
		return fmt.Errorf("%w: clock %d", ErrStatement, s.Clock)
	case !plausible(s.Author) || !plausible(s.Subject):
		return fmt.Errorf("%w: %q is no device ID", ErrStatement, []entry.DeviceID{s.Author, s.Subject})
	case !clean(s.Name, MaxName):
		return fmt.Errorf("%w: name %q", ErrStatement, s.Name)
	case !clean(s.Label, MaxLabel):
		return fmt.Errorf("%w: label %q", ErrStatement, s.Label)
	case len(s.Payload) > MaxPayload || len(s.Signature) > maxSignature:
		return fmt.Errorf("%w: payload of %d bytes, signature of %d", ErrStatement, len(s.Payload), len(s.Signature))
	case !ascending(s.Knows) || len(s.Knows) > MaxKnows:
		return fmt.Errorf("%w: %d known statements, or out of order", ErrStatement, len(s.Knows))
	}
	return s.checkKind()
}

// shapes says which fields each kind has, and how many bytes of payload.
var shapes = map[Kind]struct {
	self, role, rights, label, replica, knows bool
	least, most                               int
}{
	Found:    {self: true, role: true, rights: true, label: true, least: saltSize, most: saltSize},
	Admit:    {role: true, rights: true, knows: true},
	Leave:    {self: true},
	Revoke:   {knows: true},
	Replica:  {self: true, replica: true},
	Describe: {self: true, role: true},
	Recover:  {rights: true, least: 1, most: MaxPayload},
}

func (s *Statement) checkKind() error {
	shape, known := shapes[s.Kind]
	ok := !known ||
		shape.self == s.self() &&
			shape.role == (s.Role != 0) && (shape.role || s.Name == "") &&
			(shape.rights || s.Rights == 0) &&
			shape.label == (s.Label != "") &&
			shape.replica == (s.Replica != 0) &&
			(shape.knows || len(s.Knows) == 0) &&
			shape.least <= len(s.Payload) && len(s.Payload) <= shape.most
	if !ok {
		return fmt.Errorf("%w: a field missing or out of place in %q", ErrStatement, s.Kind)
	}
	return nil
}

// plausible tells whether d can be printed and stored as a device ID; whether
// it is one, the signature shows.
func plausible(d entry.DeviceID) bool {
	for _, c := range []byte(d) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return d != "" && len(d) <= maxDevice
}

// clean tells whether a name is short text of one line that cannot upset a
// terminal or pass for another by running backwards. Joiners are let through:
// some scripts cannot be written without them.
func clean(s string, limit int) bool {
	for _, c := range s {
		if unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return false
		}
	}
	return len(s) <= limit && utf8.ValidString(s)
}

func ascending(ids []ID) bool {
	for i := 1; i < len(ids); i++ {
		if bytes.Compare(ids[i-1][:], ids[i][:]) >= 0 {
			return false
		}
	}
	return true
}

// usage counts what a roster holds.
type usage struct {
	statements, strays, size int
	byAuthor                 map[entry.DeviceID]int
}

func (u *usage) add(s *signed, rooted bool) {
	if u.byAuthor == nil {
		u.byAuthor = make(map[entry.DeviceID]int)
	}
	u.byAuthor[s.Author]++
	u.size += s.size
	if rooted {
		u.statements++
	} else {
		u.strays++
	}
}

// room tells by a nil error that s still fits.
func (u *usage) room(s *signed, rooted bool) error {
	count, size := MaxStatements-reserve, MaxSize-reserveSize
	if s.Kind == Revoke {
		count, size = MaxStatements, MaxSize
	}
	if rooted && u.statements < count && u.byAuthor[s.Author] < MaxByAuthor && u.size+s.size <= size {
		return nil
	}
	if !rooted && u.strays < maxStrays && u.size+s.size <= size {
		return nil
	}
	return fmt.Errorf("statement %q of %q about %q: %w", s.Kind, s.Author, s.Subject, ErrFull)
}
