package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sort"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// This file decides what goes to make room.

// eviction is what could go, and after choose what is to.
type eviction struct {
	held    []evictable // by ID
	leaving []leaving
	marked  []Pin // all pins

	pins     []PinID
	versions []int32 // of leaving
	blocks   []int32 // of held
}

// evictable is a block that is held.
type evictable struct {
	id    entry.BlockID
	size  int64 // of all its forms in packs
	named int32 // by how many versions
	stays bool  // it was lent
}

// leaving is a version that may go, or whose blocks may.
type leaving struct {
	key      recordKey
	received moment
	until    moment // maxMoment: it is newest, and only its blocks may go
	size     int64
	pinned   bool
	blocks   []int32 // of held, those that it names
}

// since is when it became history: for what is newest, when it came.
func (l *leaving) since() moment {
	if l.until == maxMoment {
		return l.received
	}
	return max(l.received, l.until)
}

// evictable collects what could go.
func (v *Vault) evictable(ctx context.Context, hold time.Duration) (*eviction, error) {
	e := &eviction{}
	err := v.eachBlock(ctx, func(_ *tables, id entry.BlockID, vs []variant) error {
		one := evictable{id: id, stays: v.isLent(id)}
		for i := range vs {
			one.size += vs[i].size()
		}
		e.held = append(e.held, one)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if e.marked, err = v.Pins(); err != nil {
		return nil, err
	}
	named, err := e.count(ctx, v)
	if err != nil {
		return nil, err
	}
	before := momentOf(v.clock().Add(-hold))
	err = v.eachVersions(ctx, func(_ *tables, vs []held) error {
		for i := range vs {
			one := &vs[i]
			l := leaving{key: one.key, received: one.row.received, until: one.until, size: one.row.size(), blocks: named[one.key]}
			if l.since() > before || l.until == maxMoment && (!v.partial || len(l.blocks) == 0) {
				continue
			}
			l.pinned = e.isPinned(&l)
			e.leaving = append(e.leaving, l)
		}
		return nil
	})
	return e, err
}

// count counts by how many versions each block is named, and returns which of
// those that are held each version names. One that cannot be read is not worth
// keeping blocks for.
func (e *eviction) count(ctx context.Context, v *Vault) (map[recordKey][]int32, error) {
	by := map[recordKey][]int32{}
	err := v.eachLive(func(_ *tables, key recordKey, data []byte) error {
		var blocks []int32
		err := eachRef(data, func(id entry.BlockID) {
			if i, ok := e.find(id); ok {
				e.held[i].named++
				blocks = append(blocks, int32(i))
			}
		})
		if len(blocks) > 0 {
			by[key] = blocks
		}
		return errors.Join(err, ctx.Err())
	})
	return by, err
}

func (e *eviction) find(id entry.BlockID) (int, bool) {
	return slices.BinarySearchFunc(e.held, id, func(o evictable, id entry.BlockID) int { return bytes.Compare(o.id[:], id[:]) })
}

// isPinned tells whether a pinned moment needs a version.
func (e *eviction) isPinned(l *leaving) bool {
	i := sort.Search(len(e.marked), func(i int) bool { return momentOf(e.marked[i].At) >= l.received })
	return i < len(e.marked) && momentOf(e.marked[i].At) < l.until
}

// choose picks what is to go: what no version names, then the oldest history,
// until most bytes are free, and what pins keep only until need are. It reports
// false, having picked nothing, if all of it is less than need.
func (e *eviction) choose(need, most int64) bool {
	var free int64
	for i := range e.held {
		if b := &e.held[i]; b.named == 0 && !b.stays {
			free += e.take(int32(i))
		}
	}
	order := make([]int32, len(e.leaving))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &e.leaving[a], &e.leaving[b]
		return cmp.Or(cmp.Compare(x.since(), y.since()), bytes.Compare(x.key[:], y.key[:]))
	})
	var lost [][2]moment
	for _, pinned := range []bool{false, true} {
		for _, i := range order {
			l := &e.leaving[i]
			if l.pinned != pinned {
				continue
			}
			if free >= most || pinned && free >= need {
				break
			}
			free += e.leave(i)
			if pinned {
				lost = append(lost, [2]moment{l.received, l.until})
			}
		}
	}
	if free < need {
		return false
	}
	for _, p := range e.marked {
		at := momentOf(p.At)
		if slices.ContainsFunc(lost, func(l [2]moment) bool { return l[0] <= at && at < l[1] }) {
			e.pins = append(e.pins, p.ID)
		}
	}
	return true
}

// leave has a version go, or its blocks, and returns how much that frees.
func (e *eviction) leave(i int32) (free int64) {
	l := &e.leaving[i]
	if l.until != maxMoment {
		e.versions = append(e.versions, i)
		free += l.size
	}
	for _, b := range l.blocks {
		e.held[b].named--
		if e.held[b].named == 0 && !e.held[b].stays {
			free += e.take(b)
		}
	}
	return free
}

func (e *eviction) take(i int32) int64 {
	e.blocks = append(e.blocks, i)
	return e.held[i].size
}
