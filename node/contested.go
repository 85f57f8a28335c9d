package node

import (
	"context"
	"errors"
	"maps"
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
// ones, one of them lied: the true key opens what is sealed with it. The versions
// of each history are gone through for that, as far as need be.
func trueKeys(id entry.FolderID, all map[entry.Epoch][]keyOf, histories ...func(each func(history.Held) error) error) (
	keys map[entry.Epoch]membership.Key, unsure []entry.Epoch,
) {
	keys, open := map[entry.Epoch]membership.Key{}, map[entry.Epoch][]keyOf{}
	for e, some := range all {
		keys[e] = some[0]
		if len(some) > 1 {
			open[e] = some
		}
	}
	settled := errors.New("settled")
	for _, received := range histories {
		if len(open) == 0 {
			break
		}
		_ = received(func(h history.Held) error {
			if k, opens := opener(id, open[h.Record.Epoch], h.Record); opens {
				keys[h.Record.Epoch] = k
				delete(open, h.Record.Epoch)
			}
			if len(open) == 0 {
				return settled
			}
			return nil
		})
	}
	return keys, slices.Sorted(maps.Keys(open))
}

// opener is the key that opens a record.
func opener(id entry.FolderID, some []keyOf, r *seal.Record) (keyOf, bool) {
	for _, k := range some {
		keys, err := seal.Derive(id, r.Epoch, seal.FolderKey(k))
		if err != nil {
			continue
		}
		if _, err := keys.OpenRecord(r); err == nil {
			return k, true
		}
	}
	return keyOf{}, false
}

// tryTime bounds the look for what is sealed with a contested key.
const tryTime = 20 * time.Second

// keysOf picks the keys of a folder that is got back; its members are asked
// where they are contested.
func (d *Device) keysOf(ctx context.Context, f *regained) map[entry.Epoch]membership.Key {
	var histories []func(func(history.Held) error) error
	for _, w := range f.members {
		histories = append(histories, func(each func(history.Held) error) error {
			ctx, cancel := context.WithTimeout(ctx, tryTime)
			defer cancel()
			l := d.linkSoon(ctx, w.id)
			if l == nil {
				return ctx.Err()
			}
			past := l.past(f.id)
			defer past.Close()
			return past.Received(ctx, 0, each)
		})
	}
	keys, unsure := trueKeys(f.id, f.keys, histories...)
	if len(unsure) > 0 {
		d.Log.Error("members have kept different keys for recovery, and which is true could not be found", "folder", f.id, "epochs", len(unsure))
	}
	return keys
}
