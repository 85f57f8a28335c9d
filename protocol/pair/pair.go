// Package pair turns a code that a person carries from one device to another
// into mutual trust.
//
// The device that shows the code has a [Gate], which hands out one [Window]
// at a time and answers streams with [Gate.Show]; the other one calls [Enter]
// with what was typed ([ParseCode]) or scanned ([ParseTicket]). Both get the
// name of the other device and the same four check words. The package opens no
// connection and reads no clock but the one it is given: it talks over a stream
// between two device IDs that the transport has authenticated. The wire format
// and all derivations are specified in proto/wirepb/pair.proto.
//
// # Promises
//
//   - One guess per code, on each side: a code is spent from the moment the
//     shower's share leaves the device, whatever follows, and an enterer proves
//     a secret once in its life. Three burnt codes within ten minutes pause
//     pairing for the rest of those ten minutes.
//   - A recorded conversation, or one that was led with a wrong guess, holds
//     nothing to try further codes on.
//   - Whoever stands in between fails, and both sides are told: both device
//     IDs, both roles, the protocol and both hellos are part of what each side
//     must prove.
//   - A stranger that is silent, slow or speaks something else costs some
//     hundred bytes and holds nobody up: the gate is asked only once a
//     well-formed share has come. One that sends such a share and nothing more
//     does burn the code, as a wrong guess would: that it can be denied is the
//     price of one guess.
//   - A name is revealed only to a side that has proven the code, and the
//     enterer hears of success only once the shower has stored it.
//   - No code, ticket or key appears in an error, but for the one word that
//     [ParseCode] could not read, nor in a log through package log/slog.
//
// # The key exchange
//
// The PAKE is CPace (Abdalla, Haase, Hesse; proven in "Security Analysis of
// CPace", 2021) over ristretto255, by filippo.io/cpace. That module follows
// draft-haase-cpace-01 of 2020 and not today's CFRG draft, so it talks to no
// other implementation, which kith never has to. What has changed since then
// is encoding: length-prefixed transcripts, which the module already has, SHA-512
// for SHA-256, and where the identities go. The module draws a fresh salt and
// scalar for each run, decodes canonical elements only, refuses the identity,
// and puts both identities and additional data into the generator. It leaves
// key confirmation to its caller: that is done here, together with binding the
// bytes of all four messages.
//
// # Concurrency
//
// A [Gate], its windows and a [Secret] may be used by several goroutines; one
// conversation runs in the goroutine of its caller, and the package starts
// none. Deadlines are the caller's: a conversation ends when its stream does.
package pair

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kithmesh/kith/index/entry"
)

// Protocol is the name of the stream protocol, and part of all that is proven.
const Protocol = "/kith/pair/1"

// Self is how this device introduces itself.
type Self struct {
	ID   entry.DeviceID
	Name string // valid by [CheckName]
}

// Peer is the device at the other end of a conversation that succeeded.
type Peer struct {
	ID   entry.DeviceID
	Name string // valid by [CheckName]
	// Check is the same on both sides of one conversation, and on no other:
	// for two people who want to compare what they see.
	Check [4]string
}

// CheckName accepts what may be the name of a device: 1 to [MaxName] bytes of
// UTF-8, with no space at either end and no character that would change how a
// terminal shows what surrounds it. It wraps [ErrName].
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > MaxName:
		return fmt.Errorf("%w: %d bytes long, 1 to %d allowed", ErrName, len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8", ErrName, name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: %q begins or ends with a space", ErrName, name)
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return fmt.Errorf("%w: %q holds the character %U", ErrName, name, r)
		}
	}
	return nil
}

// checkSides refuses what the caller cannot mean: a name that it would not
// accept itself, an ID that no transport has authenticated, or its own.
func checkSides(self Self, remote entry.DeviceID) error {
	if err := CheckName(self.Name); err != nil {
		return err
	}
	if err := checkDevice(self.ID); err != nil {
		return err
	}
	if err := checkDevice(remote); err != nil {
		return err
	}
	if self.ID == remote {
		return ErrSelf
	}
	return nil
}

// checkDevice accepts the text form of a device ID, as far as it can be told
// without decoding it.
func checkDevice(id entry.DeviceID) error {
	if len(id) == 0 || len(id) > maxDevice {
		return fmt.Errorf("%w: %d bytes long, 1 to %d allowed", ErrDevice, len(id), maxDevice)
	}
	for i := range len(id) {
		if !isAlphanumeric(id[i]) {
			return fmt.Errorf("%w: %q", ErrDevice, string(id))
		}
	}
	return nil
}

func isAlphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}
