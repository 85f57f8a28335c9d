package past

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// slab holds entries in a compact form: a few large pieces of memory without
// pointers, whatever their number. Block lists that are not short go to a spool.
// Of an entry it leaves out what a moment does not need: what is local, and
// what was unseen.
type slab struct {
	chunks   [][]byte
	spool    spool
	names    interned[string]
	replicas interned[version.ReplicaID]
	scratch  []byte
}

// ref is where an entry lies: the number of its chunk, and the offset in it.
type ref uint64

const (
	chunkBits = 20
	chunkSize = 1 << chunkBits
	// shortList is how many blocks lie with the entry.
	shortList = 4
)

// interned gives numbers to values of which there are few.
type interned[T comparable] struct {
	values  []T
	numbers map[T]uint64
}

func (n *interned[T]) number(v T) uint64 {
	if i, ok := n.numbers[v]; ok {
		return i
	}
	if n.numbers == nil {
		n.numbers = map[T]uint64{}
	}
	i := uint64(len(n.values))
	n.values = append(n.values, v)
	n.numbers[v] = i
	return i
}

// add puts an entry into the slab. Memory of e may be used again.
func (s *slab) add(e *entry.Entry) (ref, error) {
	b := binary.AppendUvarint(s.scratch[:0], uint64(len(e.Path)))
	b = append(b, e.Path...)
	b = append(b, byte(e.Kind))
	b = binary.AppendUvarint(b, uint64(e.Mode))
	b = binary.AppendVarint(b, e.ModTime)
	b = binary.AppendUvarint(b, uint64(e.Size)) //nolint:gosec // never negative
	b = binary.AppendUvarint(b, uint64(e.Epoch))
	b = s.appendVersion(b, e)
	b = binary.AppendUvarint(b, uint64(len(e.Target)))
	b = append(b, e.Target...)
	if e.Kind == entry.Deleted {
		b = append(b, e.Gone[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Blocks)))
	if len(e.Blocks) <= shortList {
		b = appendBlocks(b, e.Blocks)
	} else {
		at, err := s.spool.add(e.Blocks)
		if err != nil {
			return 0, fmt.Errorf("note the blocks of %q: %w", e.Path, err)
		}
		b = binary.AppendUvarint(b, at)
	}
	s.scratch = b
	return s.put(b), nil
}

func (s *slab) appendVersion(b []byte, e *entry.Entry) []byte {
	b = binary.AppendUvarint(b, s.names.number(e.AuthorName))
	b = binary.AppendUvarint(b, uint64(e.Version.Clock))
	b = binary.AppendUvarint(b, s.replicas.number(e.Version.Author))
	b = binary.AppendUvarint(b, uint64(len(e.Version.Vector)))
	for _, c := range e.Version.Vector {
		b = binary.AppendUvarint(b, s.replicas.number(c.Replica))
		b = binary.AppendUvarint(b, c.Count)
	}
	return b
}

func appendBlocks(b []byte, blocks []entry.Block) []byte {
	for i := range blocks {
		b = append(b, blocks[i].ID[:]...)
		b = binary.LittleEndian.AppendUint32(b, blocks[i].Length)
	}
	return b
}

// put copies bytes into a chunk. Chunks grow no more once they are made, so what
// lies in them stays where it is.
func (s *slab) put(b []byte) ref {
	n := len(s.chunks)
	if n == 0 || cap(s.chunks[n-1])-len(s.chunks[n-1]) < len(b) {
		s.chunks = append(s.chunks, make([]byte, 0, max(chunkSize, len(b))))
		n++
	}
	at := len(s.chunks[n-1])
	s.chunks[n-1] = append(s.chunks[n-1], b...)
	return ref(n-1)<<chunkBits | ref(at) //nolint:gosec // within a chunk
}

func (s *slab) bytes(r ref) []byte { return s.chunks[r>>chunkBits][r&(chunkSize-1):] }

// path is that of an entry. It shares the chunk's memory, which never changes.
func (s *slab) path(r ref) entry.Path {
	b := s.bytes(r)
	n, k := binary.Uvarint(b)
	return entry.Path(unsafe.String(unsafe.SliceData(b[k:]), n))
}

// kind is that of an entry.
func (s *slab) kind(r ref) entry.Kind {
	b := s.bytes(r)
	n, k := binary.Uvarint(b)
	return entry.Kind(b[k+int(n)]) //nolint:gosec // the length of a path
}

// get is the entry that lies at r; without its blocks if they are not asked for.
func (s *slab) get(r ref, blocks bool) (*entry.Entry, error) {
	d := reader{b: s.bytes(r)}
	e := &entry.Entry{Path: entry.Path(d.take(d.number()))}
	e.Kind = entry.Kind(d.take(1)[0])
	e.Mode = uint32(d.number()) //nolint:gosec // as it was put
	e.ModTime = d.signed()
	e.Size = int64(d.number())        //nolint:gosec // as it was put
	e.Epoch = entry.Epoch(d.number()) //nolint:gosec // as it was put
	e.AuthorName = s.names.values[d.number()]
	e.Version.Clock = version.Clock(d.number())
	e.Version.Author = s.replicas.values[d.number()]
	if n := d.number(); n > 0 {
		e.Version.Vector = make(version.Vector, n)
		for i := range e.Version.Vector {
			e.Version.Vector[i] = version.Counter{Replica: s.replicas.values[d.number()], Count: d.number()}
		}
	}
	e.Target = string(d.take(d.number()))
	if e.Kind == entry.Deleted {
		copy(e.Gone[:], d.take(uint64(len(e.Gone))))
	}
	if !blocks {
		return e, nil
	}
	var err error
	switch n := d.number(); {
	case n == 0:
	case n <= shortList:
		e.Blocks = parseBlocks(d.take(n * blockSize))
	default:
		e.Blocks, err = s.spool.get(d.number(), n)
	}
	return e, err
}

const blockSize = 32 + 4

func parseBlocks(b []byte) []entry.Block {
	out := make([]entry.Block, len(b)/blockSize)
	for i := range out {
		copy(out[i].ID[:], b[i*blockSize:])
		out[i].Length = binary.LittleEndian.Uint32(b[i*blockSize+32:])
	}
	return out
}

// reader reads what add has written; it needs no checks.
type reader struct{ b []byte }

func (d *reader) number() uint64 {
	v, n := binary.Uvarint(d.b)
	d.b = d.b[n:]
	return v
}

func (d *reader) signed() int64 {
	v, n := binary.Varint(d.b)
	d.b = d.b[n:]
	return v
}

func (d *reader) take(n uint64) []byte {
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}
