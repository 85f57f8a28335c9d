package identity

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrDamaged is wrapped when there is a file and it holds no usable key.
	// There is no way to mend it but a copy of it; moving it away gives the
	// device a new identity, which must pair anew.
	ErrDamaged = errors.New("damaged device key (put back a copy of it; without one, move it away to start as a new device)")
	// ErrExposed is wrapped when the file is not private to its owner.
	ErrExposed = errors.New("device key is not private")
	// ErrPhrase is wrapped when what was typed is not a recovery phrase.
	ErrPhrase = errors.New("not a recovery phrase")
	// ErrChecksum: all words are words of the list, and one of them is not the
	// one that was shown, or they are in another order. It is an [ErrPhrase].
	ErrChecksum = fmt.Errorf("%w: each word is in the list, but they do not fit together: one is another word, or two have changed places", ErrPhrase)
)

// WordError says which word of a typed phrase is in no list. It is an
// [ErrPhrase].
type WordError struct {
	Position int      // from 1
	Typed    string   // in lower case, at most maxTyped letters of it
	Near     []string // words of the list that are like it, most alike first; at most three
}

func (e *WordError) Error() string {
	text := fmt.Sprintf("word %d of the phrase, %q, is not in the list", e.Position, e.Typed)
	if len(e.Near) > 0 {
		text += "; like it are: " + strings.Join(e.Near, ", ")
	}
	return text
}

// Unwrap makes it an [ErrPhrase].
func (e *WordError) Unwrap() error { return ErrPhrase }
