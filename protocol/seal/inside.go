package seal

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
)

// The plaintext of a record's sealed part is padded to a multiple of padTo
// bytes, so that lengths of names do not give a known tree away.
const (
	padTo   = 32
	padMark = 0x80
)

// Bounds of a record's sealed part, in bytes. The longest plaintext is a
// symlink's: path, target, author name and what is unseen at their limits, each
// after at most 3 bytes, 14 bytes of other fields, and the mark.
const (
	minSealed = nonceSize + padTo + tagSize
	maxUnseen = version.MaxReplicas * 7 // bytes of counts up to version.MaxCount
	maxInside = (entry.MaxPath + entry.MaxTarget + entry.MaxAuthorName + maxUnseen + 4*3 + 14 + 1 + padTo - 1) / padTo * padTo
	maxSealed = nonceSize + maxInside + tagSize
)

// inside is the plaintext of the sealed part, padded.
func inside(e *entry.Entry) ([]byte, error) {
	w := &wirepb.SealedEntry{
		Path:       []byte(e.Path),
		Kind:       wirepb.SealedEntry_Kind(e.Kind),
		Mode:       e.Mode,
		Modified:   e.ModTime,
		Size:       uint64(e.Size),
		Target:     []byte(e.Target),
		AuthorName: []byte(e.AuthorName),
		Unseen:     unseenCounts(e),
	}
	if e.Gone != (entry.Digest{}) {
		w.Gone = e.Gone[:]
	}
	// Without maps and unknown fields this has one form, which the golden
	// vectors hold.
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	b = append(b, padMark)
	return append(b, make([]byte, -len(b)&(padTo-1))...), nil
}

// fromInside reads what inside wrote of an entry with this vector. Its errors
// wrap ErrSealed.
func fromInside(b []byte, v version.Vector) (entry.Entry, error) {
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 || b[len(b)-1] != padMark {
		return entry.Entry{}, fmt.Errorf("%w: %w: padding", ErrSealed, ErrRecord)
	}
	var w wirepb.SealedEntry
	if err := proto.Unmarshal(b[:len(b)-1], &w); err != nil {
		// The parser's own words may quote what was sealed.
		return entry.Entry{}, fmt.Errorf("%w: %w: not a message", ErrSealed, ErrRecord)
	}
	if len(w.ProtoReflect().GetUnknown()) > 0 {
		return entry.Entry{}, ErrNewer
	}
	if w.GetKind() < 0 || w.GetKind() > wirepb.SealedEntry_KIND_SYMLINK || w.GetSize() > entry.MaxSize {
		return entry.Entry{}, fmt.Errorf("%w: %w: kind %d of %d bytes", ErrSealed, ErrRecord, w.GetKind(), w.GetSize())
	}
	e := entry.Entry{
		Path:       entry.Path(w.GetPath()),
		Kind:       entry.Kind(w.GetKind()),
		Mode:       w.GetMode(),
		ModTime:    w.GetModified(),
		Size:       int64(w.GetSize()),
		Target:     string(w.GetTarget()),
		AuthorName: string(w.GetAuthorName()),
	}
	var ok bool
	if e.Unseen, ok = unseenVector(w.GetUnseen(), v); !ok {
		return entry.Entry{}, fmt.Errorf("%w: %w: %d counts unseen", ErrSealed, ErrRecord, len(w.GetUnseen()))
	}
	switch len(w.GetGone()) {
	case 0:
	case len(e.Gone):
		e.Gone = entry.Digest(w.GetGone())
	default:
		return entry.Entry{}, fmt.Errorf("%w: %w: digest of %d bytes", ErrSealed, ErrRecord, len(w.GetGone()))
	}
	return e, nil
}
