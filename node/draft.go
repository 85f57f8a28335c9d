package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
)

// draft is words that have no effect yet.
type draft struct {
	id     string
	phrase identity.Phrase
	ask    recovery.Positions
	forget *time.Timer
}

// draftTime is how long a person has to write words down.
const draftTime = time.Hour

// keep holds words until they are taken, or too old; in place of others.
func (w *words) keep(n *draft) {
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

// take hands the drafted words over and forgets them.
func (w *words) take(id string) *draft {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.draft
	if n == nil || n.id != id {
		return nil
	}
	w.dropLocked()
	return n
}

func (w *words) dropLocked() {
	if w.draft != nil {
		w.draft.forget.Stop()
		w.draft = nil
	}
}

// forget lets go of words that nobody has confirmed.
func (w *words) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropLocked()
}

// DraftRecovery implements [control.Recovery].
func (d *Device) DraftRecovery(context.Context) (control.RecoveryDraft, error) {
	ask, err := recovery.Ask(rand.Reader)
	if err != nil {
		return control.RecoveryDraft{}, err
	}
	id := make([]byte, 5)
	if _, err := rand.Read(id); err != nil {
		return control.RecoveryDraft{}, err
	}
	n := &draft{id: hex.EncodeToString(id), phrase: identity.NewPhrase(), ask: ask}
	d.words.keep(n)
	drawn := n.phrase.Words()
	return control.RecoveryDraft{ID: n.id, Words: drawn[:], Ask: ask[:]}, nil
}

// ConfirmRecovery implements [control.Recovery].
func (d *Device) ConfirmRecovery(_ context.Context, id string, answers []string) (control.RecoveryState, error) {
	n := d.words.take(id)
	if n == nil {
		return control.RecoveryState{}, fmt.Errorf("%w: no words wait to be confirmed under %q: they are forgotten after a wrong answer, and after an hour", control.ErrInvalid, id)
	}
	if wrong := n.ask.Wrong(n.phrase, answers); len(wrong) > 0 {
		return control.RecoveryState{}, fmt.Errorf("%w: %s not what was shown", control.ErrInvalid, positions(wrong))
	}
	secret, err := recovery.Unlock(n.phrase)
	if err != nil {
		return control.RecoveryState{}, fmt.Errorf("put recovery words into effect: %w", err)
	}
	if err := d.putIntoEffect(secret.Public(), time.Now()); err != nil {
		return control.RecoveryState{}, fmt.Errorf("put recovery words into effect: %w", err)
	}
	return d.recoveryState(secret), nil
}

func positions(at []int) string {
	if len(at) == 1 {
		return fmt.Sprintf("word %d is", at[0])
	}
	return "words " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(at)), ", "), "[]") + " are"
}
