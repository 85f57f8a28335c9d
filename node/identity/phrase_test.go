package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"
	"pgregory.net/rapid"
)

func phraseOf(b byte) Phrase { return fromSeed([32]byte(bytes.Repeat([]byte{b}, 32))) }

// text is the phrase in one line.
func text(p Phrase) string { words := p.Words(); return strings.Join(words[:], " ") }

// The first four are vectors of BIP-39. What they lead to is on people's paper:
// if this test fails, the code is wrong.
func TestWordsLeadToTheSameKeysForEver(t *testing.T) {
	var counted [32]byte
	for i := range counted {
		counted[i] = byte(i)
	}
	for _, v := range []struct {
		phrase        Phrase
		words         string
		device, kemID string // the latter: the SHA-256 of the public key
	}{
		{phraseOf(0x00), strings.Repeat("abandon ", 23) + "art",
			"12D3KooWMLGKDQUzRGCgWUemF2aGWRy54Ly8TLyi9hAw1w8MAEdK",
			"f7c7c6532932d0d4563d1b662deacaabb998819de6bde0deed5d1cb838ea3edf"},
		{phraseOf(0x7f), strings.Repeat("legal winner thank year wave sausage worth useful ", 2) + "legal winner thank year wave sausage worth title",
			"12D3KooWDBjC28QKw2pniXVY5W7pMCGuGij3sUfJ7ywYy7pwcExA",
			"2939fb3095ab032bc617439e3c13261ab1a07b7ae10a1ef8c9e94e1b8547faec"},
		{phraseOf(0x80), strings.Repeat("letter advice cage absurd amount doctor acoustic avoid ", 2) + "letter advice cage absurd amount doctor acoustic bless",
			"12D3KooWD5M4PT2NVy9W9WT643uzpu8B75HPbyvj11wj2YmWu4oi",
			"f8148f4cada57176719fe110bd96d9fd1ed7278327bab1367e3afc5c3e870a99"},
		{phraseOf(0xff), strings.Repeat("zoo ", 23) + "vote",
			"12D3KooWJou5VLBUxt4yCbZRpifoDvJLpiASvJnWcZX4wWUnXuKv",
			"3b2ec5299fb89913538128519fa64a2038362599e9b6091acd430bc92bc1cb26"},
		{fromSeed(counted), "abandon amount liar amount expire adjust cage candy arch gather drum bullet absurd math era live bid rhythm alien crouch range attend journey unaware",
			"12D3KooWET4e4ZGE7sscQtyM4WCv8inukj8RPBDgwXKMdUQUMjwf",
			"3f79b59de68535475001bb37f4ebdaec059267a51d258cc02a83f5f6b621d348"},
	} {
		if got := text(v.phrase); got != v.words {
			t.Errorf("the words are now %q, not %q", got, v.words)
		}
		read, err := ParsePhrase(v.words)
		if err != nil || read.seed() != v.phrase.seed() {
			t.Errorf("%q: %v", v.words, err)
			continue
		}
		i, err := read.Identity()
		if err != nil || string(i.ID()) != v.device {
			t.Errorf("%q is now device %s (%v)", v.words, i.ID(), err)
		}
		k, err := read.KEM()
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(k.PublicKey().Bytes())
		if got := hex.EncodeToString(sum[:]); got != v.kemID || len(k.PublicKey().Bytes()) != 1216 {
			t.Errorf("%q now has the key %s", v.words, got)
		}
	}
}

func TestAPhraseIsReadAsPeopleTypeIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := fromSeed([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")))
		var typed strings.Builder
		for i, w := range p.Words() {
			typed.WriteString(rapid.SampledFrom([]string{"", " ", "\t", "\r\n", fmt.Sprintf("%d. ", i+1), fmt.Sprintf("%d.", i+1), fmt.Sprintf("(%d) ", i+1), "- "}).Draw(t, "before"))
			w = w[:rapid.IntRange(min(4, len(w)), len(w)).Draw(t, "letters")]
			typed.WriteString(rapid.SampledFrom([]string{w, strings.ToUpper(w), strings.ToUpper(w[:1]) + w[1:]}).Draw(t, "word"))
			typed.WriteString(rapid.SampledFrom([]string{" ", "  ", "\n", ", ", "\u00a0", "; "}).Draw(t, "after"))
		}
		got, err := ParsePhrase(typed.String())
		if err != nil || got.seed() != p.seed() {
			t.Fatalf("%q: %v", typed.String(), err)
		}
	})
}

func TestNewPhrasesDifferAndReadBack(t *testing.T) {
	p, q := NewPhrase(), NewPhrase()
	if p.seed() == q.seed() || p.IsZero() || !(Phrase{}).IsZero() {
		t.Fatal("two new phrases are equal, or none")
	}
	if again, err := ParsePhrase(text(p)); err != nil || again.seed() != p.seed() {
		t.Fatal(err)
	}
}

func TestAWrongWordIsNamedWithItsPlaceAndItsLikes(t *testing.T) {
	words := phraseOf(0x80).Words()
	for typed, near := range map[string][]string{
		"leter":      {"letter", "later"},
		"dcotor":     {"doctor"},
		"doctr":      {"doctor"},
		"doktor":     {"doctor"},
		"absurdd":    {"absurd"},
		"cag":        {"cage", "can", "car"},
		"xylophones": nil,
		"ééé":        nil,
	} {
		wrong := slices.Clone(words[:])
		wrong[6] = strings.ToUpper(typed)
		_, err := ParsePhrase(strings.Join(wrong, " "))
		var w *WordError
		if !errors.As(err, &w) || !errors.Is(err, ErrPhrase) || w.Position != 7 || w.Typed != typed {
			t.Errorf("%s: %v", typed, err)
			continue
		}
		if len(w.Near) > 3 || !slices.Equal(w.Near[:min(len(near), len(w.Near))], near) {
			t.Errorf("%s is like %q, want %q", typed, w.Near, near)
		}
		if !strings.Contains(err.Error(), "word 7") || len(near) > 0 && !strings.Contains(err.Error(), near[0]) {
			t.Errorf("%s: %v", typed, err)
		}
	}
	_, err := ParsePhrase(strings.Repeat("x", 4000))
	if w := (*WordError)(nil); !errors.As(err, &w) || len(w.Typed) != maxTyped {
		t.Errorf("a long word is told back: %v", err)
	}
}

func TestWordsThatDoNotFitTogetherAreRefusedWithoutBeingEchoed(t *testing.T) {
	right := phraseOf(0x80).Words()
	swapped := right
	swapped[0], swapped[1] = swapped[1], swapped[0]
	other := right
	other[5] = "zoo"
	for name, typed := range map[string]string{
		"swapped": strings.Join(swapped[:], " "), "another word": strings.Join(other[:], " "),
		"too few": strings.Join(right[:23], " "), "too many": strings.Join(append(right[:], "zoo"), " "),
		"a shorter kind of phrase": strings.Repeat("abandon ", 11) + "about", "none": "", "only numbers": "1. 2. 3.", "endless": strings.Repeat("zoo ", 5000),
	} {
		p, err := ParsePhrase(typed)
		if !errors.Is(err, ErrPhrase) || !p.IsZero() {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if whole := name == "swapped" || name == "another word"; whole != errors.Is(err, ErrChecksum) {
			t.Errorf("%s: %v", name, err)
		}
		for _, w := range []string{"zoo", "abandon", "letter", "advice", "doctor"} {
			if strings.Contains(err.Error(), w) {
				t.Errorf("%s: the message has the word %s: %v", name, w, err)
			}
		}
	}
}

func TestFourLettersTellAllWordsOfTheListApart(t *testing.T) {
	if len(wordlists.English) != 2048 || !slices.IsSorted(wordlists.English) {
		t.Fatal("not the list")
	}
	for _, w := range wordlists.English {
		for n := min(enough, len(w)); n <= len(w); n++ {
			if got, ok := lookup(w[:n]); !ok || got != w {
				t.Fatalf("%s is taken for %q", w[:n], got)
			}
		}
	}
	if got, ok := lookup("zzzz"); ok {
		t.Fatal(got)
	}
}

func TestAWordOfAPhraseIsRecognisedAtItsPlace(t *testing.T) {
	p := phraseOf(0x80)
	for typed, want := range map[string]bool{
		"doctor": true, " Doctor\n": true, "6. DOCTOR": true, "doct": true,
		"doc": false, "letter": false, "doctors": false, "": false, "doctor doctor": false,
	} {
		if p.HasWord(6, typed) != want {
			t.Errorf("%q: %v", typed, !want)
		}
	}
	if p.HasWord(0, "letter") || p.HasWord(25, "bless") || p.HasWord(-1, "") || (Phrase{}).HasWord(1, "") {
		t.Error("a word where there is none")
	}
	if !p.HasWord(1, "letter") || !p.HasWord(24, "bless") {
		t.Error("the first or last word is not recognised")
	}
}

func TestNothingComesFromNoPhrase(t *testing.T) {
	var none Phrase
	if _, err := none.Identity(); err == nil {
		t.Error("an identity")
	}
	if _, err := none.KEM(); err == nil {
		t.Error("a key")
	}
	if none.Words() != [PhraseWords]string{} {
		t.Error("words")
	}
}

func TestAPhraseIsNeverPrinted(t *testing.T) {
	p := phraseOf(0xab)
	hidden := struct {
		N      int
		phrase Phrase
	}{phrase: p}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&out, verb+"\n", p)
		fmt.Fprintf(&out, verb+"\n", &p)
		fmt.Fprintf(&out, verb+"\n", struct{ P Phrase }{p})
		fmt.Fprintf(&out, verb+"\n", hidden)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "p", p, "in", hidden)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "p", p, "in", struct{ P Phrase }{p})
	if err := json.NewEncoder(&out).Encode(p); err == nil {
		t.Error("a phrase can be stored as text")
	}
	_ = json.NewEncoder(&out).Encode(hidden)
	if !strings.Contains(out.String(), hiddenPhrase) {
		t.Fatal("the placeholder should be there")
	}
	for _, form := range append(p.words(), "abab", "ABAB", "171 171", "0xab", "\xab\xab") {
		if strings.Contains(out.String(), form) {
			t.Fatalf("the phrase is printed as %q:\n%s", form, out.String())
		}
	}
}

func (p Phrase) words() []string { w := p.Words(); return w[:] }

func FuzzParsePhrase(f *testing.F) {
	f.Add(text(phraseOf(0)))
	f.Add("1. letter\n2. advice\n3. cage")
	f.Add(strings.Repeat("zoo ", 24))
	f.Add("\xff\xfe İſK")
	f.Fuzz(func(t *testing.T, typed string) {
		p, err := ParsePhrase(typed)
		if err != nil {
			if !errors.Is(err, ErrPhrase) {
				t.Fatalf("an error of its own: %v", err)
			}
			return
		}
		if again, err := ParsePhrase(text(p)); err != nil || again.seed() != p.seed() {
			t.Fatalf("%q reads as %q, which reads otherwise: %v", typed, text(p), err)
		}
	})
}
