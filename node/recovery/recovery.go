// Package recovery seals the keys of folders to the words of a recovery phrase,
// and opens them again for whoever has the words.
//
// The words lead to two keys (see [identity.Phrase]): one that signs, as a
// device would, and one that opens. Both have a public side, [Public], which
// every device of the folder's members may have. Keys of a folder that are
// sealed to it travel in the folder's roster, as the payload of a
// [roster.Recover]; so one blind replica and the words are enough.
//
// # Promises
//
//   - Sealed keys are opened by the words alone, and only for the folder, the
//     epochs and the phrase that they were sealed for. Sealing is HPKE (RFC
//     9180) with a key encapsulation that withstands a quantum computer as well
//     as today's: MLKEM768-X25519, HKDF-SHA256 and AES-256-GCM.
//   - Nobody can have keys sealed to a key of their own in the name of another
//     phrase: what stands for a phrase in public is signed with its words.
//   - The form of payloads never changes; golden vectors in the tests freeze
//     it. No payload is longer than [roster.MaxPayload].
//   - Opening checks everything before it returns anything, and allocates no
//     more than the payload's size, whatever that claims.
//   - A [Secret] is in no log line or printed value.
//
// What is not promised: who sealed. A payload is as true as the author of the
// statement that carries it, so there may be several keys for one epoch, of
// which one opens the records of that epoch; see [Secret.Candidates] and
// [TrueKeys]. And what a
// payload shows to everybody: which phrase it is for, and the epochs.
//
// The package is pure but for random numbers. All values are immutable and safe
// for concurrent use.
package recovery

import (
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/protocol/seal"
)

// Secret is what the words of a phrase open. It is kept in memory only, and no
// longer than needed.
type Secret struct {
	identity *identity.Identity
	kem      hpke.PrivateKey
	public   Public
}

// Unlock derives the keys of a phrase. It fails for the zero Phrase alone.
func Unlock(phrase identity.Phrase) (*Secret, error) {
	id, err := phrase.Identity()
	if err != nil {
		return nil, err
	}
	kem, err := phrase.KEM()
	if err != nil {
		return nil, err
	}
	public, err := publish(id, kem.PublicKey())
	if err != nil {
		return nil, err
	}
	return &Secret{identity: id, kem: kem, public: public}, nil
}

// Identity signs in the name of the phrase.
func (s *Secret) Identity() *identity.Identity { return s.identity }

// Public is what others may know of the phrase.
func (s *Secret) Public() Public { return s.public }

// Open opens keys of a folder that were sealed to the phrase. Its errors wrap
// [ErrPayload], and [ErrNewer] where that applies.
func (s *Secret) Open(folder entry.FolderID, payload []byte) (map[entry.Epoch]seal.FolderKey, error) {
	p, err := parse(payload)
	switch {
	case err != nil:
		return nil, fmt.Errorf("open sealed keys of folder %s: %w", folder, err)
	case !p.isFor(s.public):
		return nil, fmt.Errorf("open sealed keys of folder %s: %w: of another phrase", folder, ErrPayload)
	}
	recipient, err := hpke.NewRecipient(p.encapsulated, s.kem, kdf(), aead(), info(folder, s.public.device))
	if err != nil {
		return nil, fmt.Errorf("open sealed keys of folder %s: %w", folder, ErrPayload)
	}
	plain, err := recipient.Open(p.clear, p.sealed)
	if err != nil || len(plain) != len(p.epochs)*keySize {
		return nil, fmt.Errorf("open sealed keys of folder %s: %w", folder, ErrPayload)
	}
	defer clear(plain)
	keys := make(map[entry.Epoch]seal.FolderKey, len(p.epochs))
	for i, epoch := range p.epochs {
		key := seal.FolderKey(plain[i*keySize:])
		if key.IsZero() {
			return nil, fmt.Errorf("open sealed keys of folder %s: %w: an epoch without a key", folder, ErrPayload)
		}
		keys[epoch] = key
	}
	return keys, nil
}

// OpenAll opens all payloads that can be opened. For an epoch there are as many
// keys as the payloads differ about it, those of earlier payloads first: one
// member may have lied, and which key is true shows in opening a record. The
// error joins those of the payloads that could not be opened; the keys count
// all the same.
func (s *Secret) OpenAll(folder entry.FolderID, payloads [][]byte) (map[entry.Epoch][]seal.FolderKey, error) {
	all := make(map[entry.Epoch][]seal.FolderKey)
	var refused []error
	for _, payload := range payloads {
		keys, err := s.Open(folder, payload)
		if err != nil {
			refused = append(refused, err)
		}
		for epoch, key := range keys {
			if !slices.Contains(all[epoch], key) {
				all[epoch] = append(all[epoch], key)
			}
		}
	}
	return all, errors.Join(refused...)
}

// Format prints whose secret it is, and nothing of it.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.describe()) }

// LogValue does the same for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.describe()) }

// MarshalText is that too: a secret that is encoded by mistake gives nothing
// away.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.describe()), nil }

func (s *Secret) describe() string {
	return fmt.Sprintf("[recovery secret of %s]", s.public.device)
}

func kdf() hpke.KDF   { return hpke.HKDFSHA256() }
func aead() hpke.AEAD { return hpke.AES256GCM() }
func kem() hpke.KEM   { return hpke.MLKEM768X25519() }

// info binds what is sealed to the folder and the phrase; the suite is bound by
// HPKE itself.
func info(folder entry.FolderID, device entry.DeviceID) []byte {
	b := append([]byte("kith recovery keys v1\x00"), folder[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(device)))
	return append(b, device...)
}
