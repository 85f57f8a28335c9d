// Package seal knows how the content of a folder is hidden from devices that
// hold no key: it names blocks and records, and seals and opens both. Between
// two devices that hold the key it seals many entries at once, as a batch.
//
// The format is specified in proto/wirepb/record.proto. Names are keyed hashes
// (BLAKE3), sealing is AES-256-GCM with nonces that are themselves keyed
// hashes of what is sealed, and all keys come from one [FolderKey] for each
// epoch by HKDF.
//
// # Promises
//
//   - Nothing is returned from opening before all of it has been checked: that
//     it was sealed by a holder of the key, for this folder, epoch and block
//     or record, and that it is what its ID says.
//   - Sealing is deterministic: the same block or entry under the same keys
//     gives the same bytes, on every device of one release. Raw blocks and
//     records never change their form; golden vectors in the tests freeze it.
//     What zstd makes of a block or a batch may change with its release: both
//     open.
//   - Two different things are never sealed under one nonce, even if an ID was
//     computed for other bytes than are sealed. Nonces have 96 bits: up to 2^32
//     blocks, as many records and as many batches may be sealed under one
//     epoch.
//   - Errors hold no key, and nothing that was sealed but the path.
//   - Input of a peer never makes it allocate more than the bounds of package
//     entry allow, whatever it claims.
//
// What the sealed form shows: the lengths of blocks, the number of blocks of a
// file, versions, which records are of the same path, and the length of names
// to within 32 bytes. Of a batch it shows the length, and so how well the
// entries compress.
//
// It is pure: no I/O, no clock, and randomness in [NewFolderKey] alone. [Keys]
// are immutable and safe for concurrent use.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"github.com/kithmesh/kith/index/entry"
)

// Keys are the keys of one folder in one epoch.
type Keys struct {
	folder  entry.FolderID
	epoch   entry.Epoch
	chunker [32]byte

	block, record, batch cipher.AEAD

	blockName, blockNonce                *prf
	recordName, recordClear, recordNonce *prf
	batchNonce                           *prf
}

// Derive derives the keys of a folder in an epoch. It wraps [ErrKey] if key or
// epoch is zero.
func Derive(folder entry.FolderID, epoch entry.Epoch, key FolderKey) (*Keys, error) {
	if key.IsZero() || epoch == 0 {
		return nil, fmt.Errorf("derive the keys of folder %s for epoch %d: %w", folder, epoch, ErrKey)
	}
	k := &Keys{folder: folder, epoch: epoch}
	if err := k.derive(key); err != nil {
		return nil, fmt.Errorf("derive the keys of folder %s for epoch %d: %w", folder, epoch, err)
	}
	return k, nil
}

func (k *Keys) derive(key FolderKey) error {
	root, err := hkdf.Extract(sha256.New, key[:], []byte("kith folder key v1"))
	if err != nil {
		return err
	}
	scope := make([]byte, 0, 1+len(k.folder)+4)
	scope = append(scope, 0)
	scope = append(scope, k.folder[:]...)
	scope = binary.BigEndian.AppendUint32(scope, uint32(k.epoch))
	for _, d := range []struct {
		label string
		take  func(key []byte) error
	}{
		{"block content", func(key []byte) (err error) { k.block, err = newAEAD(key); return err }},
		{"block name", func(key []byte) (err error) { k.blockName, err = newPRF(key); return err }},
		{"block nonce", func(key []byte) (err error) { k.blockNonce, err = newPRF(key); return err }},
		{"record content", func(key []byte) (err error) { k.record, err = newAEAD(key); return err }},
		{"record name", func(key []byte) (err error) { k.recordName, err = newPRF(key); return err }},
		{"record clear", func(key []byte) (err error) { k.recordClear, err = newPRF(key); return err }},
		{"record nonce", func(key []byte) (err error) { k.recordNonce, err = newPRF(key); return err }},
		{"batch content", func(key []byte) (err error) { k.batch, err = newAEAD(key); return err }},
		{"batch nonce", func(key []byte) (err error) { k.batchNonce, err = newPRF(key); return err }},
		{"chunker", func(key []byte) error { k.chunker = [32]byte(key); return nil }},
	} {
		sub, err := hkdf.Expand(sha256.New, root, d.label+string(scope), 32)
		if err != nil {
			return err
		}
		if err := d.take(sub); err != nil {
			return err
		}
	}
	return nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(c)
}

// Folder is the folder that the keys are of.
func (k *Keys) Folder() entry.FolderID { return k.folder }

// Epoch is the epoch that the keys are of.
func (k *Keys) Epoch() entry.Epoch { return k.epoch }

// ChunkKey is the key of the folder's chunker.
func (k *Keys) ChunkKey() [32]byte { return k.chunker }

// Format prints whose keys they are, and nothing of them.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.describe()) }

// LogValue does the same for slog.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.describe()) }

func (k *Keys) describe() string {
	if k == nil {
		return "[no keys]"
	}
	return fmt.Sprintf("[keys of folder %s, epoch %d]", k.folder, k.epoch)
}
