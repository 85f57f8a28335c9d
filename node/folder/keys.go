package folder

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// keyring is the keys of all epochs. It is never changed in place.
type keyring struct {
	byEpoch map[entry.Epoch]*seal.Keys
	newest  entry.Epoch // under which new versions are sealed
}

// with is the keyring with more keys.
func (r *keyring) with(folder entry.FolderID, keys map[entry.Epoch]seal.FolderKey) (*keyring, error) {
	next := &keyring{byEpoch: maps.Clone(r.byEpoch)}
	if next.byEpoch == nil {
		next.byEpoch = map[entry.Epoch]*seal.Keys{}
	}
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		k, err := seal.Derive(folder, e, keys[e])
		if err != nil {
			return nil, fmt.Errorf("derive the keys of epoch %d: %w", e, err)
		}
		next.byEpoch[e] = k
	}
	for e := range next.byEpoch {
		next.newest = max(next.newest, e)
	}
	return next, nil
}

// AddKeys adds keys of more epochs. What is recorded from now on is sealed
// under the newest.
func (f *Folder) AddKeys(keys map[entry.Epoch]seal.FolderKey) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next, err := f.keys.Load().with(f.ID, keys)
	if err != nil {
		return err
	}
	f.keys.Store(next)
	return nil
}

// key is the keys of one epoch, nil if this device has none of it.
func (f *Folder) key(e entry.Epoch) *seal.Keys { return f.keys.Load().byEpoch[e] }

// epoch is the one under which new versions are sealed.
func (f *Folder) epoch() entry.Epoch { return f.keys.Load().newest }

// Epochs are those of which this device has keys, ascending.
func (f *Folder) Epochs() []entry.Epoch {
	return slices.Sorted(maps.Keys(f.keys.Load().byEpoch))
}
