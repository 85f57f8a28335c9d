package identity

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/tyler-smith/go-bip39"
)

// PhraseWords is how many words a recovery phrase has.
const PhraseWords = 24

// Phrase is the secret that is written on paper, to get everything back with
// when all devices are lost: 256 random bits, as 24 words of the English list
// of BIP-39, the last of which is partly a checksum.
//
// Two keys come from it by HKDF-SHA256 (RFC 5869) without salt, 32 bytes each:
// with the label "kith recovery identity v1" the seed of an Ed25519 key (RFC
// 8032), and with "kith recovery kem v1" the private key of the HPKE key
// encapsulation MLKEM768-X25519 (X-Wing), in its form as a seed.
//
// It never prints: as text it is "[recovery phrase]". Make one with [NewPhrase]
// or [ParsePhrase]; the zero Phrase stands for none.
type Phrase struct {
	// seed is a function because no verb of fmt looks into one: the seed does
	// not show either when a value is printed that has a Phrase in an
	// unexported field, whose methods fmt cannot call.
	seed func() [32]byte
}

const (
	hiddenPhrase  = "[recovery phrase]"
	identityLabel = "kith recovery identity v1"
	kemLabel      = "kith recovery kem v1"
)

var errNoPhrase = errors.New("no phrase was given")

// NewPhrase draws a phrase from the system's random numbers.
func NewPhrase() Phrase {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	return fromSeed(seed)
}

func fromSeed(seed [32]byte) Phrase { return Phrase{seed: func() [32]byte { return seed }} }

// IsZero tells the phrase that was never drawn or typed.
func (p Phrase) IsZero() bool { return p.seed == nil }

// Words are the words, for the eyes of the owner; empty ones for the zero
// Phrase.
func (p Phrase) Words() (words [PhraseWords]string) {
	if p.IsZero() {
		return words
	}
	seed := p.seed()
	text, err := bip39.NewMnemonic(seed[:])
	if err != nil {
		panic("256 bits are not taken for a phrase: " + err.Error()) // they always are
	}
	copy(words[:], strings.Fields(text))
	return words
}

// Identity is the key as which the holder of the phrase speaks: as a device
// that is never seen but when everything else is lost.
func (p Phrase) Identity() (*Identity, error) {
	seed, err := p.derive(identityLabel)
	if err != nil {
		return nil, fmt.Errorf("derive the identity of a recovery phrase: %w", err)
	}
	defer clear(seed)
	return fromKey(ed25519.NewKeyFromSeed(seed))
}

// KEM is the key that opens what is sealed to the phrase.
//
// It does not go through the DeriveKeyPair of HPKE: the seed is as good a key
// as that would make, and the words on paper depend on one definition less.
func (p Phrase) KEM() (hpke.PrivateKey, error) {
	seed, err := p.derive(kemLabel)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a recovery phrase: %w", err)
	}
	defer clear(seed)
	return hpke.MLKEM768X25519().NewPrivateKey(seed)
}

func (p Phrase) derive(label string) ([]byte, error) {
	if p.IsZero() {
		return nil, errNoPhrase
	}
	seed := p.seed()
	return hkdf.Key(sha256.New, seed[:], nil, label, 32)
}

func (Phrase) String() string { return hiddenPhrase }

// GoString serves %#v.
func (Phrase) GoString() string { return hiddenPhrase }

// Format serves all verbs, those for numbers included.
func (Phrase) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenPhrase) }

// LogValue serves slog.
func (Phrase) LogValue() slog.Value { return slog.StringValue(hiddenPhrase) }

// MarshalText refuses: a phrase is shown by who means to, and stored by nobody.
func (Phrase) MarshalText() ([]byte, error) {
	return nil, errors.New("a recovery phrase is not to be stored")
}
