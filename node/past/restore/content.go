package restore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/protocol/seal"
)

// buffers hold one block each.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// holds tells whether a file is just the blocks of e, which has its size.
func holds(ctx context.Context, f io.ReaderAt, k *seal.Keys, blocks []entry.Block) (bool, error) {
	p := buffers.Get().(*[]byte)
	defer buffers.Put(p)
	off := int64(0)
	for i := range blocks {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := int(blocks[i].Length)
		*p = slices.Grow((*p)[:0], n)[:n]
		if got, err := f.ReadAt(*p, off); got < n {
			if errors.Is(err, io.EOF) {
				return false, nil
			}
			return false, err
		}
		if k.BlockID(*p) != blocks[i].ID {
			return false, nil
		}
		off += int64(n)
	}
	return true, nil
}

// begins tells whether a file begins with some bytes.
func begins(f io.ReaderAt, want []byte) (bool, error) {
	p := buffers.Get().(*[]byte)
	defer buffers.Put(p)
	n := len(want)
	*p = slices.Grow((*p)[:0], n)[:n]
	if got, err := f.ReadAt(*p, 0); got < n {
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	return bytes.Equal(*p, want), nil
}

// fileHolds tells whether the file at a path of the target, of the size of e, is
// what e says. known is what the index says of the path, if that is asked: it
// spares the reading where the two are of one epoch.
func (r *Restore) fileHolds(ctx context.Context, p entry.Path, known, e *entry.Entry) (bool, error) {
	if known != nil && known.Epoch == e.Epoch {
		return known.SameContent(e), nil
	}
	k := r.Past.Keys[e.Epoch]
	if k == nil {
		return false, past.ErrNoKey
	}
	f, err := r.Target.OpenFile(p)
	if err != nil {
		return false, err
	}
	same, err := holds(ctx, f, k, e.Blocks)
	return same, errors.Join(err, f.Close())
}
