package vault

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

// Rows of the index are specified in the package comment. Numbers in keys are
// big-endian, those in values little-endian.

// moment is an instant of the vault's clock, in microseconds since 1970.
type moment int64

func momentOf(t time.Time) moment {
	if t.After(time.UnixMicro(maxMoment)) {
		return maxMoment
	}
	return moment(max(0, t.UnixMicro()))
}

// maxMoment is later than all.
const maxMoment = 1 << 62

func (m moment) time() time.Time { return time.UnixMicro(int64(m)) }

// giver is a device in the rows and entries of one vault; 0 is none.
type giver uint16

// packID numbers the packs of a vault, from 1. No number is used twice.
type packID uint32

func (p packID) String() string { return fmt.Sprintf("%08x", uint32(p)) }

func (p packID) key() []byte { return binary.BigEndian.AppendUint32(nil, uint32(p)) }

// shortSum is the part of a BLAKE3 sum that the index keeps.
type shortSum [16]byte

// flagBad marks in a row that the bytes on disk are damaged.
const flagBad = 1

// variant is one sealed form of a block.
type variant struct {
	at     location
	length uint32
	epoch  entry.Epoch
	giver  giver
	bad    bool
	sum    shortSum
}

const variantSize = locationSize + 4 + 4 + 2 + 1 + 16

func (v *variant) size() int64 { return headSize + int64(v.length) }

func appendVariants(dst []byte, vs []variant) []byte {
	le := binary.LittleEndian
	for i := range vs {
		v := &vs[i]
		dst = v.at.append(dst)
		dst = le.AppendUint32(dst, v.length)
		dst = le.AppendUint32(dst, uint32(v.epoch))
		dst = le.AppendUint16(dst, uint16(v.giver))
		dst = append(dst, flags(v.bad))
		dst = append(dst, v.sum[:]...)
	}
	return dst
}

func parseVariants(row []byte) ([]variant, error) {
	if len(row)%variantSize != 0 || len(row) == 0 {
		return nil, fmt.Errorf("%w: a block row of %d bytes", ErrIndex, len(row))
	}
	le := binary.LittleEndian
	vs := make([]variant, len(row)/variantSize)
	for i := range vs {
		b := row[i*variantSize:]
		vs[i] = variant{
			at: parseLocation(b), length: le.Uint32(b[8:]), epoch: entry.Epoch(le.Uint32(b[12:])),
			giver: giver(le.Uint16(b[16:])), bad: b[18]&flagBad != 0, sum: shortSum(b[19:]),
		}
	}
	return vs, nil
}

func flags(bad bool) byte {
	if bad {
		return flagBad
	}
	return 0
}

// recordKey names one version of a record: its ID and the beginning of the
// BLAKE3 sum of its bytes.
type recordKey [32]byte

func keyOf(id seal.RecordID, sum [32]byte) (k recordKey) {
	copy(k[:], id[:])
	copy(k[16:], sum[:])
	return k
}

func (k recordKey) id() seal.RecordID { return seal.RecordID(k[:16]) }

// recordRow is one version of a record.
type recordRow struct {
	sequence uint64
	received moment
	at       location
	length   uint32
	epoch    entry.Epoch
	giver    giver
	bad      bool
	version  version.Version
}

func (r *recordRow) size() int64 { return headSize + int64(r.length) }

func (r *recordRow) append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, r.sequence)
	dst = le.AppendUint64(dst, uint64(r.received))
	dst = r.at.append(dst)
	dst = le.AppendUint32(dst, r.length)
	dst = le.AppendUint32(dst, uint32(r.epoch))
	dst = le.AppendUint16(dst, uint16(r.giver))
	dst = append(dst, flags(r.bad))
	return appendVersion(dst, r.version)
}

func parseRecordRow(row []byte) (r recordRow, err error) {
	b := bytesReader{rest: row}
	r.sequence, r.received = b.uint64(), moment(b.uint64())
	if at := b.take(locationSize); at != nil {
		r.at = parseLocation(at)
	}
	r.length, r.epoch, r.giver = b.uint32(), entry.Epoch(b.uint32()), giver(b.uint16())
	if f := b.take(1); f != nil {
		r.bad = f[0]&flagBad != 0
	}
	r.version = b.version()
	if b.bad || len(b.rest) > 0 {
		return r, fmt.Errorf("%w: a record row of %d bytes", ErrIndex, len(row))
	}
	return r, nil
}

// packRow is what the index knows of a pack.
type packRow struct {
	class   class
	retired bool  // its file is to be removed
	stowed  bool  // all of it lies in the store
	put     bool  // it was begun to be put there, and may lie there
	length  int64 // bytes that are known; what lies behind was never committed
	dead    int64 // of these, in entries that were dropped
}

// leaves tells whether nothing in a pack counts, and it only waits for the store
// to be rid of it.
func (p packRow) leaves() bool { return p.retired && p.isFar() }

// isFar tells whether a pack lies in the store, as far as is known.
func (p packRow) isFar() bool { return p.stowed || p.put }

const (
	packRetired = 1
	packStowed  = 2
	packPut     = 4
)

func (p packRow) append(dst []byte) []byte {
	dst = append(dst, byte(p.class), 0)
	if p.retired {
		dst[len(dst)-1] |= packRetired
	}
	if p.stowed {
		dst[len(dst)-1] |= packStowed
	}
	if p.put {
		dst[len(dst)-1] |= packPut
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(p.length))
	return binary.LittleEndian.AppendUint32(dst, uint32(p.dead))
}

func parsePackRow(row []byte) (p packRow, err error) {
	if len(row) != 10 || class(row[0]) != classBlocks && class(row[0]) != classRecords {
		return p, fmt.Errorf("%w: a pack row of %d bytes", ErrIndex, len(row))
	}
	return packRow{
		class: class(row[0]), retired: row[1]&packRetired != 0, stowed: row[1]&packStowed != 0, put: row[1]&packPut != 0,
		length: int64(binary.LittleEndian.Uint32(row[2:])), dead: int64(binary.LittleEndian.Uint32(row[6:])),
	}, nil
}
