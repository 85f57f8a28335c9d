// Package identity holds the device key: the one thing that makes this device
// itself to all others; and it knows the recovery phrase, the words from which
// such a key comes when all devices are lost.
//
// The device key is an Ed25519 key, which is also the libp2p identity; the
// device's ID is made from its public half. It lies in a small text file that
// only its owner may read.
//
// # Promises
//
//   - A key is made only where there is no file at all. One that is there and
//     cannot be used is an error that says why, never a reason for a new key:
//     a device with a new key is a stranger to all its peers.
//   - A key is durable before it is used.
//   - Neither the key nor a [Phrase] is in any log line or printed value.
//   - The same words give the same keys for ever: golden vectors in the tests
//     freeze the way from the one to the other. A phrase is never stored.
//
// Identities and phrases are immutable and safe for concurrent use.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/durable"
)

// Identity is the key of this device. Make one with [Load], [Create] or
// [LoadOrCreate]; the zero Identity is of no use.
type Identity struct {
	id  entry.DeviceID
	key crypto.PrivKey
}

// Load reads the key at path. It wraps [fs.ErrNotExist] if nothing is there,
// [ErrExposed] if others could read it, [ErrDamaged] if it is no key.
func Load(path string) (*Identity, error) {
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("load device key %q: %w", path, err)
	}
	defer clear(data)
	i, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("load device key %q: %w", path, err)
	}
	return i, nil
}

// Create makes a new key and stores it at path, whose directory must exist. It
// wraps [fs.ErrExist] if anything is there.
func Create(path string) (*Identity, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create device key: %w", err)
	}
	i, err := fromKey(private)
	if err != nil {
		return nil, fmt.Errorf("create device key: %w", err)
	}
	data := encode(i.id, private)
	defer clear(data)
	if err := durable.Create(path, data, 0o600); err != nil {
		return nil, fmt.Errorf("create device key %q: %w", path, err)
	}
	return i, nil
}

// LoadOrCreate is [Load] if there is anything at path, be it a link that leads
// nowhere, and [Create] otherwise. Two processes that start at once end up with
// the same key.
func LoadOrCreate(path string) (*Identity, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return Load(path)
	}
	i, err := Create(path)
	if errors.Is(err, fs.ErrExist) {
		return Load(path)
	}
	return i, err
}

func fromKey(private ed25519.PrivateKey) (*Identity, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(private)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &Identity{id: entry.DeviceID(id.String()), key: key}, nil
}

// ID is the device's ID: its libp2p peer ID in text form.
func (i *Identity) ID() entry.DeviceID { return i.id }

// Key is the private key, for the libp2p host.
func (i *Identity) Key() crypto.PrivKey { return i.key }

// Sign is the device's Ed25519 signature (RFC 8032) over msg.
func (i *Identity) Sign(msg []byte) ([]byte, error) { return i.key.Sign(msg) }

// Verify tells whether sig is the signature of device over msg. A device has
// one ID: other spellings of it are refused.
func Verify(device entry.DeviceID, msg, sig []byte) bool {
	id, err := peer.Decode(string(device))
	if err != nil || id.String() != string(device) {
		return false
	}
	public, err := id.ExtractPublicKey()
	if err != nil || public.Type() != crypto.Ed25519 {
		return false
	}
	ok, err := public.Verify(msg, sig)
	return err == nil && ok
}

// LogValue shows the ID in place of the key.
func (i Identity) LogValue() slog.Value { return slog.StringValue(string(i.id)) }

// Format prints the ID, whatever the verb.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(i.id)) }

// MarshalText is the ID: an identity that is encoded by mistake gives nothing
// away.
func (i Identity) MarshalText() ([]byte, error) { return []byte(i.id), nil }
