package past

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/history"
)

// AsOf is the folder as of a moment, as all sources together knew it then, each
// by its own clock. The tree is to be closed. It lacks what its gaps tell of;
// it returns [ErrNoSource] if no source could be asked at all.
func (p *Past) AsOf(ctx context.Context, t time.Time) (*Tree, error) {
	b := newBuilder(p.Spool)
	var seen map[[16]byte]struct{}
	if len(p.Sources) > 1 {
		seen = map[[16]byte]struct{}{}
	}
	var failed error
	gaps, err := p.opening(ctx, func(ctx context.Context, s Source, each func(history.Held) error) error {
		return s.AsOf(ctx, t, each)
	}, func(h history.Held, e *entry.Entry) {
		if seen != nil {
			// The clear fields are bound to what is sealed.
			sum := sha256.Sum256(h.Record.Sealed)
			half := [16]byte(sum[:])
			if _, again := seen[half]; again {
				return
			}
			seen[half] = struct{}{}
		}
		if failed == nil {
			failed = b.add(e)
		}
	})
	if err == nil {
		err = failed
	}
	var tree *Tree
	if err == nil {
		tree, err = b.tree()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the folder as of %s: %w", t.UTC().Format(time.RFC3339), err), b.slab.spool.close())
	}
	tree.Gaps = gaps
	return tree, nil
}

// NewTree is the tree that entries make up, in any order: as of now, if they are
// all of an index. Entries of unknown history take part in it, and what is
// absent here too. It is to be closed; spool is as in [Past].
func NewTree(entries iter.Seq2[*entry.Entry, error], spool string) (*Tree, error) {
	b := newBuilder(spool)
	for e, err := range entries {
		if err == nil {
			err = b.add(e)
		}
		if err != nil {
			return nil, errors.Join(err, b.slab.spool.close())
		}
	}
	t, err := b.tree()
	if err != nil {
		err = errors.Join(err, b.slab.spool.close())
	}
	return t, err
}
