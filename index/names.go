package index

import (
	"encoding/binary"
)

// maxNames bounds the codes of one kind: a peer that invents names makes rows
// longer, not this table.
const maxNames = 4096

// names gives short codes to values that return in many rows. Within a
// transaction it remembers those it has met.
type names[T comparable] struct {
	kind   byte
	rows   *table  // nil: codes live in memory only
	used   *uint64 // codes given out, part of the folder's state
	encode func(T) []byte
	decode func([]byte) (T, bool)

	codes  map[T]uint64
	values map[uint64]T
}

// code is the code of v, or 0 if v has none and must be written out.
func (n *names[T]) code(v T) (uint64, error) {
	if c, ok := n.codes[v]; ok {
		return c, nil
	}
	c, err := n.find(v)
	if err != nil {
		return 0, err
	}
	if c == 0 {
		if *n.used >= maxNames {
			return 0, nil
		}
		c = *n.used + 1
		if err := n.write(c, v); err != nil {
			return 0, err
		}
		*n.used = c
	}
	n.remember(c, v)
	return c, nil
}

// value is what code stands for; ok is false if it stands for nothing.
func (n *names[T]) value(code uint64) (v T, ok bool, err error) {
	if v, ok = n.values[code]; ok || n.rows == nil || code > maxNames {
		return v, ok, nil
	}
	row, err := n.rows.get(n.codeKey(code))
	if err != nil || row == nil {
		return v, false, err
	}
	if v, ok = n.decode(row); ok {
		n.remember(code, v)
	}
	return v, ok, nil
}

func (n *names[T]) find(v T) (uint64, error) {
	if n.rows == nil {
		return 0, nil
	}
	row, err := n.rows.get(n.valueKey(v))
	if err != nil || row == nil {
		return 0, err
	}
	if len(row) != 4 {
		return 0, n.rows.tx.damaged("a name's code of %d bytes", len(row))
	}
	return uint64(binary.BigEndian.Uint32(row)), nil
}

func (n *names[T]) write(code uint64, v T) error {
	if n.rows == nil {
		return nil
	}
	if err := n.rows.put(n.codeKey(code), n.encode(v)); err != nil {
		return err
	}
	return n.rows.put(n.valueKey(v), binary.BigEndian.AppendUint32(nil, uint32(code)))
}

func (n *names[T]) codeKey(code uint64) []byte {
	return binary.BigEndian.AppendUint32([]byte{n.kind, 'c'}, uint32(code))
}

func (n *names[T]) valueKey(v T) []byte { return append([]byte{n.kind, 'v'}, n.encode(v)...) }

func (n *names[T]) remember(code uint64, v T) {
	if n.codes == nil {
		n.codes, n.values = make(map[T]uint64), make(map[uint64]T)
	}
	n.codes[v], n.values[code] = code, v
}
