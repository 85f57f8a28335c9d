package index

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// An entry row is specified in proto/diskpb/index.proto. The functions here
// know it without its last checksum.

// headerSize is the length of what every entry row begins with: all that a
// scan compares, at fixed places.
const headerSize = 48

const (
	kindMask    = 0x07
	unknownFlag = 0x08
	absentFlag  = 0x10
	unseenFlag  = 0x20 // the row ends with a vector of what is unseen
	knownFlags  = kindMask | unknownFlag | absentFlag | unseenFlag
)

// headerSeed is none of a table, or a row cut off behind its header would pass.
var headerSeed = seed("header")

// header is the fixed part of an entry row.
type header struct {
	kind     entry.Kind
	unknown  bool
	absent   bool
	unseen   bool // there is some
	mode     uint32
	sequence entry.Sequence
	number   fileNumber
	size     int64
	modTime  int64
	disk     entry.Disk
}

func headerOf(e *entry.Entry, n fileNumber) header {
	return header{
		kind: e.Kind, unknown: e.Unknown, absent: e.Absent, unseen: len(e.Unseen) > 0,
		mode: e.Mode, sequence: e.Sequence, number: n, size: e.Size, modTime: e.ModTime, disk: e.Disk,
	}
}

func (h *header) append(dst, key []byte) []byte {
	var b [headerSize]byte
	le := binary.LittleEndian
	// Numbers of odd lengths are written whole; the next one overwrites their
	// upper bytes, which are zero.
	le.PutUint64(b[9:], uint64(h.number))
	le.PutUint64(b[14:], uint64(h.size))
	le.PutUint64(b[20:], uint64(h.modTime))
	le.PutUint64(b[28:], h.disk.Inode)
	le.PutUint64(b[36:], uint64(h.disk.ChangeTime))
	var s [8]byte
	le.PutUint64(s[:], uint64(h.sequence))
	copy(b[3:9], s[:6])
	le.PutUint16(b[1:], uint16(h.mode))
	b[0] = h.first()
	sumHeader(b[:], key)
	return append(dst, b[:]...)
}

// first is the byte of the kind and the flags.
func (h *header) first() byte {
	b := byte(h.kind)
	if h.unknown {
		b |= unknownFlag
	}
	if h.absent {
		b |= absentFlag
	}
	if h.unseen {
		b |= unseenFlag
	}
	return b
}

// sumHeader sets the checksum of a header.
func sumHeader(b, key []byte) {
	binary.LittleEndian.PutUint32(b[44:], rowSum(headerSeed, key, b[:44]))
}

// errRow is what decoding a row that was never encoded gives.
var errRow = errors.New("not an entry row")

func parseHeader(key, row []byte) (h header, err error) {
	le := binary.LittleEndian
	if len(row) < headerSize || le.Uint32(row[44:]) != rowSum(headerSeed, key, row[:44]) {
		return h, fmt.Errorf("%w: %q fails the checksum of its header", errRow, key)
	}
	if row[0]&^knownFlags != 0 {
		return h, fmt.Errorf("%w: %q has flags %#x", errRow, key, row[0])
	}
	h.kind, h.unknown = entry.Kind(row[0]&kindMask), row[0]&unknownFlag != 0
	h.absent, h.unseen = row[0]&absentFlag != 0, row[0]&unseenFlag != 0
	if h.kind < entry.Deleted || h.kind > entry.Symlink {
		return h, fmt.Errorf("%w: %q has kind %d", errRow, key, h.kind)
	}
	h.mode = uint32(le.Uint16(row[1:]))
	h.sequence = entry.Sequence(le.Uint64(row[3:]) & (1<<48 - 1))
	h.number = fileNumber(le.Uint64(row[9:]) & maxFileNumber)
	h.size = int64(le.Uint64(row[14:]) & (1<<48 - 1))
	h.modTime = int64(le.Uint64(row[20:]))
	h.disk = entry.Disk{Inode: le.Uint64(row[28:]), ChangeTime: int64(le.Uint64(row[36:]))}
	return h, nil
}

// rowCodec writes and reads entry rows of one folder.
type rowCodec struct {
	replicas *names[version.ReplicaID]
	authors  *names[string]
}

// append appends the row of e, whose key is key.
func (c *rowCodec) append(dst, key []byte, e *entry.Entry, n fileNumber) ([]byte, error) {
	h := headerOf(e, n)
	dst = h.append(dst, key)
	dst = binary.AppendUvarint(dst, uint64(e.Epoch))
	code, err := c.authors.code(e.AuthorName)
	if err != nil {
		return nil, err
	}
	dst = binary.AppendUvarint(dst, code)
	if code == 0 {
		dst = appendText(dst, e.AuthorName)
	}
	if dst, err = c.appendVersion(dst, e.Version); err != nil {
		return nil, err
	}
	switch e.Kind {
	case entry.File:
		dst = appendBlocks(dst, e.Blocks)
	case entry.Symlink:
		dst = appendText(dst, e.Target)
	case entry.Deleted:
		dst = append(dst, e.Gone[:]...)
	case entry.Directory:
	}
	if h.unseen {
		dst = binary.AppendUvarint(dst, uint64(len(e.Unseen)))
		return c.appendCounters(dst, e.Unseen)
	}
	return dst, nil
}

func (c *rowCodec) appendVersion(dst []byte, v version.Version) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(v.Clock))
	dst = binary.AppendUvarint(dst, uint64(len(v.Vector)))
	for i := range v.Vector {
		if v.Vector[i].Replica == v.Author {
			dst = binary.AppendUvarint(dst, uint64(i))
		}
	}
	return c.appendCounters(dst, v.Vector)
}

func (c *rowCodec) appendCounters(dst []byte, v version.Vector) ([]byte, error) {
	for _, counter := range v {
		code, err := c.replicas.code(counter.Replica)
		if err != nil {
			return nil, err
		}
		dst = binary.AppendUvarint(dst, code)
		if code == 0 {
			dst = binary.BigEndian.AppendUint64(dst, uint64(counter.Replica))
		}
		dst = binary.AppendUvarint(dst, counter.Count)
	}
	return dst, nil
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendBlocks(dst []byte, blocks []entry.Block) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(blocks)))
	for i := range blocks {
		dst = append(dst, blocks[i].ID[:]...)
	}
	if len(blocks) == 1 {
		return dst
	}
	for i := range blocks {
		dst = binary.AppendUvarint(dst, uint64(blocks[i].Length))
	}
	return dst
}
