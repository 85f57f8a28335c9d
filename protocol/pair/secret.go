package pair

import (
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// kind is which kind of secret a person carried over.
type kind uint8

const (
	kindWords  = kind(wirepb.PairSecret_PAIR_SECRET_WORDS)
	kindTicket = kind(wirepb.PairSecret_PAIR_SECRET_TICKET)
)

func kindFromWire(s wirepb.PairSecret) (kind, error) {
	switch s {
	case wirepb.PairSecret_PAIR_SECRET_WORDS:
		return kindWords, nil
	case wirepb.PairSecret_PAIR_SECRET_TICKET:
		return kindTicket, nil
	case wirepb.PairSecret_PAIR_SECRET_UNSPECIFIED:
	}
	return 0, fmt.Errorf("%w: a secret of kind %d", ErrProtocol, s)
}

// Secret is what both devices know and neither sends: the words of a code or
// the random bytes of a ticket. [Enter] proves it at most once; until then it
// may be tried on one device after the other. It prints as nothing of value.
type Secret struct {
	kind     kind
	plate    Plate
	device   entry.DeviceID // the only one it is for; "" if not known
	password string
	spent    atomic.Bool
}

// Plate is the nameplate of the window that the secret belongs to.
func (s *Secret) Plate() Plate { return s.plate }

// Spent tells whether the secret has been proven, rightly or not: it is of no
// further use.
func (s *Secret) Spent() bool { return s.spent.Load() }

// spend returns true once.
func (s *Secret) spend() bool { return s.spent.CompareAndSwap(false, true) }

// Format hides the secret from package fmt, whatever the verb.
func (s *Secret) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "pair.Secret(%d-...)", s.plate)
}

// LogValue hides the secret from logs.
func (s *Secret) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("pair.Secret(%d-...)", s.plate))
}
