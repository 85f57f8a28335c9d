package node

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/epochs"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/seal"
)

// begin adds the key of a new epoch to those of a folder, if there is none yet
// that began after all removals: what is sealed from then on cannot be opened
// by those who were members before and are not any more. The other members are
// told the key by the exchange. A folder that has no keys here gets none: the
// role gives none away.
func begin(rec *membership.Folder) (map[entry.Epoch]seal.FolderKey, error) {
	keys, e, err := epochs.Begin(rec.Keys, epochs.Removals(rec.Roster))
	if err != nil || e == 0 {
		return nil, err
	}
	rec.Keys = keys
	return map[entry.Epoch]seal.FolderKey{e: seal.FolderKey(keys[e])}, nil
}

// keyTime is how long the key is waited for that fits a removal which was heard
// of: whoever has begun an epoch tells its key right after the statement.
const keyTime = 10 * time.Second

// removalsHeard sees to it that the folder has a key that fits its members, when
// told are all statements that a member knows. If some removal is none of them,
// nobody may know of all, and so nobody may have such a key.
func (s *share) removalsHeard(told []roster.Statement) {
	if s.knowsMore(told) {
		s.catchUp()
		return
	}
	s.expectKey()
}

// knowsMore tells whether there are removals beside those that were told.
func (s *share) knowsMore(told []roster.Statement) bool {
	heard := map[roster.ID]bool{}
	for i := range told {
		if told[i].Kind == roster.Revoke {
			heard[told[i].ID()] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.record.Roster, func(st roster.Statement) bool {
		return st.Kind == roster.Revoke && !heard[st.ID()]
	})
}

// expectKey begins a new epoch if no key that fits comes within keyTime.
func (s *share) expectKey() {
	s.mu.Lock()
	lacks := epochs.Lacks(s.record.Keys, epochs.Removals(s.record.Roster))
	s.mu.Unlock()
	if !lacks {
		return
	}
	s.device.tasks.start(func(ctx context.Context) error {
		if pause(ctx, keyTime) == nil {
			s.catchUp()
		}
		return nil
	})
}

// catchUp begins a new epoch if there is none that began after all removals.
func (s *share) catchUp() {
	if s.device.share(s.ID) != s {
		return // left meanwhile
	}
	s.mu.Lock()
	added, err := s.beginLocked()
	s.mu.Unlock()
	if err != nil {
		s.device.Log.Warn("begin a new key", "folder", s.ID, "error", err)
	}
	if added {
		s.device.news()
	}
}

func (s *share) beginLocked() (begun bool, err error) {
	if _, in := s.roster.Member(s.device.id.ID()); !in {
		return false, nil
	}
	rec := s.record
	added, err := begin(&rec)
	if err != nil || len(added) == 0 {
		return false, err
	}
	r := s.keepKeys(&rec, s.roster)
	if err := s.device.store.PutFolder(rec); err != nil {
		return false, err
	}
	s.roster, s.record = r, rec
	return true, s.seal(added)
}

// addKeys takes keys that this device lacks, durably, and seals with the
// newest from then on. Those that cannot be are refused, and the first of them
// is named; the others count.
func (s *share) addKeys(keys map[entry.Epoch]seal.FolderKey) (refused, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec := s.record
	if len(rec.Keys) == 0 {
		return nil, s.firstKeysLocked(keys)
	}
	rec.Keys = maps.Clone(rec.Keys)
	removals, added := epochs.Removals(rec.Roster), map[entry.Epoch]seal.FolderKey{}
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		if had, ok := rec.Keys[e]; ok && had == membership.Key(keys[e]) {
			continue
		}
		if err := epochs.Follows(rec.Keys, e, keys[e], removals); err != nil {
			refused = cmp.Or(refused, fmt.Errorf("key of epoch %d: %w", e, err))
			continue
		}
		rec.Keys[e], added[e] = membership.Key(keys[e]), keys[e]
	}
	if len(added) == 0 {
		return refused, nil
	}
	r := s.keepKeys(&rec, s.roster)
	if err := s.device.store.PutFolder(rec); err != nil {
		return refused, err
	}
	s.roster, s.record = r, rec
	return refused, s.seal(added)
}

// firstKeysLocked takes the keys of a folder of which this device has none yet,
// if it is a member that may have them.
func (s *share) firstKeysLocked(keys map[entry.Epoch]seal.FolderKey) error {
	m, member := s.roster.Member(s.device.id.ID())
	if !member || !m.Role.HoldsKey() {
		return nil
	}
	rec := s.record
	if rec.Keys = epochs.Sound(storedKeys(keys), epochs.Removals(s.roster.Statements())); len(rec.Keys) == 0 {
		return nil
	}
	if err := s.device.store.PutFolder(rec); err != nil {
		return err
	}
	s.record = rec
	s.device.changed.tell()
	return nil
}

// seal puts keys to use that are stored.
func (s *share) seal(added map[entry.Epoch]seal.FolderKey) error {
	if len(added) == 0 {
		return nil
	}
	if s.tree == nil {
		return nil
	}
	s.device.Log.Info("a new key seals what comes", "folder", s.record.Label, "epochs", len(s.record.Keys))
	return s.tree.AddKeys(added)
}

// folderKeys are stored keys as they are used.
func folderKeys(keys map[entry.Epoch]membership.Key) map[entry.Epoch]seal.FolderKey {
	out := make(map[entry.Epoch]seal.FolderKey, len(keys))
	for e, k := range keys {
		out[e] = seal.FolderKey(k)
	}
	return out
}

// storedKeys are keys as they are stored.
func storedKeys(keys map[entry.Epoch]seal.FolderKey) map[entry.Epoch]membership.Key {
	out := make(map[entry.Epoch]membership.Key, len(keys))
	for e, k := range keys {
		out[e] = membership.Key(k)
	}
	return out
}
