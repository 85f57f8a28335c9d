package words

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
)

var (
	// ErrNoDraft is wrapped when no words wait under the name that is given.
	ErrNoDraft = errors.New("no words wait to be confirmed")
	// ErrWrong is wrapped when words were given back that are not those that
	// were asked for.
	ErrWrong = errors.New("not what was shown")
)

// Draft is words that have no effect yet, to be shown once.
type Draft struct {
	ID    string // by which they are confirmed
	Words []string
	Ask   []int // the positions of the words that are to be given back, from 1
}

// draft is what is kept of it.
type draft struct {
	id     string
	phrase identity.Phrase
	ask    recovery.Positions
	forget *time.Timer
}

// draftTime is how long a person has to write words down.
const draftTime = time.Hour

// Draw draws words, and holds them until they are confirmed, or too old; in
// place of others.
func (w *Words) Draw() (Draft, error) {
	ask, err := recovery.Ask(rand.Reader)
	if err != nil {
		return Draft{}, err
	}
	id := make([]byte, 5)
	if _, err := rand.Read(id); err != nil {
		return Draft{}, err
	}
	n := &draft{id: hex.EncodeToString(id), phrase: identity.NewPhrase(), ask: ask}
	w.keep(n)
	drawn := n.phrase.Words()
	return Draft{ID: n.id, Words: drawn[:], Ask: ask[:]}, nil
}

func (w *Words) keep(n *draft) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropLocked()
	w.draft = n
	n.forget = time.AfterFunc(draftTime, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.draft == n {
			w.draft = nil
		}
	})
}

// Confirm forgets the words that were drawn under an ID, and returns what they
// open if the answers are those that were asked for. Its errors wrap
// [ErrNoDraft] or [ErrWrong], which names positions and no words, or are those
// of [recovery.Unlock].
func (w *Words) Confirm(id string, answers []string) (*recovery.Secret, error) {
	n := w.take(id)
	if n == nil {
		return nil, fmt.Errorf("%w under %q: they are forgotten after a wrong answer, and after an hour", ErrNoDraft, id)
	}
	if wrong := n.ask.Wrong(n.phrase, answers); len(wrong) > 0 {
		return nil, fmt.Errorf("%s %w", positions(wrong), ErrWrong)
	}
	return recovery.Unlock(n.phrase)
}

// take hands the drafted words over and forgets them.
func (w *Words) take(id string) *draft {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.draft
	if n == nil || n.id != id {
		return nil
	}
	w.dropLocked()
	return n
}

func (w *Words) dropLocked() {
	if w.draft != nil {
		w.draft.forget.Stop()
		w.draft = nil
	}
}

// Forget lets go of words that nobody has confirmed.
func (w *Words) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropLocked()
}

func positions(at []int) string {
	if len(at) == 1 {
		return fmt.Sprintf("word %d is", at[0])
	}
	return "words " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(at)), ", "), "[]") + " are"
}
