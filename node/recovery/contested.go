package recovery

import (
	"errors"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/epochs"
	"github.com/kithmesh/kith/protocol/seal"
)

// Candidates are the keys of a folder that may be true: what a member has
// sealed is as true as that member. Of several for an epoch those come first
// that a member of today has sealed, and of these the earliest. What no such
// folder can have is left out.
func (s *Secret) Candidates(r roster.Roster) map[entry.Epoch][]seal.FolderKey {
	sealed := slices.Clone(r.SealedTo(s.public.device))
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
	opened, _ := s.OpenAll(r.Folder(), all)
	removals, out := epochs.Removals(r.Statements()), map[entry.Epoch][]seal.FolderKey{}
	for e, keys := range opened {
		for _, k := range keys {
			if epochs.Fits(e, k, removals) {
				out[e] = append(out[e], k)
			}
		}
	}
	return out
}

// History tells versions of a folder, until there are no more or each returns
// an error, which it then returns.
type History func(each func(*seal.Record) error) error

// TrueKeys picks one key for each epoch. Where members have sealed different
// ones, one of them lied: the true key opens what is sealed with it. The versions
// of each history are gone through for that, as far as need be; one that ends
// early decides less. unsure are the epochs, ascending, of which nothing opened:
// their likeliest key was picked.
func TrueKeys(id entry.FolderID, candidates map[entry.Epoch][]seal.FolderKey, histories ...History) (
	keys map[entry.Epoch]seal.FolderKey, unsure []entry.Epoch,
) {
	keys, open := map[entry.Epoch]seal.FolderKey{}, map[entry.Epoch][]seal.FolderKey{}
	for e, some := range candidates {
		keys[e] = some[0]
		if len(some) > 1 {
			open[e] = some
		}
	}
	settled := errors.New("settled")
	for _, versions := range histories {
		if len(open) == 0 {
			break
		}
		_ = versions(func(r *seal.Record) error {
			if k, opens := opener(id, open[r.Epoch], r); opens {
				keys[r.Epoch] = k
				delete(open, r.Epoch)
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
func opener(id entry.FolderID, some []seal.FolderKey, r *seal.Record) (seal.FolderKey, bool) {
	for _, k := range some {
		keys, err := seal.Derive(id, r.Epoch, k)
		if err != nil {
			continue
		}
		if _, err := keys.OpenRecord(r); err == nil {
			return k, true
		}
	}
	return seal.FolderKey{}, false
}
