package membership

import (
	"encoding/hex"
	"fmt"
	"log/slog"
)

// Key is the secret of one epoch of a folder. It does not show in print; to
// use it, convert it to an array.
type Key [32]byte

const redacted = "redacted"

// Format prints a placeholder, whatever the verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue is a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is a placeholder, so that no encoder gives the key away.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func (k Key) hex() string { return hex.EncodeToString(k[:]) }

// parseKey shows nothing of what it was given.
func parseKey(s string) (k Key, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(k) || s != hex.EncodeToString(b) {
		return Key{}, fmt.Errorf("%w: a key that is none", ErrDamaged)
	}
	return Key(b), nil
}
