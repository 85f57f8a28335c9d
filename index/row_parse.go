package index

import (
	"encoding/binary"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// parse reads the row of key. The entry shares no memory with row. It is an
// error that wraps errRow unless append can have written the row.
func (c *rowCodec) parse(key, row []byte) (*entry.Entry, fileNumber, error) {
	h, err := parseHeader(key, row)
	if err != nil {
		return nil, 0, err
	}
	e := &entry.Entry{
		Path: parsePathKey(key), Kind: h.kind, Mode: h.mode, ModTime: h.modTime, Size: h.size,
		Sequence: h.sequence, Unknown: h.unknown, Absent: h.absent, Disk: h.disk,
	}
	r := rowReader{rest: row[headerSize:]}
	e.Epoch = entry.Epoch(r.number(1<<32 - 1))
	e.AuthorName = readName(&r, c.authors, func() string { return r.text(entry.MaxAuthorName) })
	e.Version = c.parseVersion(&r)
	switch h.kind {
	case entry.File:
		e.Blocks = r.blocks(h.size)
	case entry.Symlink:
		e.Target = r.text(entry.MaxTarget)
	case entry.Deleted:
		copy(e.Gone[:], r.bytes(len(e.Gone)))
	case entry.Directory:
	}
	if h.unseen {
		e.Unseen = c.parseUnseen(&r)
	}
	if r.err == nil && len(r.rest) != 0 {
		r.fail("%d bytes too many", len(r.rest))
	}
	if r.err != nil {
		return nil, 0, fmt.Errorf("row %q: %w", key, r.err)
	}
	return e, h.number, nil
}

func (c *rowCodec) parseVersion(r *rowReader) (v version.Version) {
	v.Clock = version.Clock(r.number(uint64(version.MaxClock)))
	n := int(r.number(version.MaxReplicas))
	if n == 0 || r.err != nil {
		return v
	}
	author := int(r.number(uint64(n - 1)))
	if v.Vector = c.parseCounters(r, n); v.Vector != nil {
		v.Author = v.Vector[author].Replica
	}
	return v
}

// parseUnseen reads a vector that a row has only if it is not empty.
func (c *rowCodec) parseUnseen(r *rowReader) version.Vector {
	n := int(r.number(version.MaxReplicas))
	if n == 0 {
		r.fail("nothing that is unseen")
	}
	return c.parseCounters(r, n)
}

func (c *rowCodec) parseCounters(r *rowReader, n int) version.Vector {
	if len(r.rest) < 2*n { // before memory is set aside for it
		r.fail("%d counters in %d bytes", n, len(r.rest))
		return nil
	}
	v := make(version.Vector, n)
	for i := range v {
		v[i].Replica = readName(r, c.replicas, func() version.ReplicaID {
			var b [8]byte
			copy(b[:], r.bytes(8))
			return version.ReplicaID(binary.BigEndian.Uint64(b[:]))
		})
		v[i].Count = r.number(version.MaxCount)
	}
	return v
}

// readName reads a code and finds its name, or has plain read it.
func readName[T comparable](r *rowReader, n *names[T], plain func() T) (v T) {
	code := r.number(maxNames)
	if r.err != nil {
		return v
	}
	if code == 0 {
		return plain()
	}
	v, ok, err := n.value(code)
	if err != nil {
		r.err = err
	} else if !ok {
		r.fail("no name of kind %q has code %d", n.kind, code)
	}
	return v
}

// rowReader takes a row apart. After its first error it reads zeros.
type rowReader struct {
	rest []byte
	err  error
}

func (r *rowReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errRow, fmt.Sprintf(format, args...))
	}
	r.rest = nil
}

func (r *rowReader) number(limit uint64) uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 && uint64(r.rest[0]) <= limit {
		v := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return v
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > limit {
		r.fail("a number above %d, or cut off", limit)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *rowReader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.fail("cut off")
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *rowReader) text(limit uint64) string { return string(r.bytes(int(r.number(limit)))) }

func (r *rowReader) blocks(size int64) []entry.Block {
	n := int(r.number(entry.MaxBlocks))
	ids := r.bytes(n * len(entry.BlockID{}))
	if n == 0 || r.err != nil {
		return nil
	}
	blocks := make([]entry.Block, n)
	for i := range blocks {
		copy(blocks[i].ID[:], ids[i*len(entry.BlockID{}):])
	}
	if n == 1 {
		if size > entry.MaxBlock {
			r.fail("a block of %d bytes", size)
			return nil
		}
		blocks[0].Length = uint32(size)
		return blocks
	}
	for i := range blocks {
		blocks[i].Length = uint32(r.number(entry.MaxBlock))
	}
	return blocks
}
