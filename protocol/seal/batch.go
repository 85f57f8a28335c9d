package seal

import (
	"encoding/binary"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
)

// Bounds of a batch. They leave a message of 16 MiB room for what else is said
// of the entries.
const (
	MaxBatch       = 4096              // entries
	MaxSealedBatch = 16<<20 - 64<<10   // bytes
	maxPart        = entry.MaxBlock    // bytes of each part, as decompress holds it to
	maxCounters    = 1 << 18           // of all vectors of a batch
	maxBatchBlocks = maxPart / idBytes // of all files of a batch
	minSealedBatch = 1 + nonceSize + tagSize
)

const (
	batchFormat  = 1
	unseenFormat = 2 // of a batch that has a column of what is unseen
	idBytes      = len(entry.BlockID{})
	// compressedPart marks, in the length of a part, that it is a zstd frame.
	compressedPart = 1
)

// Opened is one entry of a batch that was opened.
type Opened struct {
	Entry entry.Entry // zero if Err is not nil; its local fields are zero
	// Err is why the entry is refused: it wraps [ErrSealed] and [ErrRecord].
	Err error
}

// SealBatch seals entries that are of the keys' epoch together, for a device
// that holds the key as well: in far fewer bytes than as records, and without
// the clear fields that make a record useful to others. Order is kept, local
// fields are not.
//
// It refuses all if one is to be refused: with [ErrUnknown], [ErrWrongEpoch]
// and [ErrRecord] as [Keys.SealRecord] does. It returns [ErrTooMany] for more
// than one batch can hold, and [ErrBatch] for none. Up to [MaxBatch] entries
// fit, unless they hold some 450,000 blocks, 262,144 counters or 16 MiB of
// paths and targets between them; who gets ErrTooMany seals them in halves.
func (k *Keys) SealBatch(entries []*entry.Entry) ([]byte, error) {
	for _, e := range entries {
		if err := k.sealable(e); err != nil {
			return nil, fmt.Errorf("seal %q: %w", e.Path, err)
		}
	}
	out, err := k.sealBatch(entries)
	if err != nil {
		return nil, fmt.Errorf("seal a batch of %d entries: %w", len(entries), err)
	}
	return out, nil
}

func (k *Keys) sealBatch(entries []*entry.Entry) ([]byte, error) {
	if err := fitsBatch(entries); err != nil {
		return nil, err
	}
	columns, noise := batchInside(entries)
	if len(columns) > maxPart || len(noise) > maxPart {
		return nil, fmt.Errorf("%w: %d and %d bytes", ErrTooMany, len(columns), len(noise))
	}
	out := k.sealParts(formatOf(entries), columns, noise)
	if len(out) > MaxSealedBatch {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooMany, len(out))
	}
	return out, nil
}

func fitsBatch(entries []*entry.Entry) error {
	var counters, blocks int
	for _, e := range entries {
		counters += len(e.Version.Vector)
		blocks += len(e.Blocks)
	}
	switch {
	case len(entries) == 0:
		return fmt.Errorf("%w: no entry", ErrBatch)
	case len(entries) > MaxBatch || counters > maxCounters || blocks > maxBatchBlocks:
		return fmt.Errorf("%w: %d counters, %d blocks", ErrTooMany, counters, blocks)
	}
	return nil
}

// formatOf is the format of a batch: the first, which every device reads, if
// that has all that is to be said.
func formatOf(entries []*entry.Entry) byte {
	for _, e := range entries {
		if len(e.Unseen) > 0 {
			return unseenFormat
		}
	}
	return batchFormat
}

// sealParts seals what batchInside has laid out.
func (k *Keys) sealParts(format byte, columns, noise []byte) []byte {
	plain := make([]byte, 0, len(columns)/2+len(noise)+64)
	plain = appendPart(plain, columns)
	plain = appendPart(plain, noise)
	return k.sealPlain(format, plain)
}

// sealPlain seals both parts. Their bytes as they are now, compressed or not,
// decide the nonce: two programs may compress differently.
func (k *Keys) sealPlain(format byte, plain []byte) []byte {
	bound := k.batchBinding(format)
	nonce := k.batchNonce.of(bound, plain)
	out := make([]byte, 0, minSealedBatch+len(plain))
	out = append(out, format)
	out = append(out, nonce[:nonceSize]...)
	return k.batch.Seal(out, nonce[:nonceSize], plain, bound)
}

// OpenBatch opens a batch, and returns its entries in the order in which they
// were sealed. An entry that no device could have made is refused in its
// place and holds up no other.
//
// It fails, and returns nothing, only where there are no entries to be told
// apart. Its errors wrap [ErrSealed], and [ErrTampered], [ErrNewer] or
// [ErrBatch] where they apply. sealed may be of any origin, and is left as it
// is; the entries have no memory in common with it.
func (k *Keys) OpenBatch(sealed []byte) ([]Opened, error) {
	entries, err := k.openBatch(sealed)
	if err != nil {
		return nil, fmt.Errorf("open a batch of %d bytes: %w", len(sealed), err)
	}
	out := make([]Opened, len(entries))
	for i := range entries {
		e := &entries[i]
		e.Epoch = k.epoch
		if err := check(e); err != nil {
			out[i].Err = fmt.Errorf("open entry %d of a batch, %q: %w: %w", i, e.Path, ErrSealed, err)
			continue
		}
		out[i].Entry = *e
	}
	return out, nil
}

func (k *Keys) openBatch(sealed []byte) ([]entry.Entry, error) {
	if len(sealed) < minSealedBatch || len(sealed) > MaxSealedBatch {
		return nil, fmt.Errorf("%w: %w: its length", ErrSealed, ErrBatch)
	}
	plain, err := k.batch.Open(nil, sealed[1:1+nonceSize], sealed[1+nonceSize:], k.batchBinding(sealed[0]))
	if err != nil {
		return nil, ErrTampered
	}
	// Only now is the format known to be what the sealer wrote.
	if sealed[0] != batchFormat && sealed[0] != unseenFormat {
		return nil, fmt.Errorf("%w: batch of format %d", ErrNewer, sealed[0])
	}
	columns, plain, err := cutPart(plain)
	if err != nil {
		return nil, err
	}
	noise, plain, err := cutPart(plain)
	if err != nil {
		return nil, err
	}
	if len(plain) > 0 {
		return nil, fmt.Errorf("%w: %w: %d bytes too many", ErrSealed, ErrBatch, len(plain))
	}
	return fromBatchInside(sealed[0], columns, noise)
}

// batchBinding is what a batch is bound to, beside its bytes.
func (k *Keys) batchBinding(format byte) []byte {
	b := make([]byte, 0, len("batch")+1+len(k.folder)+4)
	b = append(b, "batch"...)
	b = append(b, format)
	b = append(b, k.folder[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(k.epoch))
}

// appendPart appends b after its length, as it is or compressed, whichever is
// shorter.
func appendPart(dst, b []byte) []byte {
	if len(b) >= minCompressed {
		frame := frames.Get().(*[]byte)
		defer frames.Put(frame)
		*frame = compress((*frame)[:0], b)
		if len(*frame) < len(b) {
			dst = binary.AppendUvarint(dst, uint64(len(*frame))<<1|compressedPart)
			return append(dst, *frame...)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(b))<<1)
	return append(dst, b...)
}

// cutPart reads what appendPart wrote, and returns what follows it too. A part
// that is not compressed stays where it lies.
func cutPart(b []byte) (part, rest []byte, err error) {
	head, n := binary.Uvarint(b)
	if n <= 0 || head>>1 > uint64(len(b)-n) {
		return nil, nil, fmt.Errorf("%w: %w: length of a part", ErrSealed, ErrBatch)
	}
	b = b[n:]
	part, rest = b[:head>>1], b[head>>1:]
	if head&compressedPart == 0 {
		return part, rest, nil
	}
	if part, err = decompress(nil, part); err != nil {
		return nil, nil, fmt.Errorf("%w: %w: decompress: %w", ErrSealed, ErrBatch, err)
	}
	return part, rest, nil
}
