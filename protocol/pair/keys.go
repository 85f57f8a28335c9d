package pair

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"filippo.io/cpace"

	"github.com/kithmesh/kith/index/entry"
)

// role is which side of a conversation a device is on. It labels all that the
// device proves or seals, so that nothing can be played back to its sender.
type role string

const (
	enterer role = "enterer"
	shower  role = "shower"
)

// transcript is all that both sides must have seen alike.
type transcript struct {
	enterer, shower           entry.DeviceID
	entererHello, showerHello []byte // as on the wire
	entererShare, showerShare []byte // as on the wire
}

// context is what the CPace generator depends on besides the secret.
func (t *transcript) context() *cpace.ContextInfo {
	ad := lengthPrefixed(
		[]byte(Protocol), []byte(enterer), []byte(shower), t.entererHello, t.showerHello)
	return cpace.NewContextInfo(string(t.enterer), string(t.shower), ad)
}

func (t *transcript) digest() [sha256.Size]byte {
	return sha256.Sum256(lengthPrefixed(
		[]byte(Protocol), []byte(t.enterer), []byte(t.shower),
		t.entererHello, t.showerHello, t.entererShare, t.showerShare))
}

// lengthPrefixed joins parts so that no other parts join to the same bytes.
// Each is below 64 KiB: IDs and messages are bounded before they get here.
func lengthPrefixed(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint16(out, uint16(len(p)))
		out = append(out, p...)
	}
	return out
}

// session is what a conversation derives from its key and transcript. Both
// sides have the same session only if they had the same secret.
type session struct {
	key    []byte
	digest [sha256.Size]byte
}

func newSession(key []byte, t *transcript) *session {
	return &session{key: key, digest: t.digest()}
}

// derive is the key for one purpose.
//
// Source: RFC 5869, HKDF.
func (s *session) derive(label string) ([]byte, error) {
	k, err := hkdf.Key(sha256.New, s.key, s.digest[:], Protocol+" "+label, keySize)
	if err != nil {
		return nil, fmt.Errorf("derive key %q: %w", label, err)
	}
	return k, nil
}

// confirmation is what a side sends to prove that it has the session.
func (s *session) confirmation(of role) ([]byte, error) {
	k, err := s.derive("confirm " + string(of))
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, k)
	_, _ = mac.Write(s.digest[:])
	return mac.Sum(nil), nil
}

// confirms tells, in constant time, whether mac is the confirmation of a side.
func (s *session) confirms(of role, mac []byte) (bool, error) {
	want, err := s.confirmation(of)
	if err != nil {
		return false, err
	}
	return hmac.Equal(want, mac), nil
}

// seal encrypts the one message that a side ever seals in a session.
func (s *session) seal(by role, plain []byte) ([]byte, error) {
	aead, err := s.aead(by)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, make([]byte, aead.NonceSize()), plain, s.digest[:]), nil
}

// open is the reverse of seal. It wraps [ErrProtocol] if the other side did
// not seal this, in this session.
func (s *session) open(by role, sealed []byte) ([]byte, error) {
	aead, err := s.aead(by)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed, s.digest[:])
	if err != nil {
		return nil, fmt.Errorf("%w: a card that does not open", ErrProtocol)
	}
	return plain, nil
}

// aead uses each key once, so its nonce may be zero.
func (s *session) aead(by role) (cipher.AEAD, error) {
	k, err := s.derive("seal " + string(by))
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// checkWords is what people compare: 41 bits of the session.
func (s *session) checkWords() ([4]string, error) {
	var words [4]string
	k, err := s.derive("check words")
	if err != nil {
		return words, err
	}
	for i := range words {
		words[i] = wordList()[binary.BigEndian.Uint32(k[4*i:])%listSize]
	}
	return words, nil
}
