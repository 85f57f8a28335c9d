package rendezvous

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"time"

	"filippo.io/edwards25519"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/crypto/argon2"
)

// The labels keep what is derived for one purpose apart from all others. They
// are part of the format.
const (
	pairLabel   = "kith/board/pair/1"
	noticeLabel = "kith/board/notice/1"
	plateLabel  = "kith plate"
)

// Day is a day of universal time, counted from the first of 1970.
type Day uint64

// dayOf is the day of a time. Before 1970, which only a broken clock shows, it
// is the first.
func dayOf(t time.Time) Day { return Day(max(0, t.Unix()) / (24 * 60 * 60)) }

// pairSecret is what two devices share without ever having talked about it: the
// result of X25519 (RFC 7748) between their device keys, brought from Edwards to
// Montgomery form (RFC 7748, 4.1), and bound to both of them by HKDF-SHA-256
// (RFC 5869). Each computes it from its own private key and the other's ID,
// which holds the public one.
func pairSecret(own ed25519.PrivateKey, other ed25519.PublicKey) ([]byte, error) {
	point, err := new(edwards25519.Point).SetBytes(other)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	theirs, err := ecdh.X25519().NewPublicKey(point.BytesMontgomery())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	expanded := sha512.Sum512(own.Seed()) // RFC 8032, 5.1.5; X25519 does the clamping
	ours, err := ecdh.X25519().NewPrivateKey(expanded[:32])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	shared, err := ours.ECDH(theirs) // refuses points of low order
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	first, second := []byte(own.Public().(ed25519.PublicKey)), []byte(other)
	if bytes.Compare(first, second) > 0 {
		first, second = second, first
	}
	return hkdf.Key(sha256.New, shared, nil, pairLabel+string(first)+string(second), 32)
}

// noticeSlot is where one device of a pair leaves notices for the other on a
// day.
func noticeSlot(secret []byte, day Day, from, to ed25519.PublicKey) (*slot, error) {
	about := binary.BigEndian.AppendUint64([]byte(noticeLabel), uint64(day))
	about = append(append(about, from...), to...)
	return newSlot(secret, about)
}

// plateSlot is where whoever knows the number of a plate finds, on a day, the
// device that waits there. It is as secret as the number. Argon2id (RFC 9106)
// with 32 MiB makes each guess cost some 50 ms, and the day keeps anybody from
// making the guesses ahead.
func plateSlot(plate uint32, day Day) (*slot, error) {
	salt := binary.BigEndian.AppendUint64([]byte(plateLabel), uint64(day))
	number := binary.BigEndian.AppendUint32(nil, plate)
	s, err := newSlot(argon2.IDKey(number, salt, 1, 32<<10, 1, 32), salt)
	if err != nil {
		return nil, err
	}
	s.shared = true
	return s, nil
}

// deviceKey is the public key that the ID of a device holds.
func deviceKey(id peer.ID) (ed25519.PublicKey, error) {
	key, err := id.ExtractPublicKey()
	if err != nil || key.Type() != crypto.Ed25519 {
		return nil, fmt.Errorf("%w: %q", ErrKey, id.String())
	}
	raw, err := key.Raw()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return raw, nil
}

// ownKey is a device key as crypto/ed25519 has it.
func ownKey(key crypto.PrivKey) (ed25519.PrivateKey, error) {
	if key == nil || key.Type() != crypto.Ed25519 {
		return nil, ErrKey
	}
	raw, err := key.Raw()
	if err != nil || len(raw) != ed25519.PrivateKeySize {
		return nil, ErrKey
	}
	return raw, nil
}
