package seal

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// RecordID stands for a path towards devices that must not know it: a keyed
// hash of the path. Its 128 bits tell the paths of a folder apart; it needs no
// more, since only a holder of the key can look for two paths with one ID, and
// every record is checked against its path when it is opened.
type RecordID [16]byte

func (id RecordID) String() string { return hex.EncodeToString(id[:]) }

// BlockRef is a block of a record.
type BlockRef struct {
	ID entry.BlockID
	// SealedSize is how many bytes the block has when it is sealed Raw: its
	// plaintext's and [Overhead]. Compressed, it is shorter.
	SealedSize uint32
}

// Record is an entry as it crosses the wire or lies in a vault. A device
// without the key can read all of it but Sealed. Records come from
// [Keys.SealRecord] and [RecordFromWire] and are not changed after.
type Record struct {
	ID      RecordID
	Epoch   entry.Epoch
	Version version.Version
	Blocks  []BlockRef
	Sealed  []byte // the rest of the entry, bound to all of the above
}

// RecordID is the ID of a path in this epoch.
func (k *Keys) RecordID(p entry.Path) RecordID {
	sum := k.recordName.of([]byte(p), nil)
	return RecordID(sum[:len(RecordID{})])
}

// SealRecord seals an entry that is of the keys' epoch. It returns
// [ErrUnknown] for an entry of unknown history, [ErrWrongEpoch] for one of
// another epoch, and [ErrRecord] with the sentinel of the bound that an invalid
// one breaks. The record has no memory in common with e but its version.
func (k *Keys) SealRecord(e *entry.Entry) (*Record, error) {
	r, err := k.sealRecord(e)
	if err != nil {
		return nil, fmt.Errorf("seal %q: %w", e.Path, err)
	}
	return r, nil
}

func (k *Keys) sealRecord(e *entry.Entry) (*Record, error) {
	if err := k.sealable(e); err != nil {
		return nil, err
	}
	r := &Record{ID: k.RecordID(e.Path), Epoch: k.epoch, Version: e.Version, Blocks: refsOf(e.Blocks)}
	plain, err := inside(e)
	if err != nil {
		return nil, err
	}
	bound := k.clear(r)
	nonce := k.recordNonce.of(bound[:], plain)
	r.Sealed = make([]byte, 0, nonceSize+len(plain)+tagSize)
	r.Sealed = append(r.Sealed, nonce[:nonceSize]...)
	r.Sealed = k.record.Seal(r.Sealed, nonce[:nonceSize], plain, bound[:])
	return r, nil
}

// sealable refuses what is not to be sealed with these keys.
func (k *Keys) sealable(e *entry.Entry) error {
	switch {
	case e.Unknown || e.Version.IsZero():
		return ErrUnknown
	case e.Epoch != k.epoch:
		return fmt.Errorf("%w: %d, not %d", ErrWrongEpoch, e.Epoch, k.epoch)
	}
	return check(e)
}

// OpenRecord opens a record and checks all of it: that it was sealed by a
// holder of the key, that the parts belong together, and that it is a valid
// entry for the path that its ID stands for. The local fields of the entry are
// zero.
//
// Its errors wrap [ErrSealed], and [ErrWrongEpoch], [ErrTampered], [ErrNewer]
// or [ErrRecord] where they apply. r may be of any origin.
func (k *Keys) OpenRecord(r *Record) (entry.Entry, error) {
	e, err := k.openRecord(r)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("open record %s: %w", r.ID, err)
	}
	return e, nil
}

func (k *Keys) openRecord(r *Record) (entry.Entry, error) {
	switch {
	case r.Epoch != k.epoch:
		return entry.Entry{}, fmt.Errorf("%w: %w: %d, not %d", ErrSealed, ErrWrongEpoch, r.Epoch, k.epoch)
	case len(r.Sealed) < minSealed || len(r.Sealed) > maxSealed:
		return entry.Entry{}, fmt.Errorf("%w: %w: sealed part of %d bytes", ErrSealed, ErrRecord, len(r.Sealed))
	}
	bound := k.clear(r)
	plain, err := k.record.Open(nil, r.Sealed[:nonceSize], r.Sealed[nonceSize:], bound[:])
	if err != nil {
		return entry.Entry{}, ErrTampered
	}
	e, err := fromInside(plain, r.Version.Vector)
	if err != nil {
		return entry.Entry{}, err
	}
	e.Version, e.Epoch, e.Blocks = r.Version, r.Epoch, blocksOf(r.Blocks)
	if err := check(&e); err != nil {
		return entry.Entry{}, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	if k.RecordID(e.Path) != r.ID {
		return entry.Entry{}, fmt.Errorf("%w: %w: its path is another's: %q", ErrSealed, ErrRecord, e.Path)
	}
	return e, nil
}

func refsOf(blocks []entry.Block) []BlockRef {
	if len(blocks) == 0 {
		return nil
	}
	refs := make([]BlockRef, len(blocks))
	for i := range blocks {
		refs[i] = BlockRef{ID: blocks[i].ID, SealedSize: blocks[i].Length + Overhead}
	}
	return refs
}

// blocksOf is the reverse. Too small a size wraps to a length that
// entry.Check refuses.
func blocksOf(refs []BlockRef) []entry.Block {
	if len(refs) == 0 {
		return nil
	}
	blocks := make([]entry.Block, len(refs))
	for i := range refs {
		blocks[i] = entry.Block{ID: refs[i].ID, Length: refs[i].SealedSize - Overhead}
	}
	return blocks
}

// clear is the digest of the clear fields of r, and of what keys it is under.
func (k *Keys) clear(r *Record) [32]byte {
	h := k.recordClear.begin()
	var buf [64]byte
	b := append(buf[:0], k.folder[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Epoch))
	b = append(b, r.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version.Clock))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Version.Author))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Version.Vector)))
	_, _ = h.Write(b)
	for _, c := range r.Version.Vector {
		b = binary.BigEndian.AppendUint64(buf[:0], uint64(c.Replica))
		b = binary.BigEndian.AppendUint64(b, c.Count)
		_, _ = h.Write(b)
	}
	b = binary.BigEndian.AppendUint32(buf[:0], uint32(len(r.Blocks)))
	_, _ = h.Write(b)
	for i := range r.Blocks {
		b = append(buf[:0], r.Blocks[i].ID[:]...)
		b = binary.BigEndian.AppendUint32(b, r.Blocks[i].SealedSize)
		_, _ = h.Write(b)
	}
	return k.recordClear.end(h)
}

// check is entry.Check, with an error that tells which bound was broken and
// nothing of what broke it.
func check(e *entry.Entry) error {
	err := e.Check()
	if err == nil {
		return nil
	}
	for _, broken := range []error{entry.ErrPath, version.ErrBounds} {
		if errors.Is(err, broken) {
			return fmt.Errorf("%w: %w", ErrRecord, broken)
		}
	}
	return fmt.Errorf("%w: %w", ErrRecord, entry.ErrEntry)
}
