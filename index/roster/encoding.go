package roster

import (
	"encoding/binary"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// domain keeps a signed statement from being anything else that is signed
// with the same key.
const domain = "kith roster statement v1\x00"

// Bytes is what the author signs: the domain, then every field but the
// signature. Numbers are big-endian and of fixed width; texts, lists and the
// payload are preceded by their length in 32 bits. Two different statements
// never have the same bytes.
func (s *Statement) Bytes() []byte { return s.body([]byte(domain)) }

// Encode is the statement as it is stored and sent: a format number, the
// fields as in [Statement.Bytes], the signature.
func (s *Statement) Encode() []byte {
	return appendText(s.body([]byte{encoding}), s.Signature)
}

// encoding numbers the format of Encode.
const encoding = 1

func (s *Statement) body(b []byte) []byte {
	b = append(b, s.Folder[:]...)
	b = append(b, byte(s.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Clock))
	b = appendText(b, s.Author)
	b = appendText(b, s.Subject)
	b = appendText(b, s.Name)
	b = append(b, byte(s.Role))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Rights))
	b = appendText(b, s.Label)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Replica))
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.Knows)))
	for i := range s.Knows {
		b = append(b, s.Knows[i][:]...)
	}
	return appendText(b, s.Payload)
}

func appendText[T ~string | ~[]byte](b []byte, t T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(t))), t...)
}

// Decode reads what [Statement.Encode] wrote, and nothing else: no byte may be
// missing or left over. It checks the bounds of every field, not the
// signature. Its errors wrap [ErrStatement].
func Decode(data []byte) (Statement, error) {
	if len(data) > maxEncoded {
		return Statement{}, fmt.Errorf("%w: %d bytes", ErrStatement, len(data))
	}
	r := reader{rest: data}
	if f := r.take(1); f != nil && f[0] != encoding {
		return Statement{}, fmt.Errorf("%w: format %d", ErrStatement, f[0])
	}
	var s Statement
	copy(s.Folder[:], r.take(len(s.Folder)))
	s.Kind = Kind(r.uint8())
	s.Clock = version.Clock(r.uint64())
	s.Author = entry.DeviceID(r.text(maxDevice))
	s.Subject = entry.DeviceID(r.text(maxDevice))
	s.Name = string(r.text(MaxName))
	s.Role = entry.Role(r.uint8())
	s.Rights = Rights(r.uint32())
	s.Label = string(r.text(MaxLabel))
	s.Replica = version.ReplicaID(r.uint64())
	s.Knows = r.ids()
	s.Payload = r.text(MaxPayload)
	s.Signature = r.text(maxSignature)
	if r.bad || len(r.rest) != 0 {
		return Statement{}, fmt.Errorf("%w: cut short, too long or garbled", ErrStatement)
	}
	if err := s.check(); err != nil {
		return Statement{}, err
	}
	return s, nil
}

// reader takes a statement apart. After a first misfit it is bad, and yields
// only zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text is a fresh copy of a text of at most limit bytes; nil if it is empty.
func (r *reader) text(limit int) []byte {
	n := r.uint32()
	if n > uint32(limit) {
		r.bad = true
		return nil
	}
	return append([]byte(nil), r.take(int(n))...)
}

func (r *reader) ids() []ID {
	n := r.uint32()
	if n > MaxKnows {
		r.bad = true
		return nil
	}
	raw := r.take(int(n) * len(ID{}))
	var ids []ID
	for ; len(raw) > 0; raw = raw[len(ID{}):] {
		ids = append(ids, ID(raw[:len(ID{})]))
	}
	return ids
}
