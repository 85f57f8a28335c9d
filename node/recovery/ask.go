package recovery

import (
	"fmt"
	"io"
	"slices"

	"github.com/kithmesh/kith/node/identity"
)

// asked is how many words of a new phrase are asked for.
const asked = 3

// Positions are those of the words that a person is asked for, to show that the
// phrase was written down: from 1, ascending, no two the same.
type Positions [asked]int

// Ask chooses positions evenly, by bytes of random. Its errors are those of
// random.
func Ask(random io.Reader) (Positions, error) {
	var chosen []int
	for len(chosen) < asked {
		var b [1]byte
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return Positions{}, fmt.Errorf("choose words to ask for: %w", err)
		}
		// Above the last multiple, the first positions would be likelier.
		at := int(b[0])%identity.PhraseWords + 1
		if int(b[0]) < 256/identity.PhraseWords*identity.PhraseWords && !slices.Contains(chosen, at) {
			chosen = append(chosen, at)
		}
	}
	slices.Sort(chosen)
	return Positions(chosen), nil
}

// Wrong are the positions whose words the answers, in the same order, do not
// give: none if the person has the phrase. Answers are read as
// [identity.ParsePhrase] reads words.
func (p Positions) Wrong(phrase identity.Phrase, answers []string) []int {
	var wrong []int
	for i, at := range p {
		if i >= len(answers) || !phrase.HasWord(at, answers[i]) {
			wrong = append(wrong, at)
		}
	}
	return wrong
}
