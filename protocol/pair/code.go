package pair

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Plate is the nameplate of a code, the number at its head. It is public and
// only for finding the device that shows the code; the words do the rest.
type Plate uint32

// Reach is from how far the nameplate of a code can be found.
type Reach uint8

// The reaches. The zero value stays on the local network.
const (
	Near Reach = iota // up to two digits, announced on the local network
	Far               // nine digits, for a rendezvous that strangers share
)

// The nameplates of codes that are found from far. There are so many that
// nobody can look under each while a code lives, nor meet one by mistake.
const (
	farLeast Plate = 100_000_000
	farMost        = MaxPlate
)

// Reach is from how far a device that shows such a nameplate may be found.
func (p Plate) Reach() Reach {
	if p >= farLeast {
		return Far
	}
	return Near
}

// String is the number as it is shown, in groups of three digits if it is long.
func (p Plate) String() string {
	s := strconv.FormatUint(uint64(p), 10)
	if p.Reach() == Far {
		s = s[:3] + "-" + s[3:6] + "-" + s[6:]
	}
	return s
}

// Code is what a person carries from one device to the other: a nameplate and
// three words, 31 bits between them. The zero Code is none.
//
// String shows it to the person; a log shows the nameplate only.
type Code struct {
	plate Plate
	words [3]uint16 // indices into wordList
}

// NewCode draws a code from random, which must be a cryptographic source. It
// returns an error only if reading from that fails.
func NewCode(random io.Reader, reach Reach) (Code, error) {
	low, high := Plate(1), Plate(99)
	if reach == Far {
		low, high = farLeast, farMost
	}
	n, err := draw(random, uint32(high-low+1))
	if err != nil {
		return Code{}, fmt.Errorf("draw a nameplate: %w", err)
	}
	c := Code{plate: low + Plate(n)}
	for i := range c.words {
		n, err := draw(random, listSize)
		if err != nil {
			return Code{}, fmt.Errorf("draw a word: %w", err)
		}
		c.words[i] = uint16(n)
	}
	return c, nil
}

// draw is a number below n, each as likely as the others: what would favour
// the small ones is drawn again.
func draw(random io.Reader, n uint32) (uint32, error) {
	fair := ^uint32(0) - ^uint32(0)%n
	for {
		var b [4]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, err
		}
		if v := binary.BigEndian.Uint32(b[:]); v < fair {
			return v % n, nil
		}
	}
}

// ParseCode reads what a person typed: upper or lower case, with anything but
// letters and digits between the parts, each word as far as it takes to tell
// it from the others, which is three letters. It wraps [ErrCode]; for a word
// that is not in the list the error names it and the nearest one that is.
func ParseCode(s string) (Code, error) {
	if len(s) > maxCode {
		return Code{}, fmt.Errorf("%w: %d bytes long", ErrCode, len(s))
	}
	parts := codeParts(s)
	if len(parts) != 4 {
		return Code{}, fmt.Errorf("%w: want a number and three words, as in %q", ErrCode, exampleCode)
	}
	plate, err := parsePlate(parts[0])
	if err != nil {
		return Code{}, err
	}
	c := Code{plate: plate}
	for i, word := range parts[1:] {
		n, ok := findWord(word)
		if !ok {
			return Code{}, fmt.Errorf("%w: no word %q; the nearest is %q", ErrCode, word, nearestWord(word))
		}
		c.words[i] = uint16(n)
	}
	return c, nil
}

const exampleCode = "48-acid-bonnet-lunchbox"

// codeParts are the runs of letters and digits. The groups of a long number are
// one part, and a "yo" and its "yo" are one word, however people spell it.
func codeParts(s string) []string {
	parts := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for len(parts) > 1 && isNumber(parts[0]) && isNumber(parts[1]) {
		parts[1] = parts[0] + parts[1]
		parts = parts[1:]
	}
	for i := 1; i < len(parts); i++ {
		if parts[i-1] == "yo" && parts[i] == "yo" {
			parts[i-1] = "yoyo"
			parts = slices.Delete(parts, i, i+1)
		}
	}
	return parts
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

func parsePlate(s string) (Plate, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || n > uint64(MaxPlate) {
		return 0, fmt.Errorf("%w: it begins with a number of at most nine digits, not %q", ErrCode, s)
	}
	return Plate(n), nil
}

// Plate is the number at the head of the code, zero for the zero Code.
func (c Code) Plate() Plate { return c.plate }

// Secret is what [Enter] proves. Make one per text that a person typed: it can
// be proven once.
func (c Code) Secret() *Secret {
	return &Secret{kind: kindWords, plate: c.plate, password: "words:" + c.phrase()}
}

// String is the code as it is shown and typed. It is secret until used.
func (c Code) String() string {
	return c.plate.String() + "-" + c.phrase()
}

func (c Code) phrase() string {
	list := wordList()
	return list[c.words[0]] + "-" + list[c.words[1]] + "-" + list[c.words[2]]
}

// GoString hides the words from %#v.
func (c Code) GoString() string { return fmt.Sprintf("pair.Code(%d-...)", c.plate) }

// LogValue hides the words from logs.
func (c Code) LogValue() slog.Value { return slog.StringValue(c.GoString()) }
