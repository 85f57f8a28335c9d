package pair

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"filippo.io/cpace"
	"github.com/gtank/ristretto255"

	"github.com/kithmesh/kith/proto/wirepb"
)

// What a recorded conversation is worth offline: nothing, and no test can show
// that, so here is why. Each share is a fresh random scalar times a generator
// of a group of prime order; whatever the secret was, every element is equally
// likely, so the shares fit every code. A confirmation and a sealed card are
// keyed through the product of both scalars, which an observer lacks even if
// told the code. Whoever led one side knows one scalar, relative to the
// generator of the one code it guessed: the confirmation it gets decides
// that guess and, by the computational Diffie-Hellman assumption, no other. The
// tests below hold the code to what the argument takes for granted.

// TestWhoeverStandsInBetweenFailsAndBothSidesAreTold relays a conversation of
// two devices that know the code, verbatim, under the ID of a third.
func TestWhoeverStandsInBetweenFailsAndBothSidesAreTold(t *testing.T) {
	for name, r := range map[string]result{
		"for both":        {entererID: mallet.ID, showerID: mallet.ID},
		"for the enterer": {entererID: phone.ID, showerID: mallet.ID},
		"for the shower":  {entererID: mallet.ID, showerID: laptop.ID},
	} {
		t.Run(name, func(t *testing.T) {
			g, w, _ := openGate(t)
			r := converse(t, g, w.Code().Secret(), r)
			mustFail(t, r)
			if !errors.Is(r.entererErr, ErrWrongCode) || !errors.Is(r.showErr, ErrBurnt) {
				t.Errorf("enter: %v; show: %v", r.entererErr, r.showErr)
			}
		})
	}
}

// TestNoMessageCanBeAltered flips each byte of each message in turn. Length
// bytes are left alone: they cut the stream, which the next test does.
func TestNoMessageCanBeAltered(t *testing.T) {
	lengths := map[int]int{}
	g, w, _ := openGate(t)
	mustPair(t, converse(t, g, w.Code().Secret(), result{fn: func(n int, f []byte) []byte {
		lengths[n] = len(f)
		return f
	}}))
	if len(lengths) != 8 {
		t.Fatalf("%d messages", len(lengths))
	}
	for n := 1; n <= 8; n++ {
		step := 1
		if testing.Short() {
			step = 7
		}
		for at := 1; at < lengths[n]; at += step {
			g, w, _ := openGate(t)
			r := converse(t, g, w.Code().Secret(), result{fn: func(i int, f []byte) []byte {
				if i == n {
					f[at] ^= 1
				}
				return f
			}})
			if n == 8 { // the shower has stored the enterer, which must say so
				if !errors.Is(r.entererErr, ErrUnfinished) {
					t.Errorf("message 8, byte %d: enter: %v", at, r.entererErr)
				}
				continue
			}
			if r.entererErr == nil || r.showErr == nil || len(r.stored) != 0 {
				t.Errorf("message %d, byte %d: enter: %v; show: %v", n, at, r.entererErr, r.showErr)
			}
		}
	}
}

// TestBadMessagesAtEveryStep puts each bad message in the place of each good
// one: the reader refuses it, the other side is told or sees the stream end,
// and a code is burnt exactly if our share had left.
func TestBadMessagesAtEveryStep(t *testing.T) {
	zero := make([]byte, 48)
	bad := map[string]func(f []byte) []byte{
		"nothing":           func([]byte) []byte { return nil },
		"half a message":    func(f []byte) []byte { return f[:len(f)/2] },
		"empty message":     func([]byte) []byte { return []byte{0} },
		"one body byte":     func([]byte) []byte { return []byte{1, 0xff} },
		"too long":          func([]byte) []byte { return append([]byte{0x81, 0x04}, make([]byte, 513)...) },
		"a gigabyte":        func([]byte) []byte { return []byte{0xff, 0xff, 0xff, 0xff, 0x03, 0, 0, 0} },
		"zeros":             func([]byte) []byte { return append([]byte{0x80, 0x04}, make([]byte, 512)...) },
		"text":              func([]byte) []byte { return []byte("GET / HTTP/1.1\r\nHost: kith\r\n\r\n") },
		"empty refusal":     func([]byte) []byte { return refusalFrame(t, 0) },
		"unknown refusal":   func([]byte) []byte { return refusalFrame(t, 99) },
		"hello of nothing":  func([]byte) []byte { return helloFrame(t, &wirepb.PairHello{}) },
		"hello of future":   func([]byte) []byte { return helloFrame(t, &wirepb.PairHello{Version: 7}) },
		"identity share 48": func([]byte) []byte { return shareFrame(t, zero) },
		"identity share 32": func([]byte) []byte { return shareFrame(t, zero[:32]) },
		"no point 48":       func([]byte) []byte { return shareFrame(t, bytes.Repeat([]byte{0xff}, 48)) },
		"no point 32":       func([]byte) []byte { return shareFrame(t, bytes.Repeat([]byte{0xff}, 32)) },
		"short share":       func([]byte) []byte { return shareFrame(t, zero[:31]) },
		"long share":        func([]byte) []byte { return shareFrame(t, make([]byte, 49)) },
		"empty confirm":     func([]byte) []byte { return confirmFrame(t, nil) },
		"zero confirm":      func([]byte) []byte { return confirmFrame(t, zero[:32]) },
		"empty card":        func([]byte) []byte { return sealedFrame(t, nil) },
		"zero card":         func([]byte) []byte { return sealedFrame(t, zero) },
		"long card":         func([]byte) []byte { return sealedFrame(t, make([]byte, 400)) },
	}
	for name, replace := range bad {
		for n := 1; n <= 8; n++ {
			t.Run(fmt.Sprintf("%s at %d", name, n), func(t *testing.T) {
				g, w, _ := openGate(t)
				secret := w.Code().Secret()
				r := converse(t, g, secret, result{fn: func(i int, f []byte) []byte {
					if i == n {
						return replace(f)
					}
					return f
				}})
				checkBadStep(t, n, g, secret, r)
			})
		}
	}
}

func checkBadStep(t *testing.T, n int, g *Gate, secret *Secret, r result) {
	t.Helper()
	if r.entererErr == nil {
		t.Error("the enterer believes to have paired")
	}
	if n == 8 {
		return // the shower has said its last word
	}
	if r.showErr == nil || len(r.stored) != 0 {
		t.Errorf("the shower believes to have paired: %v, %v", r.showErr, r.stored)
	}
	if burnt := len(g.burns) == 1; burnt != (n == 4 || n == 5) {
		t.Errorf("burnt %d codes at message %d: %v", len(g.burns), n, r.showErr)
	}
	if open := g.Admits(); open != (n < 4) {
		t.Errorf("the code can be used: %v", open)
	}
	if secret.Spent() != (n > 4) {
		t.Errorf("the enterer's secret is spent: %v", secret.Spent())
	}
}

// TestAFalseShowerIsTold alters the shower's proof: the enterer says why it
// stops, and the shower does not just see the stream end.
func TestAFalseShowerIsTold(t *testing.T) {
	g, w, _ := openGate(t)
	r := converse(t, g, w.Code().Secret(), result{fn: func(n int, f []byte) []byte {
		if n == 6 {
			return confirmFrame(t, make([]byte, keySize))
		}
		return f
	}})
	mustFail(t, r)
	if !errors.Is(r.entererErr, ErrWrongCode) || !errors.Is(r.showErr, ErrWrongCode) {
		t.Errorf("enter: %v; show: %v", r.entererErr, r.showErr)
	}
	if len(g.burns) != 0 {
		t.Error("a code that was proven is used up, not burnt")
	}
}

// TestAClaimedLengthIsNotBelieved: nothing is read behind a length that no
// message has.
func TestAClaimedLengthIsNotBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		left int
	}{
		"zero":                  {make([]byte, 100), 99},
		"one too many":          {append([]byte{0x81, 0x04}, make([]byte, 600)...), 600},
		"as much as two can be": {append([]byte{0xff, 0x7f}, make([]byte, 20_000)...), 20_000},
		"three length bytes":    {append([]byte{0x80, 0x80, 0x01}, make([]byte, 20_000)...), 20_001},
		"a long zero":           {append([]byte{0x80, 0x00}, make([]byte, 600)...), 600},
	} {
		t.Run(name, func(t *testing.T) {
			r := bytes.NewReader(c.in)
			conv := newConversation(&script{Reader: r}, phone, laptop.ID, enterer)
			if _, _, err := conv.receive(); !errors.Is(err, ErrProtocol) {
				t.Errorf("receive: %v", err)
			}
			if r.Len() != c.left {
				t.Errorf("%d bytes left, want %d", r.Len(), c.left)
			}
		})
	}
}

// TestAMessagePlayedBackToItsSenderFails answers each side with its own words.
func TestAMessagePlayedBackToItsSenderFails(t *testing.T) {
	t.Run("all of them", func(t *testing.T) {
		_, w, _ := openGate(t)
		a, b := newStream()
		var wg sync.WaitGroup
		wg.Go(func() {
			defer b.Close()
			for f := readFrame(b); f != nil; f = readFrame(b) {
				if _, err := b.Write(f); err != nil {
					return
				}
			}
		})
		_, err := Enter(a, phone, laptop.ID, w.Code().Secret())
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("enter: %v", err)
		}
		a.Close()
		wg.Wait()
	})
	for n := 2; n <= 8; n++ {
		t.Run(fmt.Sprintf("message %d", n), func(t *testing.T) {
			g, w, _ := openGate(t)
			var before []byte
			r := converse(t, g, w.Code().Secret(), result{fn: func(i int, f []byte) []byte {
				if i == n {
					return before
				}
				before = f
				return f
			}})
			if r.entererErr == nil || n < 8 && r.showErr == nil {
				t.Errorf("enter: %v; show: %v", r.entererErr, r.showErr)
			}
		})
	}
}

// TestARecordedConversationCannotBeReplayed plays a good enterer's messages to
// the same code shown again, and a good shower's to the enterer.
func TestARecordedConversationCannotBeReplayed(t *testing.T) {
	record := func(t *testing.T) (*Gate, *Window, [][]byte) {
		g, w, _ := openGate(t)
		var frames [][]byte
		mustPair(t, converse(t, g, w.Code().Secret(), result{fn: func(_ int, f []byte) []byte {
			frames = append(frames, f)
			return f
		}}))
		return g, w, frames
	}
	t.Run("to the shower", func(t *testing.T) {
		g, w, frames := record(t)
		again := mustOpen(t, g)
		again.secrets.code = w.Code()
		r := converse(t, g, w.Code().Secret(), result{fn: func(n int, f []byte) []byte {
			if n%2 == 1 && n <= len(frames) {
				return frames[n-1]
			}
			return f
		}})
		mustFail(t, r)
		if !errors.Is(r.showErr, ErrBurnt) {
			t.Errorf("show: %v", r.showErr)
		}
	})
	t.Run("to the enterer", func(t *testing.T) {
		_, w, frames := record(t)
		a, b := newStream()
		for n := 2; n <= 8; n += 2 {
			if _, err := b.Write(frames[n-1]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Enter(a, phone, laptop.ID, w.Code().Secret()); !errors.Is(err, ErrWrongCode) {
			t.Errorf("enter: %v", err)
		}
	})
}

// TestTheKeyExchangeRefusesTheIdentity holds the module to its promise.
func TestTheKeyExchangeRefusesTheIdentity(t *testing.T) {
	identity := ristretto255.NewIdentityElement().Bytes()
	ctx := (&transcript{enterer: phone.ID, shower: laptop.ID}).context()
	if _, _, err := cpace.Exchange("words:a-b-c", ctx, append(make([]byte, saltSize), identity...)); err == nil {
		t.Error("exchange took the identity")
	}
	_, state, err := cpace.Start("words:a-b-c", ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Finish(identity); err == nil {
		t.Error("finish took the identity")
	}
}
