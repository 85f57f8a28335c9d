package vault

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// blockSet is a set of blocks, by the first eight bytes of their IDs. Among ten
// million blocks one in two hundred billion is taken to be in it that is not.
type blockSet struct{ pile[uint64] }

func (s *blockSet) add(id entry.BlockID) { s.put(binary.BigEndian.Uint64(id[:])) }

func (s *blockSet) has(id entry.BlockID) bool {
	_, ok := slices.BinarySearch(s.sorted(), binary.BigEndian.Uint64(id[:]))
	return ok
}

// pile collects values, of which many may be equal, in at most twice the memory
// of the different ones.
type pile[T cmp.Ordered] struct {
	some []T
	tidy int // the first so many ascend
}

func (p *pile[T]) put(one T) {
	if len(p.some) >= 1<<16 && len(p.some) >= 2*p.tidy {
		p.sorted()
	}
	p.some = append(p.some, one)
}

// sorted are the different values, ascending.
func (p *pile[T]) sorted() []T {
	if p.tidy < len(p.some) {
		slices.Sort(p.some)
		p.some = slices.Compact(p.some)
		p.tidy = len(p.some)
	}
	return p.some
}

// namedBlocks are the blocks that the versions name which fn accepts. What is
// put meanwhile may be missing. It returns ErrUnreadable if the bytes of a
// version cannot be read: the blocks that it names would seem to be in nobody's
// use.
func (v *Vault) namedBlocks(ctx context.Context, fn func(recordKey) bool) (*blockSet, error) {
	v.mu.Lock()
	head := v.st.head
	v.mu.Unlock()
	want, seen := 0, 0
	err := v.view(func(t *tables) error {
		return t.sequence.each(nil, nil, func(key, _ []byte) (bool, error) {
			n := binary.BigEndian.Uint64(key)
			if n <= head {
				want++
			}
			return n < head, nil
		})
	})
	if err != nil {
		return nil, err
	}
	set := &blockSet{}
	err = v.eachLive(func(t *tables, key recordKey, data []byte) error {
		r, _, err := t.version(key)
		if err != nil {
			return err
		}
		if r.sequence <= head {
			seen++
		}
		if !fn(key) {
			return nil
		}
		if err := eachRef(data, set.add); err != nil {
			return err
		}
		return ctx.Err()
	})
	if err == nil && seen < want {
		err = fmt.Errorf("%w: %d of %d", ErrUnreadable, want-seen, want)
	}
	return set, err
}
