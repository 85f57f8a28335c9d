package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault/retention"
)

// Pruned is what a prune has done.
type Pruned struct {
	Marked   int64 // blocks and versions that wait from now on
	Unmarked int64 // that waited, and are needed again
	Versions int64 // that were dropped
	Blocks   int64 // that were dropped
	Packs    int64 // that were removed, some for a smaller one
	Freed    int64 // bytes of all packs, before less after
}

// Prune drops, in two steps, what no kept moment needs by the vault's own clock.
// First it marks: versions that the policy does not keep, and blocks that no
// version names. What was marked by an earlier prune, at least the grace period
// ago, and was not wanted since, it then drops, and rewrites packs of which a
// good part is dead. So a version goes at the earliest a grace period after the
// policy has let it go, and its blocks as much later again. A clock that is
// ahead costs nothing if it is right again before the next prune.
//
// It can be run at any time, beside everything else, and ended at any time: by
// ctx, by an error or by a crash. What is left over a later one does. It
// returns [ErrUnreadable], having dropped versions but no blocks, if it is not
// known which blocks some records need.
func (v *Vault) Prune(ctx context.Context, policy retention.Policy) (Pruned, error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	var p Pruned
	before := v.packBytes()
	err := v.prune(ctx, policy, &p)
	p.Freed = before - v.packBytes()
	if err != nil {
		return p, fmt.Errorf("prune vault %q: %w", v.dir, err)
	}
	v.log.Info("pruned a vault", "dir", v.dir, "versions", p.Versions, "blocks", p.Blocks, "marked", p.Marked, "freed", p.Freed)
	return p, nil
}

func (v *Vault) packBytes() (n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.packs {
		if !p.leaves() {
			n += p.length
		}
	}
	return n
}

func (v *Vault) prune(ctx context.Context, policy retention.Policy, p *Pruned) error {
	now := momentOf(v.clock())
	swept := now - moment(v.grace/time.Microsecond)
	for try := 0; ; try++ {
		err := v.pruneVersions(ctx, policy, sweep{v: v, done: p, now: now, swept: swept})
		if !errors.Is(err, errPinned) || try == 2 {
			if err != nil {
				return err
			}
			break
		}
	}
	// Pins are about versions: what none of these names, none needs.
	if err := v.pruneBlocks(ctx, sweep{v: v, done: p, now: now, swept: swept}); err != nil {
		return err
	}
	return v.compact(ctx, p)
}

// errPinned: a moment was pinned since it was decided what is kept.
var errPinned = errors.New("a moment was pinned meanwhile")

// sweep collects what is to be marked, unmarked and dropped, and does it in
// batches.
type sweep struct {
	v          *Vault
	done       *Pruned
	now, swept moment
	pins       uint64 // how many were ever made, when it was decided

	mark, unmark [][]byte
	drop         []doomed
}

// doomed is a marked version, or block, that is to go.
type doomed struct {
	mark  []byte
	key   [32]byte
	until moment // from which moment on it is not missed
}

func (v *Vault) pruneVersions(ctx context.Context, policy retention.Policy, s sweep) error {
	s.pins = v.pinsMade.Load()
	kept, err := v.decide(ctx, policy, s.now.time())
	if err != nil {
		return err
	}
	err = v.judge(ctx, kept, func(d Verdict) error {
		until := moment(0)
		if d.Until.After(d.Received) {
			until = momentOf(d.Until)
		}
		s.consider(doomed{recordMark(d.key), d.key, until}, d.Keep(), markOf(d.Marked))
		return nil
	})
	if err != nil {
		return err
	}
	return s.do(ctx, func(t *tx, d doomed) error {
		r, ok, err := t.version(d.key)
		if err != nil || !ok {
			return err
		}
		t.st.thinned = max(t.st.thinned, d.until)
		t.drop(r.at, r.size())
		s.done.Versions++
		return t.forgetVersion(d.key)
	})
}

func markOf(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	return momentOf(t)
}

func (v *Vault) pruneBlocks(ctx context.Context, s sweep) error {
	s.pins = v.pinsMade.Load()
	named, err := v.namedBlocks(ctx, func(recordKey) bool { return true })
	if err != nil {
		return err
	}
	err = v.eachBlock(ctx, func(t *tables, id entry.BlockID, _ []variant) error {
		mark, err := t.markOf(blockMark(id))
		s.consider(doomed{mark: blockMark(id), key: id}, named.has(id), mark)
		return err
	})
	if err != nil {
		return err
	}
	return s.do(ctx, func(t *tx, d doomed) error {
		if t.blocks.bolt.Get(d.key[:]) != nil {
			s.done.Blocks++
		}
		return t.dropBlock(d.key)
	})
}

// dropBlock drops all forms of a block.
func (t *tx) dropBlock(id entry.BlockID) error {
	vs, err := t.variants(id[:])
	if err != nil {
		return err
	}
	for i := range vs {
		t.drop(vs[i].at, vs[i].size())
		if err := t.forgetBlock(id, vs[i].at); err != nil {
			return err
		}
	}
	return nil
}

// consider decides what to do about a version or block that is needed or not,
// and was marked at a moment, or never. A mark of the future, of a clock that
// was set back, begins anew.
func (s *sweep) consider(d doomed, needed bool, mark moment) {
	switch {
	case needed && mark != 0:
		s.unmark = append(s.unmark, d.mark)
	case needed:
	case mark == 0 || mark > s.now:
		s.mark = append(s.mark, d.mark)
	case mark <= s.swept:
		s.drop = append(s.drop, d)
	}
}

// do carries out what was collected. What lost its mark since, or got a new
// one, is not dropped.
func (s *sweep) do(ctx context.Context, drop func(*tx, doomed) error) error {
	err := batches(ctx, s, s.unmark, func(t *tx, key []byte) error {
		s.done.Unmarked++
		return t.unmark(key)
	})
	if err == nil {
		err = batches(ctx, s, s.mark, func(t *tx, key []byte) error {
			s.done.Marked++
			return t.setMark(key, s.now)
		})
	}
	if err == nil {
		err = batches(ctx, s, s.drop, func(t *tx, d doomed) error {
			mark, err := t.markOf(d.mark)
			if err != nil || mark == 0 || mark > s.swept {
				return err
			}
			return drop(t, d)
		})
	}
	return err
}

// batches does something for each of many, some in one change. Nothing is done
// once a moment has been pinned.
func batches[T any](ctx context.Context, s *sweep, all []T, do func(*tx, T) error) error {
	for len(all) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch := all[:min(len(all), dropBatch)]
		all = all[len(batch):]
		before, pinned := *s.done, false
		err := s.v.submit(func(t *tx) error {
			*s.done = before
			if pinned = s.v.pinsMade.Load() != s.pins; pinned {
				return nil
			}
			for _, one := range batch {
				if err := do(t, one); err != nil {
					return err
				}
			}
			return t.v.step("pruned")
		})
		if err == nil && pinned {
			err = errPinned
		}
		if err != nil {
			*s.done = before
			return err
		}
	}
	return nil
}

// markOf is when something was marked, 0 if it is not.
func (t *tables) markOf(key []byte) (moment, error) {
	row, err := t.marks.get(key)
	if row == nil || err != nil {
		return 0, err
	}
	if len(row) != 8 {
		return 0, fmt.Errorf("%w: a mark of %d bytes", ErrIndex, len(row))
	}
	return moment(binary.LittleEndian.Uint64(row)), nil
}

func (t *tx) setMark(key []byte, at moment) error {
	if t.marks.bolt.Get(key) == nil {
		t.st.marks++
	}
	return t.marks.put(key, binary.LittleEndian.AppendUint64(nil, uint64(at)))
}
