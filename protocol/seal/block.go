package seal

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/kithmesh/kith/index/entry"
)

// Overhead is how many bytes a block sealed Raw is longer than its plaintext:
// encoding, nonce and tag.
const Overhead = 1 + nonceSize + tagSize

const (
	nonceSize = 12
	tagSize   = 16
)

// MaxSealedBlock bounds a sealed block, in bytes.
const MaxSealedBlock = entry.MaxBlock + Overhead

// BlockID names a block by its plaintext.
func (k *Keys) BlockID(plain []byte) entry.BlockID { return k.blockName.of(plain, nil) }

// SealBlock appends the sealed form of a block to dst. Nothing is ever longer
// than Raw makes it: Zstd yields to Raw where it does not make a block shorter.
//
// It hashes plain to know that it is the block of that ID, which also keeps
// the nonce right, and returns [ErrNotBlock] if not: who reads a block from a
// file need not check it before. plain must not overlap the room behind dst.
func (k *Keys) SealBlock(dst []byte, id entry.BlockID, plain []byte, enc Encoding) ([]byte, error) {
	if len(plain) == 0 || len(plain) > entry.MaxBlock || k.BlockID(plain) != id {
		return nil, fmt.Errorf("seal block %s: %d bytes: %w", id, len(plain), ErrNotBlock)
	}
	if enc > Zstd {
		return nil, fmt.Errorf("seal block %s: no such %s", id, enc)
	}
	dst = grow(dst, len(plain)+Overhead)
	if enc == Raw || len(plain) < minCompressed || enc == Auto && looksRandom(plain) {
		return k.sealEncoded(dst, id, Raw, plain), nil
	}
	frame := frames.Get().(*[]byte)
	defer frames.Put(frame)
	*frame = compress((*frame)[:0], plain)
	if enc.worthIt(len(*frame), len(plain)) {
		return k.sealEncoded(dst, id, Zstd, *frame), nil
	}
	return k.sealEncoded(dst, id, Raw, plain), nil
}

// sealEncoded appends the sealed form to dst, which has the room.
func (k *Keys) sealEncoded(dst []byte, id entry.BlockID, enc Encoding, encoded []byte) []byte {
	b := bindings.Get().(*binding)
	defer bindings.Put(b)
	b.set(k, id, enc)
	tied := encoded
	if enc == Raw {
		tied = nil // SealBlock has seen that the ID stands for the bytes
	}
	b.nonce = k.blockNonce.of(b.named(), tied)
	dst = append(dst, byte(enc))
	dst = append(dst, b.nonce[:nonceSize]...)
	return k.block.Seal(dst, b.nonce[:nonceSize], encoded, b.bytes[:])
}

// OpenBlock appends the plaintext of a sealed block to dst: at most
// entry.MaxBlock bytes, and those that id stands for. Its errors wrap
// [ErrSealed], and [ErrTampered], [ErrNewer] or [ErrNotBlock] where they
// apply; dst's spare room may hold rubbish then. sealed is left as it is and
// must not overlap the room behind dst.
func (k *Keys) OpenBlock(dst []byte, id entry.BlockID, sealed []byte) ([]byte, error) {
	if len(sealed) <= Overhead || len(sealed) > MaxSealedBlock {
		return nil, fmt.Errorf("open block %s: %w: %d bytes", id, ErrSealed, len(sealed))
	}
	start := len(dst)
	out, err := k.openEncoded(dst, id, sealed)
	if err != nil {
		return nil, fmt.Errorf("open block %s: %w", id, err)
	}
	if k.BlockID(out[start:]) != id {
		return nil, fmt.Errorf("open block %s: %w: %w", id, ErrSealed, ErrNotBlock)
	}
	return out, nil
}

func (k *Keys) openEncoded(dst []byte, id entry.BlockID, sealed []byte) ([]byte, error) {
	enc := Encoding(sealed[0])
	if enc == Raw {
		return k.unseal(grow(dst, len(sealed)-Overhead), id, sealed)
	}
	frame := frames.Get().(*[]byte)
	defer frames.Put(frame)
	var err error
	if *frame, err = k.unseal(grow((*frame)[:0], len(sealed)-Overhead), id, sealed); err != nil {
		*frame = nil
		return nil, err
	}
	// Only now is the encoding known to be what the sealer wrote.
	if enc != Zstd {
		return nil, fmt.Errorf("%w: %s", ErrNewer, enc)
	}
	out, err := decompress(dst, *frame)
	if err != nil {
		return nil, fmt.Errorf("%w: decompress: %w", ErrSealed, err)
	}
	return out, nil
}

// unseal appends the encoded bytes to dst.
func (k *Keys) unseal(dst []byte, id entry.BlockID, sealed []byte) ([]byte, error) {
	b := bindings.Get().(*binding)
	defer bindings.Put(b)
	b.set(k, id, Encoding(sealed[0]))
	out, err := k.block.Open(dst, sealed[1:1+nonceSize], sealed[1+nonceSize:], b.bytes[:])
	if err != nil {
		return nil, ErrTampered
	}
	return out, nil
}

// binding is what a sealed block is bound to: folder, epoch, ID, encoding. It
// is pooled because what goes through an interface would be allocated.
type binding struct {
	bytes [16 + 4 + 32 + 1]byte
	nonce [32]byte
}

var bindings = sync.Pool{New: func() any { return new(binding) }}

// frames keeps room for compressed blocks.
var frames = sync.Pool{New: func() any { return new([]byte) }}

func (b *binding) set(k *Keys, id entry.BlockID, enc Encoding) {
	copy(b.bytes[0:], k.folder[:])
	binary.BigEndian.PutUint32(b.bytes[16:], uint32(k.epoch))
	copy(b.bytes[20:], id[:])
	b.bytes[52] = byte(enc)
}

// named is the part that tells blocks of one folder and epoch apart.
func (b *binding) named() []byte { return b.bytes[20:] }

// grow makes room for n bytes more, and no more than needed where it has to
// allocate: blocks are not appended to again.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, len(b)+n), b...)
}
