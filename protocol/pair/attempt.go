package pair

import "fmt"

// attempt is one device's use of the open window, from its first share to the
// end of the conversation.
type attempt struct {
	gate   *Gate
	window *Window

	// Guarded by the gate's mutex.
	phase phase
}

type phase uint8

const (
	phaseBegun     phase = iota // nothing has left that hangs on the code
	phaseCommitted              // our share has left, or may have: the code is spent
	phaseProven                 // the other device has proven the code
	phaseEnded
)

// commit spends the code. It comes right before our share goes out: CPace's
// share alone tells a guesser nothing, but the promise of one guess shall not
// hang on that, nor on the other side staying until we have judged its proof.
func (a *attempt) commit() {
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	a.phase = phaseCommitted
}

// prove notes that the other device's proof holds. It returns [ErrNoWindow] if
// the window was closed meanwhile: then the device must not be stored.
func (a *attempt) prove() error {
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	a.phase = phaseProven
	if a.window.state != windowOpen {
		return fmt.Errorf("closed meanwhile: %w", ErrNoWindow)
	}
	return nil
}

// end gives the gate back, once. The window goes on if nothing was spent, is
// burnt if the code was spent and not proven, and is used otherwise, whether
// or not the rest went well. A code that was spent counts as burnt even if its
// window was closed meanwhile.
func (a *attempt) end(p Peer, err error) {
	a.gate.mu.Lock()
	defer a.gate.mu.Unlock()
	if a.phase == phaseEnded {
		return
	}
	switch a.phase {
	case phaseCommitted:
		a.gate.burns = append(a.gate.burns, a.gate.now())
		a.window.finish(windowBurnt, Peer{}, err)
	case phaseProven:
		a.window.finish(windowUsed, p, err)
	case phaseBegun, phaseEnded:
	}
	a.phase = phaseEnded
	a.gate.attempt = nil
}
