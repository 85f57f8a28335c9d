package pair

import (
	"crypto/rand"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

func TestTheRightCodePairsBothDevices(t *testing.T) {
	for name, showFirst := range map[string]bool{"enterer first": false, "shower first": true} {
		t.Run(name, func(t *testing.T) {
			g, w, _ := openGate(t)
			code, err := ParseCode(w.Code().String())
			if err != nil {
				t.Fatal(err)
			}
			r := converse(t, g, code.Secret(), result{showFirst: showFirst})
			mustPair(t, r)
			<-w.Done()
			if p, err := w.Result(); err != nil || p != r.shown {
				t.Errorf("result %+v, %v", p, err)
			}
			if g.Admits() {
				t.Error("the gate admits strangers after its code was used")
			}
		})
	}
}

func TestTheTicketPairsBothDevices(t *testing.T) {
	g, w, _ := openGate(t)
	shown, err := w.Ticket(laptop.ID, []string{"/ip4/192.0.2.1/tcp/4001"})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := ParseTicket(shown.String())
	if err != nil {
		t.Fatal(err)
	}
	mustPair(t, converse(t, g, ticket.Secret(), result{}))
}

func TestPairingWorksOverAStreamWithoutBuffers(t *testing.T) {
	g, w, _ := openGate(t)
	a, b := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer a.Close()
		if _, err := Enter(a, phone, laptop.ID, wrongSecret(w)); !errors.Is(err, ErrWrongCode) {
			t.Errorf("enter: %v", err)
		}
	})
	_, err := g.Show(b, laptop, phone.ID, nil)
	if !errors.Is(err, ErrBurnt) {
		t.Errorf("show: %v", err)
	}
	wg.Wait()
	b.Close()
}

func TestClosingAWindowAfterTheProofComesTooLate(t *testing.T) {
	g, w, _ := openGate(t)
	r := converse(t, g, w.Code().Secret(), result{fn: func(n int, f []byte) []byte {
		if n == 6 {
			w.Close()
		}
		return f
	}})
	mustPair(t, r)
	if p, err := w.Result(); err != nil || p != r.shown {
		t.Errorf("result %+v, %v", p, err)
	}
}

func TestAnAttemptBegunInTimeMayFinishLate(t *testing.T) {
	g, w, c := openGate(t)
	mustPair(t, converse(t, g, w.Code().Secret(), result{fn: func(n int, f []byte) []byte {
		if n == 4 {
			c.advance(Validity + time.Second)
		}
		return f
	}}))
}

func TestDeviceNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"laptop": true, "Zoë’s phone 📱": true, "👩‍💻": true, "a": true, "my nas": true,
		string(make([]byte, 65)): false, "": false, " nas": false, "nas ": false, "a\nb": false,
		"a\x00b": false, "a\x1b[31m": false, "\xff": false, "evil\u202egpj": false, "a\u2028b": false,
		"a\u0085b": false, "0123456789012345678901234567890123456789012345678901234567890123": true,
		"01234567890123456789012345678901234567890123456789012345678901234": false,
	} {
		if err := CheckName(name); (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestTheWholeConversationIsFrozen pins every byte of the protocol, given what
// is drawn at random: what two builds must agree on.
func TestTheWholeConversationIsFrozen(t *testing.T) {
	defer func(r io.Reader) { rand.Reader = r }(rand.Reader)
	rand.Reader = mathrand.NewChaCha8([32]byte{48})
	code, err := ParseCode("48-acid-bonnet-lunchbox")
	if err != nil {
		t.Fatal(err)
	}
	g, w, _ := openGate(t)
	w.secrets.code = code
	var frames [][]byte
	r := converse(t, g, code.Secret(), result{fn: func(_ int, f []byte) []byte {
		frames = append(frames, f)
		return f
	}})
	mustPair(t, r)
	checkGolden(t, "conversation", frames, r.shown.Check)
}

// BenchmarkPairing is both sides of one pairing that succeeds.
func BenchmarkPairing(b *testing.B) {
	g := NewGate(time.Now, rand.Reader)
	for b.Loop() {
		w := mustOpen(b, g)
		if r := converse(b, g, w.Code().Secret(), result{}); r.entererErr != nil || r.showErr != nil {
			b.Fatal(r.entererErr, r.showErr)
		}
	}
}
