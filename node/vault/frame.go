package vault

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/zeebo/blake3"
)

// Entries of packs are specified in the package comment.

// kind is what an entry of a pack is.
type kind uint8

const (
	kindBlock  kind = 1
	kindRecord kind = 2
	kindPin    kind = 3
	kindDrop   kind = 4
	kindRetire kind = 5
	kindGiver  kind = 6
)

func (k kind) String() string {
	switch k {
	case kindBlock:
		return "block"
	case kindRecord:
		return "record"
	case kindPin:
		return "pin"
	case kindDrop:
		return "drop"
	case kindRetire:
		return "retire"
	case kindGiver:
		return "giver"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// class is which packs a kind lies in: blocks have packs of their own, so that
// all records can be read without them.
func (k kind) class() class {
	if k == kindBlock {
		return classBlocks
	}
	return classRecords
}

// headSize is how many bytes of an entry come before its data.
const headSize = 104

// marker is what the entries of one vault begin with. It is random and told
// nobody, so that no device can seal bytes that pass for entries where a search
// for them goes through damaged parts of a pack.
type marker [8]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// head is the fixed part of an entry.
type head struct {
	kind     kind
	giver    giver
	epoch    uint32
	length   uint32 // of the data
	sequence uint64
	received moment
	name     [32]byte
	sum      [32]byte // BLAKE3 of the data
}

// size is that of the whole entry.
func (h *head) size() int64 { return headSize + int64(h.length) }

func (h *head) append(dst []byte, m marker) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = append(dst, m[:]...)
	dst = append(dst, byte(h.kind), 0)
	dst = le.AppendUint16(dst, uint16(h.giver))
	dst = le.AppendUint32(dst, h.epoch)
	dst = le.AppendUint32(dst, h.length)
	dst = le.AppendUint64(dst, h.sequence)
	dst = le.AppendUint64(dst, uint64(h.received))
	dst = append(dst, h.name[:]...)
	dst = append(dst, h.sum[:]...)
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseHead reads what append wrote; anything else wraps errBad.
func parseHead(b []byte, m marker) (h head, err error) {
	le := binary.LittleEndian
	if len(b) < headSize || marker(b[:8]) != m {
		return h, fmt.Errorf("%w: no entry begins here", errBad)
	}
	if crc32.Checksum(b[:headSize-4], castagnoli) != le.Uint32(b[headSize-4:]) {
		return h, fmt.Errorf("%w: the head of an entry fails its checksum", errBad)
	}
	h = head{
		kind: kind(b[8]), giver: giver(le.Uint16(b[10:])), epoch: le.Uint32(b[12:]), length: le.Uint32(b[16:]),
		sequence: le.Uint64(b[20:]), received: moment(le.Uint64(b[28:])),
		name: [32]byte(b[36:]), sum: [32]byte(b[68:]),
	}
	if h.kind < kindBlock || h.kind > kindGiver || b[9] != 0 || h.length > maxData {
		return head{}, fmt.Errorf("%w: an entry of kind %d and %d bytes", errBad, b[8], h.length)
	}
	return h, nil
}

// holds tells whether data is what the head was made for.
func (h *head) holds(data []byte) bool {
	return len(data) == int(h.length) && blake3.Sum256(data) == h.sum
}

// location is where an entry begins.
type location struct {
	pack   packID
	offset uint32
}

const locationSize = 8

func (l location) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(l.pack))
	return binary.LittleEndian.AppendUint32(dst, l.offset)
}

func parseLocation(b []byte) location {
	return location{packID(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:])}
}

func (l location) String() string { return fmt.Sprintf("%s:%d", l.pack, l.offset) }
