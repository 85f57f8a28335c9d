package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// keyOf is a key that a member has sealed to the words.
type keyOf = membership.Key

// candidates are the keys of a folder that may be true: what a member has
// sealed is as true as that member. Of several for an epoch those come first
// that a member of today has sealed, and of these the earliest.
func candidates(secret *recovery.Secret, r roster.Roster) map[entry.Epoch][]keyOf {
	sealed := slices.Clone(r.SealedTo(secret.Public().Device()))
	slices.Reverse(sealed) // earliest first
	slices.SortStableFunc(sealed, func(a, b roster.SealedKeys) int {
		rank := func(k roster.SealedKeys) int {
			if _, in := r.Member(k.Author); in {
				return 0
			}
			return 1
		}
		return rank(a) - rank(b)
	})
	var all [][]byte
	for _, k := range sealed {
		all = append(all, k.Payload)
	}
	opened, _ := secret.OpenAll(r.Folder(), all)
	last, out := removals(r.Statements()), map[entry.Epoch][]keyOf{}
	for e, keys := range opened {
		for _, k := range keys {
			g := generationOf(e)
			if e == 1 || g > 0 && g <= last && epochOf(g, k) == e {
				out[e] = append(out[e], keyOf(k))
			}
		}
	}
	return out
}

// trueKeys picks one key for each epoch. Where members have sealed different
// ones, one of them lied: the true key opens what is sealed with it.
func (d *Device) trueKeys(ctx context.Context, f *regained) map[entry.Epoch]membership.Key {
	out, open := map[entry.Epoch]membership.Key{}, map[entry.Epoch][]keyOf{}
	for e, keys := range f.keys {
		out[e] = keys[0]
		if len(keys) > 1 {
			open[e] = keys
		}
	}
	for _, w := range f.members {
		if len(open) > 0 {
			d.tryKeys(ctx, f.id, w.id, open, out)
		}
	}
	for e := range open {
		d.Log.Error("members have kept different keys for recovery, and which is true could not be found", "folder", f.id, "epoch", e)
	}
	return out
}

// tryTime bounds the look for what is sealed with a contested key.
const tryTime = 20 * time.Second

func (d *Device) tryKeys(ctx context.Context, id entry.FolderID, at entry.DeviceID, open map[entry.Epoch][]keyOf, out map[entry.Epoch]membership.Key) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	l := d.linkSoon(ctx, at)
	if l == nil {
		return
	}
	past := l.past(id)
	defer past.Close()
	settled := errors.New("settled")
	_ = past.Received(ctx, 0, func(h history.Held) error {
		e := h.Record.Epoch
		for _, k := range open[e] {
			keys, err := seal.Derive(id, e, seal.FolderKey(k))
			if err != nil {
				continue
			}
			if _, err := keys.OpenRecord(h.Record); err == nil {
				out[e] = k
				delete(open, e)
				break
			}
		}
		if len(open) == 0 {
			return settled
		}
		return nil
	})
}
