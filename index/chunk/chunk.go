// Package chunk cuts a file into blocks at places that its content chooses,
// so that an insertion moves the cuts with the bytes and changes one or two
// blocks, not all that follow.
//
// # The cut
//
// A gear hash runs over the bytes: h = h<<1 + gear[byte], in 64 bits, so that
// h depends on the last 64 bytes alone. gear holds 256 numbers of 64 bits,
// little-endian, from BLAKE3 in its key derivation mode (context
// "kith 2026-11-22 index/chunk gear table v1", material the [Key]). A block of
// n bytes ends after the byte where
//
//	n >= average/4  and  h < n * 7*2^62/average²
//
// for the first time, at 4*average bytes at the latest, or where the file
// ends. The chance of a cut thus rises in proportion to the length: lengths
// gather around the average (their mean is within a few percent of it), a cut
// forced by length alone is rare, and two runs that started at different
// places still fall into step within a block or two. [Average] picks the average
// from the size of the file; a file of up to [Whole] bytes is one block.
//
// Sources: Muthitacharoen et al., "A Low-bandwidth Network File System"
// (2001), for content-defined blocks; Xia et al., "Ddelta" (2014) for the gear
// hash, "FastCDC" (2016) for a condition that eases with the length.
//
// # Promises
//
//   - Blocks are a function of key and content: neither the sizes in which
//     the content was read nor the machine have a part in them. Golden vectors
//     in the tests freeze the format.
//   - Every block but the last has from average/4 to 4*average bytes; none has
//     more than entry.MaxBlock, and their concatenation is the file.
//   - Without the key, the lengths of blocks do not tell whether a file is one
//     that is known. The gear hash is no cryptographic one, though: who can plant
//     many files of his choice in a folder and see the lengths may learn the
//     table. A file of one block shows its size in any case.
//
// A file that grows past a size where the average doubles is cut anew as a
// whole; that happens once per fourfold growth.
//
// A [Chunker] is immutable and safe for concurrent use.
package chunk

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"

	"github.com/zeebo/blake3"
)

// Key decides where the cuts are. It is secret, and prints as "[chunk key]".
type Key [32]byte

// Format keeps the key out of whatever is printed.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[chunk key]") }

// LogValue keeps the key out of logs.
func (Key) LogValue() slog.Value { return slog.StringValue("[chunk key]") }

const gearContext = "kith 2026-11-22 index/chunk gear table v1"

// gear maps a byte to what it adds to the hash.
type gear [256]uint64

// Chunker cuts files under one key.
type Chunker struct {
	gear gear
}

// New is the chunker of a key.
func New(key Key) *Chunker {
	var table [256 * 8]byte
	blake3.DeriveKey(gearContext, key[:], table[:])
	c := &Chunker{}
	for i := range c.gear {
		c.gear[i] = binary.LittleEndian.Uint64(table[8*i:])
	}
	return c
}

// Format keeps the table, which is as good as the key, out of whatever is
// printed.
func (*Chunker) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[chunker]") }
