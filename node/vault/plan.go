package vault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/seal"
)

// Verdict is what a plan says of one version of a record.
type Verdict struct {
	Record   seal.RecordID
	Sequence entry.Sequence
	Received time.Time
	Until    time.Time // as in [Held]
	From     entry.DeviceID
	Size     int64 // bytes of the record itself in a pack
	// Reasons are why it is kept; a version with none is to be dropped.
	Reasons []retention.Reason
	// Marked is since when it waits to be dropped, zero if it does not.
	Marked time.Time

	key recordKey
}

// Keep tells whether the version is kept.
func (d *Verdict) Keep() bool { return len(d.Reasons) > 0 }

// Plan is what a policy would do.
type Plan struct {
	Versions int64 // that are held
	Dropped  int64 // of these, those that no kept moment needs
	// Blocks and Bytes are those that are needed by no version then, whether
	// they are now or not; their packs shrink by as much at least.
	Blocks, Bytes int64
	// Moments are the single moments that are kept, and Since is when the time
	// begins of which every moment is.
	Moments []retention.Moment
	Since   time.Time
}

// Plan tells what a prune under a policy would come to if it were done now, and
// changes nothing. It calls each, if that is not nil, for every version, those
// of one record together in the order of receipt, and stops at its first error.
//
// It goes through all records, twice through the index. It returns
// [ErrUnreadable] if it is not known which blocks some records need.
func (v *Vault) Plan(ctx context.Context, policy retention.Policy, now time.Time, each func(Verdict) error) (Plan, error) {
	v.caring.Lock()
	defer v.caring.Unlock()
	p, err := v.plan(ctx, policy, now, each)
	if err != nil {
		return Plan{}, fmt.Errorf("plan a prune of vault %q: %w", v.dir, err)
	}
	return p, nil
}

func (v *Vault) plan(ctx context.Context, policy retention.Policy, now time.Time, each func(Verdict) error) (Plan, error) {
	var p Plan
	kept, err := v.decide(ctx, policy, now)
	if err != nil {
		return p, err
	}
	p.Moments, p.Since = kept.Moments(), kept.Since()
	doomed := map[recordKey]bool{}
	err = v.judge(ctx, kept, func(d Verdict) error {
		p.Versions++
		if !d.Keep() {
			p.Dropped++
			doomed[d.key] = true
		}
		if each != nil {
			return each(d)
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	named, err := v.namedBlocks(ctx, func(k recordKey) bool { return !doomed[k] })
	if err != nil {
		return p, err
	}
	err = v.eachBlock(ctx, func(_ *tables, id entry.BlockID, vs []variant) error {
		if !named.has(id) {
			p.Blocks++
			for i := range vs {
				p.Bytes += vs[i].size()
			}
		}
		return nil
	})
	return p, err
}

// decide applies a policy to all changes.
func (v *Vault) decide(ctx context.Context, policy retention.Policy, now time.Time) (*retention.Kept, error) {
	if err := policy.Check(); err != nil {
		return nil, err
	}
	pins, err := v.Pins()
	if err != nil {
		return nil, err
	}
	var at []time.Time
	for _, p := range pins {
		at = append(at, p.At)
	}
	var changes pile[moment]
	err = v.eachVersions(ctx, func(_ *tables, vs []held) error {
		for i := range vs {
			if vs[i].row.received < vs[i].until {
				changes.put(vs[i].row.received)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return policy.Decide(func(yield func(time.Time) bool) {
		for _, m := range changes.sorted() {
			if !yield(m.time()) {
				return
			}
		}
	}, at, now), nil
}

// judge calls fn for every version.
func (v *Vault) judge(ctx context.Context, kept *retention.Kept, fn func(Verdict) error) error {
	return v.eachVersions(ctx, func(t *tables, vs []held) error {
		for i := range vs {
			one := &vs[i]
			d := Verdict{
				Record: one.key.id(), Sequence: entry.Sequence(one.row.sequence), Received: one.row.received.time(),
				From: v.deviceOf(one.row.giver), Size: one.row.size(), key: one.key,
			}
			if one.until != maxMoment {
				d.Until = one.until.time()
			}
			d.Reasons = kept.Judge(d.Received, d.Until)
			mark, err := t.markOf(recordMark(one.key))
			if err != nil {
				return err
			}
			if mark != 0 {
				d.Marked = mark.time()
			}
			if err := fn(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachVersions calls fn for the versions of each record, in views that do not
// last.
func (v *Vault) eachVersions(ctx context.Context, fn func(t *tables, vs []held) error) error {
	var from []byte
	for {
		err := v.view(func(t *tables) (err error) {
			from, err = t.eachRecord(from, rowBatch, func(vs []held) error { return fn(t, vs) })
			return err
		})
		if err != nil || from == nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// eachBlock is eachVersions for blocks.
func (v *Vault) eachBlock(ctx context.Context, fn func(t *tables, id entry.BlockID, vs []variant) error) error {
	var from []byte
	for {
		next, n := []byte(nil), 0
		err := v.view(func(t *tables) error {
			return t.blocks.each(nil, from, func(key, row []byte) (bool, error) {
				if n++; n > rowBatch {
					next = slices.Clone(key)
					return false, nil
				}
				vs, err := parseVariants(row)
				if err != nil {
					return false, err
				}
				return true, fn(t, entry.BlockID(key), vs)
			})
		})
		if err != nil || next == nil {
			return err
		}
		from = next
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
