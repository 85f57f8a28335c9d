package node

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/seal"
)

// An epoch is named by its generation and a few bits of its key: two members
// that begin one at the same time begin two, and both can be told apart. The
// founding epoch is 1, of generation 0.
const (
	tagBits   = 20
	tagMask   = 1<<tagBits - 1
	maxEpochs = 1024 // of a folder; who removes members so often founds it anew
)

// epochOf names the epoch of a key that begins after another epoch.
func epochOf(after entry.Epoch, key seal.FolderKey) entry.Epoch {
	sum := sha256.Sum256(append([]byte("kith epoch v1\x00"), key[:]...))
	tag := binary.BigEndian.Uint32(sum[:]) & tagMask
	return (after>>tagBits+1)<<tagBits | entry.Epoch(tag)
}

var (
	errEpoch  = errors.New("the name of the epoch is not that of its key")
	errEpochs = errors.New("too many keys for one folder")
)

func newest(keys map[entry.Epoch]membership.Key) (e entry.Epoch) {
	for k := range keys {
		e = max(e, k)
	}
	return e
}

// begin adds the key of a new epoch to those of a folder: what is sealed from
// then on cannot be opened by those who were members before and are not any
// more. The other members are told the key by the exchange. A folder that has
// no keys here gets none: the role gives none away.
func begin(rec *membership.Folder) (map[entry.Epoch]seal.FolderKey, error) {
	switch {
	case len(rec.Keys) == 0:
		return nil, nil
	case len(rec.Keys) >= maxEpochs:
		return nil, errEpochs
	}
	key := seal.NewFolderKey()
	e := epochOf(newest(rec.Keys), key)
	rec.Keys = maps.Clone(rec.Keys)
	rec.Keys[e] = membership.Key(key)
	return map[entry.Epoch]seal.FolderKey{e: key}, nil
}

// addKeys takes keys that this device lacks, durably, and seals with the
// newest from then on. A key must follow on those that are known, so that no
// member can use up the numbers; those that do not are refused, and the first
// of them is named. The others count.
func (s *share) addKeys(keys map[entry.Epoch]seal.FolderKey) (refused, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.record
	rec.Keys = maps.Clone(rec.Keys)
	added := map[entry.Epoch]seal.FolderKey{}
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		if had, ok := rec.Keys[e]; ok && had == membership.Key(keys[e]) {
			continue
		}
		if err := follows(rec.Keys, e, keys[e]); err != nil {
			refused = cmp.Or(refused, fmt.Errorf("key of epoch %d: %w", e, err))
			continue
		}
		rec.Keys[e], added[e] = membership.Key(keys[e]), keys[e]
	}
	if len(added) == 0 {
		return refused, nil
	}
	if err := s.device.store.PutFolder(rec); err != nil {
		return refused, err
	}
	s.record = rec
	return refused, s.seal(added)
}

// follows refuses a key that may not follow on those that are known.
func follows(known map[entry.Epoch]membership.Key, e entry.Epoch, key seal.FolderKey) error {
	if _, ok := known[e]; ok {
		return errEpoch // of another key
	}
	if len(known) == 0 || len(known) >= maxEpochs {
		return errEpochs
	}
	if generation := e >> tagBits; generation == 0 || generation > newest(known)>>tagBits+1 || epochOf((generation-1)<<tagBits, key) != e {
		return errEpoch
	}
	return nil
}

// seal puts keys to use that are stored.
func (s *share) seal(added map[entry.Epoch]seal.FolderKey) error {
	if len(added) == 0 {
		return nil
	}
	s.device.Log.Info("a new key seals what comes", "folder", s.record.Label, "epochs", len(s.record.Keys))
	return s.AddKeys(added)
}

// folderKeys are stored keys as they are used.
func folderKeys(keys map[entry.Epoch]membership.Key) map[entry.Epoch]seal.FolderKey {
	out := make(map[entry.Epoch]seal.FolderKey, len(keys))
	for e, k := range keys {
		out[e] = seal.FolderKey(k)
	}
	return out
}
