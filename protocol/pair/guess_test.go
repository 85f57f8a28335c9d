package pair

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/kithmesh/kith/proto/wirepb"
)

// TestAGuesserGetsNothingBeforeItHasProven reads all that the shower says to
// one that guesses wrong: a hello, a share and a refusal, and not its name.
func TestAGuesserGetsNothingBeforeItHasProven(t *testing.T) {
	g, w, _ := openGate(t)
	var said []string
	mustFail(t, converse(t, g, wrongSecret(w), result{fn: func(n int, f []byte) []byte {
		if n%2 == 0 {
			said = append(said, fmt.Sprintf("%T", messageOf(t, f).GetBody()))
		}
		return f
	}}))
	want := "[*wirepb.PairMessage_Hello *wirepb.PairMessage_Share *wirepb.PairMessage_Refusal]"
	if fmt.Sprint(said) != want {
		t.Errorf("the shower said %v", said)
	}
}

// TestAGuesserThatHangsUpHasHadItsGuess leaves right after our share, which is
// where a careless design would give it another try.
func TestAGuesserThatHangsUpHasHadItsGuess(t *testing.T) {
	g, w, _ := openGate(t)
	mustFail(t, converse(t, g, wrongSecret(w), result{fn: func(n int, f []byte) []byte {
		if n == 5 {
			return nil
		}
		return f
	}}))
	r := converse(t, g, w.Code().Secret(), result{})
	mustFail(t, r)
	if !errors.Is(r.entererErr, ErrBurnt) {
		t.Errorf("enter: %v", r.entererErr)
	}
}

// TestManyGuessersAtOnceGetOneGuess lets a crowd at one code, all at once: one
// is judged, the others are told busy or burnt.
func TestManyGuessersAtOnceGetOneGuess(t *testing.T) {
	g, w, _ := openGate(t)
	const crowd = 64
	shares := make(chan struct{}, crowd)
	var wg sync.WaitGroup
	for range crowd {
		wg.Go(func() {
			converse(t, g, wrongSecret(w), result{fn: func(n int, f []byte) []byte {
				if n == 4 && messageOf(t, f).GetShare() != nil {
					shares <- struct{}{}
				}
				return f
			}})
		})
	}
	wg.Wait()
	if len(shares) != 1 || len(g.burns) != 1 {
		t.Errorf("%d guessers got a share, %d codes burnt", len(shares), len(g.burns))
	}
}

// TestASilentStrangerHoldsNobodyUp pairs while strangers sit on their streams.
func TestASilentStrangerHoldsNobodyUp(t *testing.T) {
	g, w, _ := openGate(t)
	var wg sync.WaitGroup
	var ends []end
	for i := range 8 {
		a, b := newStream()
		ends = append(ends, a)
		if i%2 == 0 {
			_, _ = a.Write(helloFrame(t, &wirepb.PairHello{Version: 1, Secret: 1, Nameplate: uint32(w.Code().Plate())}))
		}
		wg.Go(func() {
			if _, err := g.Show(b, laptop, mallet.ID, nil); err == nil || errors.Is(err, ErrBurnt) {
				t.Errorf("show: %v", err)
			}
		})
	}
	mustPair(t, converse(t, g, w.Code().Secret(), result{}))
	for _, e := range ends {
		e.Close()
	}
	wg.Wait()
}

// TestAProofIsMadeOnce lets many false showers at one secret at the same time:
// one gets a confirmation to hold against its guess.
func TestAProofIsMadeOnce(t *testing.T) {
	_, w, _ := openGate(t)
	secret := w.Code().Secret()
	const crowd = 32
	proofs := make(chan struct{}, crowd)
	var wg, ready sync.WaitGroup
	ready.Add(crowd)
	for range crowd {
		wg.Go(func() {
			g := NewGate(newClock().now, rand.Reader)
			mustOpen(t, g).secrets.code.plate = w.Code().Plate()
			converse(t, g, secret, result{fn: func(n int, f []byte) []byte {
				if n == 4 { // all of them are one step from the proof
					ready.Done()
					ready.Wait()
				}
				if n == 5 && messageOf(t, f).GetConfirm() != nil {
					proofs <- struct{}{}
				}
				return f
			}})
		})
	}
	wg.Wait()
	if len(proofs) != 1 {
		t.Errorf("%d proofs", len(proofs))
	}
}
