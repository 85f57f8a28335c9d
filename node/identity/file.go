package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// The file is text, for people who come upon it. What it says is fixed to the
// byte, so that any change to it shows; the last line is a hash of the others.
const (
	heading = `kith device key 1

This file is the identity of a kith device. Whoever has it can pass for the
device. Keep it private, and never run it on two devices at once.

`
	idLine  = "id "
	keyLine = "key "
	sumLine = "sum "
)

// maxFile is far above the size of a key file, in bytes.
const maxFile = 4096

func encode(id entry.DeviceID, private ed25519.PrivateKey) []byte {
	var b bytes.Buffer
	b.WriteString(heading)
	fmt.Fprintf(&b, "%s%s\n", idLine, id)
	fmt.Fprintf(&b, "%s%s\n", keyLine, base64.StdEncoding.EncodeToString(private.Seed()))
	fmt.Fprintf(&b, "%s%s\n", sumLine, sum(b.Bytes()))
	return b.Bytes()
}

// decode accepts exactly what encode writes. It wraps [ErrDamaged], and shows
// nothing of what it found.
func decode(data []byte) (*Identity, error) {
	text, ok := strings.CutPrefix(string(data), heading)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin as a kith device key of this version does", ErrDamaged)
	}
	line := strings.SplitN(text, "\n", 4)
	if len(line) != 4 || line[3] != "" {
		return nil, fmt.Errorf("%w: it is cut short, or something has been added", ErrDamaged)
	}
	seed, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(line[1], keyLine))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: its key cannot be read", ErrDamaged)
	}
	private := ed25519.NewKeyFromSeed(seed)
	i, err := fromKey(private)
	if err != nil {
		return nil, fmt.Errorf("%w: its key is of no use", ErrDamaged)
	}
	if !bytes.Equal(encode(i.id, private), data) {
		return nil, fmt.Errorf("%w: its parts do not belong together", ErrDamaged)
	}
	return i, nil
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

// read returns the file's content if it is private. The check is made on the
// open file, so that it cannot be exchanged in between.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%w: it is no regular file of the right size", ErrDamaged)
	}
	if err := private(path, info); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
