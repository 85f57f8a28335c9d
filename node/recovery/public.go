package recovery

import (
	"bytes"
	"crypto/hpke"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/protocol/seal"
)

// Public is what others may know of a phrase: the device ID as which its holder
// signs, and the key to which folder keys are sealed for it. The signature of
// the former over the latter keeps the two together. It comes from
// [Secret.Public], [ParsePublic] or [Read]; the zero Public seals nothing.
type Public struct {
	device entry.DeviceID
	kem    []byte // of MLKEM768-X25519
	proof  []byte
}

const (
	publicFormat = 1
	publicSize   = 1216 // bytes of the key: 1184 of ML-KEM-768, 32 of X25519
	proofSize    = 64   // bytes
	maxDevice    = 128  // bytes
)

func publish(id *identity.Identity, key hpke.PublicKey) (Public, error) {
	p := Public{device: id.ID(), kem: key.Bytes()}
	proof, err := id.Sign(p.signed())
	if err != nil {
		return Public{}, fmt.Errorf("sign the public side of a recovery phrase: %w", err)
	}
	p.proof = proof
	return p, nil
}

func (p Public) signed() []byte { return append([]byte("kith recovery public v1\x00"), p.kem...) }

// check tells by a nil error that the key belongs to the device and is one.
func (p Public) check() (hpke.PublicKey, error) {
	if !identity.Verify(p.device, p.signed(), p.proof) {
		return nil, fmt.Errorf("%w: its signature is wrong", ErrPublic)
	}
	key, err := kem().NewPublicKey(p.kem)
	if err != nil {
		return nil, fmt.Errorf("%w: its key is of no use", ErrPublic)
	}
	return key, nil
}

// Device is the device ID as which the holder of the phrase signs.
func (p Public) Device() entry.DeviceID { return p.device }

// Bytes is the form in which it is stored: a format byte, the length of the
// device ID in one byte, the device ID, the key, and a signature, which is the
// checksum of all of it. It is empty for the zero Public.
func (p Public) Bytes() []byte {
	if p.device == "" {
		return nil
	}
	b := append([]byte{publicFormat, byte(len(p.device))}, p.device...)
	return append(append(b, p.kem...), p.proof...)
}

// ParsePublic reads what [Public.Bytes] wrote, and nothing else. Its errors
// wrap [ErrPublic].
func ParsePublic(data []byte) (Public, error) {
	if len(data) < 2 || data[0] != publicFormat || data[1] > maxDevice || len(data) != 2+int(data[1])+publicSize+proofSize {
		return Public{}, fmt.Errorf("%w: cut short, too long or of another format", ErrPublic)
	}
	n := 2 + int(data[1])
	p := Public{device: entry.DeviceID(data[2:n]), kem: bytes.Clone(data[n : n+publicSize]), proof: bytes.Clone(data[n+publicSize:])}
	if _, err := p.check(); err != nil {
		return Public{}, err
	}
	return p, nil
}

// Seal seals keys of a folder to the phrase, in as few payloads as hold them,
// those of early epochs first: 46 keys to a payload. Errors wrap [ErrPublic],
// or [ErrKeys] if there are none or one is zero.
func (p Public) Seal(folder entry.FolderID, keys map[entry.Epoch]seal.FolderKey) ([][]byte, error) {
	to, err := p.check()
	if err != nil {
		return nil, fmt.Errorf("seal keys of folder %s: %w", folder, err)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("seal keys of folder %s: %w", folder, ErrKeys)
	}
	var payloads [][]byte
	for epochs := range slices.Chunk(slices.Sorted(maps.Keys(keys)), maxEpochs) {
		plain := make([]byte, 0, len(epochs)*keySize)
		for _, epoch := range epochs {
			key := keys[epoch]
			if epoch == 0 || key.IsZero() {
				return nil, fmt.Errorf("seal keys of folder %s: epoch %d: %w", folder, epoch, ErrKeys)
			}
			plain = append(plain, key[:]...)
		}
		payload, err := p.seal(to, folder, epochs, plain)
		clear(plain)
		if err != nil {
			return nil, fmt.Errorf("seal keys of folder %s: %w", folder, err)
		}
		payloads = append(payloads, payload)
	}
	return payloads, nil
}

func (p Public) seal(to hpke.PublicKey, folder entry.FolderID, epochs []entry.Epoch, plain []byte) ([]byte, error) {
	encapsulated, sender, err := hpke.NewSender(to, kdf(), aead(), info(folder, p.device))
	if err != nil {
		return nil, err
	}
	b := append([]byte{payloadFormat}, p.kem...)
	b = append(b, p.proof...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(epochs)))
	for _, epoch := range epochs {
		b = binary.BigEndian.AppendUint32(b, uint32(epoch))
	}
	sealed, err := sender.Seal(b, plain)
	if err != nil {
		return nil, err
	}
	return append(append(b, encapsulated...), sealed...), nil
}

// Missing are those of the keys whose epochs none of the payloads names, and
// which are to be sealed. A device passes the payloads that it made itself: it
// cannot see whether another sealed what it says. Payloads for other phrases,
// and what is none, name nothing.
func (p Public) Missing(keys map[entry.Epoch]seal.FolderKey, payloads [][]byte) map[entry.Epoch]seal.FolderKey {
	missing := maps.Clone(keys)
	for _, payload := range payloads {
		if parsed, err := parse(payload); err == nil && parsed.isFor(p) {
			for _, epoch := range parsed.epochs {
				delete(missing, epoch)
			}
		}
	}
	return missing
}
