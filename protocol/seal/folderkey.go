package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// FolderKey is the secret of a folder for one epoch. It never prints: as text
// it is "[folder key]".
type FolderKey [32]byte

const hiddenKey = "[folder key]"

// NewFolderKey draws a key from the system's random numbers.
func NewFolderKey() FolderKey {
	var k FolderKey
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// IsZero tells the key that was never drawn.
func (k FolderKey) IsZero() bool { return k == FolderKey{} }

func (FolderKey) String() string { return hiddenKey }

// GoString serves %#v.
func (FolderKey) GoString() string { return hiddenKey }

// Format serves all verbs, those for numbers included.
func (FolderKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenKey) }

// LogValue serves slog.
func (FolderKey) LogValue() slog.Value { return slog.StringValue(hiddenKey) }

// MarshalText refuses: a key is stored as bytes, by who means to.
func (FolderKey) MarshalText() ([]byte, error) {
	return nil, errors.New("a folder key has no text form")
}
