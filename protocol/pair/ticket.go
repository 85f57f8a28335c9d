package pair

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

// Ticket is a code for machines, in a QR or pasted: it says where the device
// that shows it is, and its secret has 128 bits. The zero Ticket is none.
type Ticket struct {
	// Device is the device that shows the ticket.
	Device entry.DeviceID
	// Addresses are multiaddresses at which it may be reached, best first. From
	// [ParseTicket] they are printable and bounded, no more.
	Addresses []string

	plate  Plate
	secret [ticketSize]byte
}

// ticketPrefix tells a ticket from a code, and its version.
const ticketPrefix = "kith1"

const checksumSize = 4

var ticketText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// IsTicket tells whether a text is meant to be a ticket rather than a code.
func IsTicket(s string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(s)), ticketPrefix)
}

// ParseTicket reads what [Ticket.String] wrote, in upper or lower case and
// with spaces and line breaks anywhere. It wraps [ErrTicket].
func ParseTicket(s string) (Ticket, error) {
	if len(s) > maxTicket {
		return Ticket{}, fmt.Errorf("%w: %d bytes long", ErrTicket, len(s))
	}
	text, ok := strings.CutPrefix(strings.ToLower(strings.Join(strings.Fields(s), "")), ticketPrefix)
	if !ok {
		return Ticket{}, fmt.Errorf("%w: it does not begin with %q", ErrTicket, ticketPrefix)
	}
	b, err := ticketText.DecodeString(text)
	if err != nil || len(b) < checksumSize {
		return Ticket{}, fmt.Errorf("%w: characters are missing or wrong", ErrTicket)
	}
	body, sum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	if !bytes.Equal(sum, ticketChecksum(body)) {
		return Ticket{}, fmt.Errorf("%w: characters are missing or wrong", ErrTicket)
	}
	var m wirepb.PairTicket
	if err := proto.Unmarshal(body, &m); err != nil {
		return Ticket{}, fmt.Errorf("%w: %w", ErrTicket, err)
	}
	return ticketFromWire(&m)
}

func ticketFromWire(m *wirepb.PairTicket) (Ticket, error) {
	if len(m.GetSecret()) != ticketSize {
		return Ticket{}, fmt.Errorf("%w: a secret of %d bytes", ErrTicket, len(m.GetSecret()))
	}
	t := Ticket{
		Device:    entry.DeviceID(m.GetDevice()),
		Addresses: m.GetAddresses(),
		plate:     Plate(m.GetNameplate()),
		secret:    [ticketSize]byte(m.GetSecret()),
	}
	if err := t.check(); err != nil {
		return Ticket{}, err
	}
	return t, nil
}

func (t Ticket) check() error {
	if err := checkDevice(t.Device); err != nil {
		return fmt.Errorf("%w: %w", ErrTicket, err)
	}
	if t.plate == 0 || t.plate > MaxPlate {
		return fmt.Errorf("%w: nameplate %d", ErrTicket, t.plate)
	}
	if len(t.Addresses) > MaxAddresses {
		return fmt.Errorf("%w: %d addresses, %d allowed", ErrTicket, len(t.Addresses), MaxAddresses)
	}
	for _, a := range t.Addresses {
		if err := checkAddress(a); err != nil {
			return fmt.Errorf("%w: %w", ErrTicket, err)
		}
	}
	return nil
}

func checkAddress(a string) error {
	if len(a) == 0 || len(a) > MaxAddress {
		return fmt.Errorf("an address of %d bytes, 1 to %d allowed", len(a), MaxAddress)
	}
	for i := range len(a) {
		if a[i] <= ' ' || a[i] >= 0x7f {
			return errors.New("an address with a character that none has")
		}
	}
	return nil
}

// Plate is the nameplate of the window that the ticket belongs to.
func (t Ticket) Plate() Plate { return t.plate }

// Secret is what [Enter] proves, to the device of the ticket alone. Make one
// per scan: it can be proven once.
func (t Ticket) Secret() *Secret {
	s := ticketSecret(t.plate, t.secret)
	s.device = t.Device
	return s
}

func ticketSecret(plate Plate, secret [ticketSize]byte) *Secret {
	return &Secret{kind: kindTicket, plate: plate, password: "ticket:" + string(secret[:])}
}

// String is the ticket as it is shown and pasted: letters and digits, some 200
// of them. It is secret until used. In upper case it makes a smaller QR and
// means the same.
func (t Ticket) String() string {
	body, err := proto.Marshal(&wirepb.PairTicket{
		Device:    string(t.Device),
		Nameplate: uint32(t.plate),
		Secret:    t.secret[:],
		Addresses: t.Addresses,
	})
	if err != nil {
		return t.GoString() // an address that is not UTF-8, which check refuses
	}
	return ticketPrefix + ticketText.EncodeToString(append(body, ticketChecksum(body)...))
}

func ticketChecksum(body []byte) []byte {
	sum := sha256.Sum256(append([]byte(ticketPrefix), body...))
	return sum[:checksumSize]
}

// GoString hides the secret from %#v.
func (t Ticket) GoString() string { return fmt.Sprintf("pair.Ticket(%d-...)", t.plate) }

// LogValue hides the secret from logs.
func (t Ticket) LogValue() slog.Value { return slog.StringValue(t.GoString()) }
