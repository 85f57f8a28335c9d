package index

import (
	"cmp"
	"encoding/binary"
	"errors"
)

// pair is two numbers, the first of which is looked up.
type pair struct{ a, b uint64 }

func (p pair) compare(o pair) int { return cmp.Or(cmp.Compare(p.a, o.a), cmp.Compare(p.b, o.b)) }

const pairKeySize = 16

func (p pair) key() []byte {
	b := make([]byte, 0, pairKeySize)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, p.a), p.b)
}

var errSegment = errors.New("not a segment of pairs")

func parsePairKey(key []byte) (pair, error) {
	if len(key) != pairKeySize {
		return pair{}, errSegment
	}
	return pair{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])}, nil
}

// appendSegment appends pairs, which ascend and are not below key.
func appendSegment(dst []byte, key pair, pairs []pair) []byte {
	for _, p := range pairs {
		dst = binary.AppendUvarint(dst, p.a-key.a)
		dst = binary.AppendVarint(dst, int64(p.b-key.b))
		key = p
	}
	return dst
}

// parseSegment appends the pairs of a segment to dst. It accepts only what
// ascends, so that damage cannot make a search miss.
func parseSegment(dst []pair, key pair, row []byte) ([]pair, error) {
	for first := true; len(row) > 0; first = false {
		a, n := binary.Uvarint(row)
		if n <= 0 {
			return nil, errSegment
		}
		b, m := binary.Varint(row[n:])
		if m <= 0 {
			return nil, errSegment
		}
		p := pair{key.a + a, key.b + uint64(b)}
		if order := key.compare(p); order > 0 || order == 0 && !first {
			return nil, errSegment
		}
		dst = append(dst, p)
		key = p
		row = row[n+m:]
	}
	return dst, nil
}

// change adds a pair or takes it away.
type change struct {
	pair
	add bool
}

// applyChanges appends to dst what becomes of pairs; both lists ascend.
func applyChanges(dst, pairs []pair, changes []change) []pair {
	for _, c := range changes {
		i := 0
		for i < len(pairs) && pairs[i].compare(c.pair) < 0 {
			i++
		}
		dst = append(dst, pairs[:i]...)
		if pairs = pairs[i:]; len(pairs) > 0 && pairs[0] == c.pair {
			pairs = pairs[1:]
		}
		if c.add {
			dst = append(dst, c.pair)
		}
	}
	return append(dst, pairs...)
}
