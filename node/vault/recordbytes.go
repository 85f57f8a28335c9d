package vault

import (
	"encoding/binary"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

const (
	counterSize = 16
	refSize     = 36
)

// appendRecord appends the data of the entry of a record: all of it but its
// epoch, which is in the head.
func appendRecord(dst []byte, r *seal.Record) []byte {
	le := binary.LittleEndian
	dst = append(dst, r.ID[:]...)
	dst = appendVersion(dst, r.Version)
	dst = le.AppendUint32(dst, uint32(len(r.Blocks)))
	for i := range r.Blocks {
		dst = append(dst, r.Blocks[i].ID[:]...)
		dst = le.AppendUint32(dst, r.Blocks[i].SealedSize)
	}
	dst = le.AppendUint32(dst, uint32(len(r.Sealed)))
	return append(dst, r.Sealed...)
}

func appendVersion(dst []byte, v version.Version) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(v.Clock))
	dst = le.AppendUint64(dst, uint64(v.Author))
	dst = le.AppendUint16(dst, uint16(len(v.Vector)))
	for _, c := range v.Vector {
		dst = le.AppendUint64(dst, uint64(c.Replica))
		dst = le.AppendUint64(dst, c.Count)
	}
	return dst
}

// parseRecord reads what appendRecord wrote, which has passed its checksum. The
// record shares no memory with data. Anything else wraps errBad.
func parseRecord(epoch uint32, data []byte) (*seal.Record, error) {
	b := bytesReader{rest: data}
	r := &seal.Record{Epoch: entry.Epoch(epoch)}
	copy(r.ID[:], b.take(len(r.ID)))
	r.Version = b.version()
	if refs := b.refs(); len(refs) > 0 {
		r.Blocks = make([]seal.BlockRef, len(refs)/refSize)
		for i := range r.Blocks {
			r.Blocks[i].ID = entry.BlockID(refs[i*refSize:])
			r.Blocks[i].SealedSize = binary.LittleEndian.Uint32(refs[i*refSize+32:])
		}
	}
	r.Sealed = append([]byte(nil), b.take(int(b.uint32()))...)
	if b.bad || len(b.rest) > 0 {
		return nil, fmt.Errorf("%w: not the bytes of a record", errBad)
	}
	if err := r.Version.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", errBad, err)
	}
	return r, nil
}

// eachRef calls fn for the blocks that the bytes of a record name.
func eachRef(data []byte, fn func(entry.BlockID)) error {
	b := bytesReader{rest: data}
	b.take(len(seal.RecordID{}) + 16)
	b.take(int(b.uint16()) * counterSize)
	refs := b.refs()
	if b.bad {
		return fmt.Errorf("%w: not the bytes of a record", errBad)
	}
	for ; len(refs) > 0; refs = refs[refSize:] {
		fn(entry.BlockID(refs))
	}
	return nil
}

// bytesReader takes bytes apart. Once there are too few it is bad and reads
// zeros.
type bytesReader struct {
	rest []byte
	bad  bool
}

func (b *bytesReader) take(n int) []byte {
	if n < 0 || n > len(b.rest) {
		b.bad, b.rest = true, nil
		return nil
	}
	out := b.rest[:n:n]
	b.rest = b.rest[n:]
	return out
}

// refs are the references to blocks, after their number.
func (b *bytesReader) refs() []byte {
	n := b.uint32()
	if n > entry.MaxBlocks {
		b.bad, b.rest = true, nil
		return nil
	}
	return b.take(int(n) * refSize)
}

func (b *bytesReader) uint16() uint16 {
	if v := b.take(2); v != nil {
		return binary.LittleEndian.Uint16(v)
	}
	return 0
}

func (b *bytesReader) uint32() uint32 {
	if v := b.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (b *bytesReader) uint64() uint64 {
	if v := b.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (b *bytesReader) version() version.Version {
	v := version.Version{Clock: version.Clock(b.uint64()), Author: version.ReplicaID(b.uint64())}
	n := int(b.uint16())
	counters := b.take(n * counterSize)
	if b.bad || n == 0 {
		return v
	}
	v.Vector = make(version.Vector, n)
	for i := range v.Vector {
		c := counters[i*counterSize:]
		v.Vector[i] = version.Counter{
			Replica: version.ReplicaID(binary.LittleEndian.Uint64(c)), Count: binary.LittleEndian.Uint64(c[8:]),
		}
	}
	return v
}
