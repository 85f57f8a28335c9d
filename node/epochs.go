package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/seal"
)

// An epoch is named by its generation and a few bits of its key. The generation
// is how many removals the folder had seen when the epoch began: so a key that
// was begun by who did not know of some removal, and may have been given to the
// removed, is never of the last generation once all is known. Two members that
// begin one at the same time begin two, and both can be told apart. The
// founding epoch is 1, of generation 0.
const (
	tagBits        = 20
	tagMask        = 1<<tagBits - 1
	lastGeneration = 1<<(32-tagBits) - 1
	maxEpochs      = 1024 // of a folder; who removes members so often founds it anew
)

// epochOf names the epoch of a key.
func epochOf(generation int, key seal.FolderKey) entry.Epoch {
	sum := sha256.Sum256(append([]byte("kith epoch v1\x00"), key[:]...))
	tag := binary.BigEndian.Uint32(sum[:]) & tagMask
	return entry.Epoch(generation)<<tagBits | entry.Epoch(tag)
}

func generationOf(e entry.Epoch) int { return int(e >> tagBits) }

var (
	errEpoch   = errors.New("the name of the epoch is not that of its key")
	errRemoval = errors.New("the folder has not seen so many removals")
	errEpochs  = errors.New("too many keys for one folder")
)

// removals counts the statements that have ever put somebody out, whether they
// are in force or not: nothing takes one away again.
func removals(statements []roster.Statement) (n int) {
	for i := range statements {
		if statements[i].Kind == roster.Revoke {
			n++
		}
	}
	return n
}

func newest(keys map[entry.Epoch]membership.Key) (e entry.Epoch) {
	for k := range keys {
		e = max(e, k)
	}
	return e
}

// begin adds the key of a new epoch to those of a folder, if there is none yet
// that began after all removals: what is sealed from then on cannot be opened
// by those who were members before and are not any more. The other members are
// told the key by the exchange. A folder that has no keys here gets none: the
// role gives none away.
func begin(rec *membership.Folder) (map[entry.Epoch]seal.FolderKey, error) {
	generation := removals(rec.Roster)
	switch {
	case len(rec.Keys) == 0 || generationOf(newest(rec.Keys)) >= generation:
		return nil, nil
	case len(rec.Keys) >= maxEpochs || generation > lastGeneration:
		return nil, errEpochs
	}
	key := seal.NewFolderKey()
	e := epochOf(generation, key)
	rec.Keys = maps.Clone(rec.Keys)
	rec.Keys[e] = membership.Key(key)
	return map[entry.Epoch]seal.FolderKey{e: key}, nil
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
	lacks := generationOf(newest(s.record.Keys)) < removals(s.record.Roster)
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
	last, added := removals(rec.Roster), map[entry.Epoch]seal.FolderKey{}
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		if had, ok := rec.Keys[e]; ok && had == membership.Key(keys[e]) {
			continue
		}
		if err := follows(rec.Keys, e, keys[e], last); err != nil {
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
	stored := map[entry.Epoch]membership.Key{}
	for e, k := range keys {
		stored[e] = membership.Key(k)
	}
	rec := s.record
	if rec.Keys = sound(stored, s.roster); len(rec.Keys) == 0 {
		return nil
	}
	if err := s.device.store.PutFolder(rec); err != nil {
		return err
	}
	s.record = rec
	s.device.changed.tell()
	return nil
}

// follows refuses a key that a folder cannot have beside those that are known:
// of another epoch than it says, or of a generation after the last.
func follows(known map[entry.Epoch]membership.Key, e entry.Epoch, key seal.FolderKey, last int) error {
	generation := generationOf(e)
	_, taken := known[e]
	switch {
	case taken || generation == 0 || epochOf(generation, key) != e:
		return errEpoch
	case generation > last:
		return errRemoval
	case len(known) == 0 || len(known) >= maxEpochs:
		return errEpochs
	}
	return nil
}

// sound are those of the keys of an offer that a folder with such a roster can
// have.
func sound(keys map[entry.Epoch]membership.Key, r roster.Roster) map[entry.Epoch]membership.Key {
	last, out := removals(r.Statements()), map[entry.Epoch]membership.Key{}
	for _, e := range slices.Sorted(maps.Keys(keys)) {
		if e == 1 || follows(out, e, seal.FolderKey(keys[e]), last) == nil {
			out[e] = keys[e]
		}
	}
	return out
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
