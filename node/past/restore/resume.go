package restore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// stagedAs names what is staged after what it is to become and where, so that a
// later run finds it again, whatever else is restored with it.
func stagedAs(at entry.Path, e *entry.Entry) string {
	content := e.Digest()
	h := sha256.New()
	_, _ = h.Write(content[:])
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(e.Epoch)))
	_, _ = h.Write([]byte(at))
	return StagedPrefix + hex.EncodeToString(h.Sum(nil)[:16])
}

// resume takes over what an earlier run has staged of a file, and tells which of
// its blocks are there: nothing is known of it but what it reads.
func (j *job) resume(ctx context.Context) (had []bool, err error) {
	k := j.run.fetcher.keys[j.entry.Epoch]
	if k == nil {
		return nil, nil
	}
	s, err := j.run.Target.Reopen(j.name)
	if s == nil || err != nil {
		return nil, nil //nolint:nilerr // it is staged anew
	}
	p := buffers.Get().(*[]byte)
	defer buffers.Put(p)
	off, bytes, missing := int64(0), int64(0), int64(0)
	had = make([]bool, len(j.entry.Blocks))
	for i, b := range j.entry.Blocks {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, s.Discard(true))
		}
		n := int(b.Length)
		*p = slices.Grow((*p)[:0], n)[:n]
		if got, _ := s.ReadAt(*p, off); got == n && k.BlockID(*p) == b.ID { // what cannot be read is fetched
			had[i] = true
			bytes += int64(n)
		} else {
			missing++
		}
		off += int64(n)
	}
	*p = slices.Grow((*p)[:0], 1)[:1]
	if more, _ := s.ReadAt(*p, off); more > 0 {
		return nil, s.Discard(false) // no restore has made it
	}
	j.hold(s)
	j.remaining.Store(missing)
	j.run.tell(false, func(p *Progress) { p.Bytes += bytes })
	return had, nil
}

// away marks the loss of a block that may be had another time.
type away struct{ error }

func (a away) Unwrap() error { return a.error }

// maybeLater tells whether what a job has staged is of use to a later run.
func maybeLater(err error) bool {
	_, ok := errors.AsType[away](err)
	return ok
}
