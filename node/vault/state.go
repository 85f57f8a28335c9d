package vault

import (
	"encoding/binary"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
)

// state is the row of what the index knows of the whole vault.
type state struct {
	folder  entry.FolderID
	vault   ID
	marker  marker
	head    uint64 // the last sequence number
	moment  moment // the last one that was given out
	thinned moment // from here on every moment can be restored
	next    packID // the next pack

	counts counts
	marks  uint64
	scrub  scrubbing
	sum    uint64 // of the checksums of all rows in the tables
}

// counts are what [Totals] tells.
type counts struct {
	blocks     uint64 // IDs
	variants   uint64
	blockBytes uint64
	records    uint64 // IDs
	versions   uint64
	damaged    uint64
	pins       uint64
}

// scrubbing is where the scrub stands.
type scrubbing struct {
	at    location
	began moment // when this round began
	done  moment // when the last one ended
}

const (
	stateFormat = 1
	stateSize   = 4 + 16 + 16 + 8 + 3*8 + 4 + 7*8 + 8 + locationSize + 2*8 + 8
)

func (s *state) append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, stateFormat)
	dst = append(dst, s.folder[:]...)
	dst = append(dst, s.vault[:]...)
	dst = append(dst, s.marker[:]...)
	dst = le.AppendUint64(dst, s.head)
	dst = le.AppendUint64(dst, uint64(s.moment))
	dst = le.AppendUint64(dst, uint64(s.thinned))
	dst = le.AppendUint32(dst, uint32(s.next))
	c := s.counts
	for _, n := range []uint64{c.blocks, c.variants, c.blockBytes, c.records, c.versions, c.damaged, c.pins, s.marks} {
		dst = le.AppendUint64(dst, n)
	}
	dst = s.scrub.at.append(dst)
	dst = le.AppendUint64(dst, uint64(s.scrub.began))
	dst = le.AppendUint64(dst, uint64(s.scrub.done))
	return le.AppendUint64(dst, s.sum)
}

func parseState(row []byte) (s state, err error) {
	b := bytesReader{rest: row}
	if format := b.uint32(); !b.bad && format > stateFormat {
		return s, fmt.Errorf("an index of format %d: %w", format, ErrVersion)
	}
	if len(row) != stateSize {
		return s, fmt.Errorf("%w: a state of %d bytes", ErrIndex, len(row))
	}
	copy(s.folder[:], b.take(16))
	copy(s.vault[:], b.take(16))
	copy(s.marker[:], b.take(8))
	s.head, s.moment, s.thinned = b.uint64(), moment(b.uint64()), moment(b.uint64())
	s.next = packID(b.uint32())
	c := &s.counts
	for _, n := range []*uint64{&c.blocks, &c.variants, &c.blockBytes, &c.records, &c.versions, &c.damaged, &c.pins, &s.marks} {
		*n = b.uint64()
	}
	s.scrub.at = parseLocation(b.take(locationSize))
	s.scrub.began, s.scrub.done = moment(b.uint64()), moment(b.uint64())
	s.sum = b.uint64()
	return s, nil
}

// begunBy takes over what was known when a pack was begun.
func (s *state) begunBy(h *header) {
	s.next = max(s.next, h.number+1)
	s.head, s.moment, s.thinned = max(s.head, h.head), max(s.moment, h.moment), max(s.thinned, h.thinned)
}
