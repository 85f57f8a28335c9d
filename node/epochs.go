package node

import (
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

// newEpoch begins a new epoch: what is sealed from now on cannot be opened by
// those who were members before and are not any more. The other members are
// told the key by the exchange.
func (s *share) newEpoch() error {
	key := seal.NewFolderKey()
	s.mu.Lock()
	after := newest(s.record.Keys)
	s.mu.Unlock()
	if after == 0 {
		return nil // a role that holds no key gives none away
	}
	return s.addKeys(map[entry.Epoch]seal.FolderKey{epochOf(after, key): key})
}

func newest(keys map[entry.Epoch]membership.Key) (e entry.Epoch) {
	for k := range keys {
		e = max(e, k)
	}
	return e
}

// addKeys takes keys that this device lacks, durably, and seals with the
// newest from then on. A key must follow on those that are known, so that no
// member can use up the numbers.
func (s *share) addKeys(keys map[entry.Epoch]seal.FolderKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.record
	rec.Keys = maps.Clone(rec.Keys)
	added := map[entry.Epoch]seal.FolderKey{}
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		switch had, ok := rec.Keys[e]; {
		case ok && had == membership.Key(keys[e]):
			continue
		case ok:
			return fmt.Errorf("key of epoch %d: %w", e, errEpoch)
		case len(rec.Keys) == 0 || len(rec.Keys) >= maxEpochs:
			return fmt.Errorf("key of epoch %d: %w", e, errEpochs)
		case e>>tagBits > newest(rec.Keys)>>tagBits+1 || e>>tagBits == 0 || epochOf((e>>tagBits-1)<<tagBits, keys[e]) != e:
			return fmt.Errorf("key of epoch %d: %w", e, errEpoch)
		}
		rec.Keys[e], added[e] = membership.Key(keys[e]), keys[e]
	}
	if len(added) == 0 {
		return nil
	}
	if err := s.device.store.PutFolder(rec); err != nil {
		return err
	}
	s.record = rec
	if err := s.AddKeys(added); err != nil {
		return err
	}
	s.device.Log.Info("a new key seals what comes", "folder", s.record.Label, "epochs", len(rec.Keys))
	return nil
}

// folderKeys are those of all epochs.
func (s *share) folderKeys() map[entry.Epoch]seal.FolderKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[entry.Epoch]seal.FolderKey, len(s.record.Keys))
	for e, k := range s.record.Keys {
		out[e] = seal.FolderKey(k)
	}
	return out
}
