package identity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tyler-smith/go-bip39"
	"github.com/tyler-smith/go-bip39/wordlists"
)

const (
	maxPhrase = 4096 // bytes that are typed
	maxTyped  = 24   // letters of a wrong word that are told back
	// enough is how many first letters tell the words of the list apart.
	enough = 4
	// alike is how many slips of the finger are guessed at.
	alike = 2
	// mostNear is how many words are suggested for a wrong one.
	mostNear = 3
)

// ParsePhrase reads a phrase as people type it. Anything that is no letter
// separates words, be it white space, a line break, or the "1." of a numbered
// list; capitals are as good as small letters, and the first four letters of a
// word stand for it.
//
// Its errors wrap [ErrPhrase]: a [WordError] for the first word that is not in
// the list, [ErrChecksum] if all are. None but the WordError tells what was
// typed.
func ParsePhrase(typed string) (Phrase, error) {
	if len(typed) > maxPhrase {
		return Phrase{}, fmt.Errorf("%w: %d bytes are too many", ErrPhrase, len(typed))
	}
	var words []string
	for i, word := range fields(typed) {
		known, ok := lookup(word)
		if !ok {
			return Phrase{}, &WordError{Position: i + 1, Typed: cut(word), Near: near(word)}
		}
		words = append(words, known)
	}
	if len(words) != PhraseWords {
		return Phrase{}, fmt.Errorf("%w: it has %d words, not %d", ErrPhrase, len(words), PhraseWords)
	}
	seed, err := bip39.EntropyFromMnemonic(strings.Join(words, " "))
	switch {
	case errors.Is(err, bip39.ErrChecksumIncorrect):
		return Phrase{}, ErrChecksum
	case err != nil || len(seed) != 32:
		return Phrase{}, ErrPhrase // not err, which might name a word
	}
	return fromSeed([32]byte(seed)), nil
}

// HasWord tells whether the word at a position, from 1, is the typed one, which
// may be typed as [ParsePhrase] allows.
func (p Phrase) HasWord(position int, typed string) bool {
	words := fields(typed)
	if p.IsZero() || position < 1 || position > PhraseWords || len(words) != 1 {
		return false
	}
	known, ok := lookup(words[0])
	return ok && known == p.Words()[position-1]
}

// fields are the words of a text, in small letters.
func fields(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) })
}

// lookup is the word of the list that is meant.
func lookup(typed string) (string, bool) {
	i, found := slices.BinarySearch(wordlists.English, typed)
	if found {
		return typed, true
	}
	if len(typed) < enough || i == len(wordlists.English) || !strings.HasPrefix(wordlists.English[i], typed) {
		return "", false
	}
	return wordlists.English[i], true
}

// near are the words of the list that differ from what was typed by few slips;
// of equals those first that begin alike, as slips are rarer there.
func near(typed string) []string {
	type guess struct {
		word         string
		slips, begin int
	}
	if len(typed) > maxTyped {
		return nil
	}
	var guesses []guess
	for _, w := range wordlists.English {
		if n := slips(typed, w); n <= alike {
			guesses = append(guesses, guess{w, n, begin(typed, w)})
		}
	}
	slices.SortStableFunc(guesses, func(a, b guess) int { return cmp.Or(cmp.Compare(a.slips, b.slips), cmp.Compare(b.begin, a.begin)) })
	var out []string
	for _, g := range guesses[:min(len(guesses), mostNear)] {
		out = append(out, g.word)
	}
	return out
}

// begin is how many bytes two words have in common before they differ.
func begin(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// slips counts the letters left out, put in, mistaken or exchanged with their
// neighbour between two words: the optimal string alignment distance of
// Damerau (1964), in bytes.
func slips(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			mistaken := last[j-1]
			if a[i-1] != b[j-1] {
				mistaken++
			}
			row[j] = min(mistaken, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// cut is what is told back of a wrong word.
func cut(word string) string {
	letters := []rune(word)
	return string(letters[:min(len(letters), maxTyped)])
}
