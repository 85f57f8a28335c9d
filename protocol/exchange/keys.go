package exchange

import (
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
	"github.com/kithmesh/kith/protocol/seal"
)

func folderKeysToWire(keys map[entry.Epoch]seal.FolderKey) (out []*wirepb.FolderKey) {
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		k := keys[e]
		out = append(out, &wirepb.FolderKey{Epoch: uint32(e), Key: k[:]})
	}
	return out
}

// folderKeysFromWire says of a key no more than its length: errors are logged.
func folderKeysFromWire(id entry.FolderID, in []*wirepb.FolderKey) (map[entry.Epoch]seal.FolderKey, error) {
	if len(in) > maxKeys {
		return nil, refuse("folder %s: %d keys", id, len(in))
	}
	out := make(map[entry.Epoch]seal.FolderKey, len(in))
	for _, k := range in {
		if len(k.GetKey()) != len(seal.FolderKey{}) || k.GetEpoch() == 0 {
			return nil, refuse("folder %s: key of %d bytes for epoch %d", id, len(k.GetKey()), k.GetEpoch())
		}
		e, key := entry.Epoch(k.GetEpoch()), seal.FolderKey(k.GetKey())
		if _, twice := out[e]; twice || key.IsZero() {
			return nil, refuse("folder %s: a key of zeros, or two, for epoch %d", id, e)
		}
		out[e] = key
	}
	return out, nil
}

// keysMessages are as many as it takes.
func keysMessages(folder entry.FolderID, keys map[entry.Epoch]seal.FolderKey) (out []*wirepb.Tell) {
	for some := range slices.Chunk(folderKeysToWire(keys), maxKeys) {
		out = append(out, &wirepb.Tell{What: &wirepb.Tell_Keys{Keys: &wirepb.Keys{Folder: folder[:], Keys: some}}})
	}
	return out
}

func keysFromWire(m *wirepb.Keys) (entry.FolderID, map[entry.Epoch]seal.FolderKey, error) {
	id, err := folderFromWire(m.GetFolder())
	if err != nil {
		return entry.FolderID{}, nil, err
	}
	if len(m.GetKeys()) == 0 {
		return entry.FolderID{}, nil, refuse("folder %s: no keys", id)
	}
	keys, err := folderKeysFromWire(id, m.GetKeys())
	return id, keys, err
}

// epochsToWire names the last of them where there are too many.
func epochsToWire(epochs []entry.Epoch) (out []uint32) {
	ascending := slices.Compact(slices.Sorted(slices.Values(epochs)))
	for _, e := range ascending[max(0, len(ascending)-maxEpochs):] {
		out = append(out, uint32(e))
	}
	return out
}

func epochsFromWire(in []uint32) (out []entry.Epoch, err error) {
	if len(in) > maxEpochs {
		return nil, refuse("%d epochs", len(in))
	}
	last := uint32(0)
	for _, e := range in {
		if e <= last {
			return nil, refuse("epoch %d after %d", e, last)
		}
		last = e
		out = append(out, entry.Epoch(e))
	}
	return out, nil
}
