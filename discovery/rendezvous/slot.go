package rendezvous

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/ipfs/boxo/ipns"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// slot is a place on the board: the key under which the DHT keeps a record, the
// right to write there, and the means to read what is written. Who has the
// secret that it comes of has all three, and nobody else has any.
type slot struct {
	sign  crypto.PrivKey
	name  ipns.Name
	box   cipher.AEAD
	about []byte // what is sealed here is about this

	// shared says that more than two know the secret: whoever writes there can
	// claim any sequence, so it is no reason not to believe another.
	shared bool
}

// newSlot derives a slot: 64 bytes of HKDF-SHA-256 (RFC 5869) of the secret,
// with what it is about as the info. The first half is the seed of the Ed25519
// key that signs, the second the key of AES-256-GCM that seals, with a random
// nonce in front.
func newSlot(secret, about []byte) (*slot, error) {
	keys, err := hkdf.Key(sha256.New, secret, nil, string(about), 64)
	if err != nil {
		return nil, fmt.Errorf("derive a slot: %w", err)
	}
	sign, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(keys[:32]))
	if err != nil {
		return nil, fmt.Errorf("derive a slot: %w", err)
	}
	id, err := peer.IDFromPrivateKey(sign)
	if err != nil {
		return nil, fmt.Errorf("derive a slot: %w", err)
	}
	block, err := aes.NewCipher(keys[32:])
	if err != nil {
		return nil, fmt.Errorf("derive a slot: %w", err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("derive a slot: %w", err)
	}
	return &slot{sign: sign, name: ipns.NameFromPeer(id), box: box, about: about}, nil
}

// key is that of the record in the DHT.
func (s *slot) key() string { return string(s.name.RoutingKey()) }

func (s *slot) seal(plain []byte) []byte { return s.box.Seal(nil, nil, plain, s.about) }

func (s *slot) open(sealed []byte) ([]byte, error) {
	plain, err := s.box.Open(nil, nil, sealed, s.about)
	if err != nil {
		return nil, ErrSeal
	}
	return plain, nil
}
