package pair

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTheWordListIsFrozen: another list would be another protocol, since the
// words are the secret and the check words.
func TestTheWordListIsFrozen(t *testing.T) {
	list := wordList()
	sum := sha256.Sum256([]byte(strings.Join(list[:], "\n")))
	if got := hex.EncodeToString(sum[:]); got != "fcf3dec61da83801485223b97b422a2c019a3e12f99963ae9cad67eae0a2a41e" {
		t.Errorf("the word list has changed: %s", got)
	}
	if !slices.IsSorted(list[:]) {
		t.Error("the list is not sorted")
	}
	begins := map[string]string{}
	for _, w := range list {
		if strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" || len(w) < prefix {
			t.Errorf("word %q", w)
		}
		if other, dup := begins[w[:prefix]]; dup {
			t.Errorf("%q begins as %q does", w, other)
		}
		begins[w[:prefix]] = w
	}
}

func TestTypedCodes(t *testing.T) {
	const want = "48-acid-bonnet-lunchbox"
	for _, s := range []string{
		want,
		"48-ACID-Bonnet-LunchBox",
		"48 acid bonnet lunchbox",
		"  48 - acid,  bonnet / lunchbox.\n",
		"48-aci-bon-lun",
		"48-acid-bonne-lunchb",
		"048-acid-bonnet-lunchbox",
		"48–acid—bonnet‑lunchbox",
		"“48-acid-bonnet-lunchbox”",
	} {
		c, err := ParseCode(s)
		if err != nil || c.String() != want {
			t.Errorf("%q: %v, %v", s, err, c.String())
		}
	}
	for s, want := range map[string]string{
		"7-yo-yo-acid-yo-yo":                 "7-yoyo-acid-yoyo",
		"8 yo yo yo-yo yoyo":                 "8-yoyo-yoyo-yoyo",
		"999999-yoyo-acid-yoy":               "999999-yoyo-acid-yoyo",
		"482-913-506-aci-bon-lun":            "482-913-506-acid-bonnet-lunchbox",
		"482913506 acid bonnet lunchbox":     "482-913-506-acid-bonnet-lunchbox",
		"482 913 506 acid, bonnet, lunchbox": "482-913-506-acid-bonnet-lunchbox",
		"4 8-acid-bonnet-lunchbox":           "48-acid-bonnet-lunchbox",
	} {
		if c, err := ParseCode(s); err != nil || c.String() != want {
			t.Errorf("%q: %v, %v", s, err, c.String())
		}
	}
}

func TestTypedCodesThatAreNone(t *testing.T) {
	for s, want := range map[string]string{
		"":                                   `a number and three words`,
		"48":                                 `a number and three words`,
		"48-acid-bonnet":                     `a number and three words`,
		"48-acid-bonnet-lunchbox-acid":       `a number and three words`,
		"acid-48-bonnet-lunchbox":            `begins with a number of at most nine digits, not "acid"`,
		"0-acid-bonnet-lunchbox":             `begins with a number`,
		"1000000000-acid-bonnet-lunchbox":    `begins with a number`,
		"482-913-506-1-acid-bonnet-lunchbox": `begins with a number`,
		"482-913-506":                        `a number and three words`,
		"٤٨-acid-bonnet-lunchbox":            `begins with a number`,
		"48-acid-bonet-lunchbox":             `no word "bonet"; the nearest is "bonnet"`,
		"48-acis-bonnet-lunchbox":            `no word "acis"; the nearest is "acid"`,
		"48-acid-bonnets-lunchbox":           `no word "bonnets"; the nearest is "bonnet"`,
		"48-ac-bonnet-lunchbox":              `no word "ac"; the nearest is "acid"`,
		"48-acid-bonnet-zürich":              `no word "zürich"`,
		"48-acid-bonnet-zzzzzzzzzzzz":        `no word "zzzzzzzzzzzz"`,
		strings.Repeat("48-", 100):           `bytes long`,
		"48-acid-bonnet-\xff\xfe":            `a number and three words`,
	} {
		c, err := ParseCode(s)
		if !errors.Is(err, ErrCode) || !strings.Contains(err.Error(), want) || c != (Code{}) {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
}

func TestNewCodesAreReadBack(t *testing.T) {
	plates := map[Plate]bool{}
	for i := range 2000 {
		reach := Reach(i % 2)
		c, err := NewCode(rand.Reader, reach)
		if err != nil {
			t.Fatal(err)
		}
		if reach == Near {
			plates[c.Plate()] = true
		}
		if near := c.Plate() >= 1 && c.Plate() <= 99; near != (reach == Near) || c.Plate() > MaxPlate {
			t.Errorf("nameplate %d for reach %d", c.Plate(), reach)
		}
		if got, err := ParseCode(c.String()); err != nil || got != c {
			t.Fatalf("%v: %v", c, err)
		}
	}
	if len(plates) < 95 {
		t.Errorf("1,000 codes have %d nameplates", len(plates))
	}
	if _, err := NewCode(bytes.NewReader(make([]byte, 9)), Near); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short of random bytes: %v", err)
	}
}

// TestDrawsAreFair feeds draw the values at the end of the range, which would
// favour small numbers.
func TestDrawsAreFair(t *testing.T) {
	in := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 7}
	if n, err := draw(bytes.NewReader(in), listSize); n != 7 || err != nil {
		t.Errorf("draw: %d, %v", n, err)
	}
}

func TestCodesAreReadHoweverTheyAreTyped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Code{plate: Plate(rapid.IntRange(1, int(MaxPlate)).Draw(t, "plate"))}
		typed := fmt.Sprint(c.plate)
		for i := range c.words {
			c.words[i] = uint16(rapid.IntRange(0, listSize-1).Draw(t, "word"))
			w := wordList()[c.words[i]]
			w = w[:rapid.IntRange(prefix, len(w)).Draw(t, "letters")]
			if rapid.Bool().Draw(t, "upper") {
				w = strings.ToUpper(w)
			}
			typed += rapid.SampledFrom([]string{"-", " ", " - ", "."}).Draw(t, "joint") + w
		}
		if got, err := ParseCode(typed); err != nil || got != c {
			t.Fatalf("%q: %v, %v", typed, got, err)
		}
	})
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"acid", "acid", 0},
		{"kitten", "sitting", 3}, {"bonet", "bonnet", 1}, {"flaw", "lawn", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestSecretsStayOutOfLogs prints everything that holds a secret in every way
// that a log may.
func TestSecretsStayOutOfLogs(t *testing.T) {
	g, w, _ := openGate(t)
	code := w.Code()
	ticket, err := w.Ticket(laptop.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("pairing", "code", code, "ticket", ticket, "secret", code.Secret(),
			"ticket secret", ticket.Secret(), "window", w, "gate", g)
	}
	for _, v := range []any{code.Secret(), ticket.Secret(), w, g} {
		_, _ = fmt.Fprintf(&b, "%v %+v %#v %s %x %q %d", v, v, v, v, v, v, v)
	}
	_, _ = fmt.Fprintf(&b, "%#v %#v", code, ticket)
	secrets := []string{
		string(ticket.secret[:]), hex.EncodeToString(ticket.secret[:]), fmt.Sprint(ticket.secret)[1:50],
		fmt.Sprint(code.words), ticket.String()[40:],
	}
	for _, i := range code.words {
		secrets = append(secrets, wordList()[i])
	}
	for _, s := range secrets {
		if strings.Contains(b.String(), s) {
			t.Errorf("%q is in the log:\n%s", s, b.String())
		}
	}
}

func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"48-acid-bonnet-lunchbox", "1 yo yo yo yo aci", "0", "48-ac-ac-ac", "\xff-–"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCode(s)
		if err != nil {
			return
		}
		if got, err := ParseCode(c.String()); err != nil || got != c {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	})
}
