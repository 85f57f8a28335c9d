package node

import (
	"context"
	"errors"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/recovery/cover"
	"github.com/kithmesh/kith/protocol/seal"
)

// coverage is for what a folder's keys were last kept: if it is the same, there
// is nothing to do.
type coverage struct {
	statements, keys int
	own              entry.DeviceID
	replaced         int
}

// watchRecovery keeps the keys of all folders for the recovery keys in force,
// whatever changes: folders come, epochs begin, members make recovery keys. And
// it admits those who have the words.
func (d *Device) watchRecovery(ctx context.Context) {
	if len(d.words.First()) > 0 {
		d.tasks.start(d.bringRest)
	}
	for {
		changed := d.changed.next()
		d.coverAll()
		d.letRecoveries()
		if pause(ctx, coverEvery) != nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// coverEvery is how often folders are looked at.
const coverEvery = 50 * time.Millisecond

// coverAll keeps the keys of all folders for recovery.
func (d *Device) coverAll() {
	said := false
	for _, s := range d.allShares() {
		did, err := s.cover()
		if err != nil {
			d.Log.Warn("keep the keys of a folder for recovery", "folder", s.ID, "error", err)
		}
		said = said || did
	}
	if said {
		d.news()
	}
}

// cover keeps the folder's keys for the recovery keys in force and for the
// words of this device, which it makes one; and ends those that the words
// replace. An error is returned once, until something changes.
func (s *share) cover() (said bool, err error) {
	public, replaced, _ := s.device.words.InEffect()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := coverage{len(s.record.Roster), len(s.record.Keys), public.Device(), len(replaced)}
	if len(s.record.Keys) == 0 || s.device.words.looked(s.ID, now) {
		return false, nil
	}
	c := cover.Cover{By: s.device.id, Roster: s.roster, Keys: folderKeys(s.record.Keys), Own: public, Replaced: replaced}
	err = c.Run()
	if len(c.Said) == 0 {
		return false, err
	}
	rec := s.record
	rec.Roster = c.Roster.Statements()
	var added map[entry.Epoch]seal.FolderKey
	if c.Ended {
		var keyless error
		added, keyless = begin(&rec)
		c.Keys = folderKeys(rec.Keys)
		err = errors.Join(err, keyless, c.Keep())
		rec.Roster = c.Roster.Statements()
	}
	if failed := s.device.store.PutFolder(rec); failed != nil {
		return false, failed
	}
	s.roster, s.record = c.Roster, rec
	s.device.Log.Info("keys are kept for recovery", "folder", rec.Label, "statements", len(c.Said))
	return true, errors.Join(err, s.seal(added))
}

// looked tells whether nothing has changed since the last time.
func (w *phrases) looked(id entry.FolderID, now coverage) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	same := w.covered[id] == now
	w.covered[id] = now
	return same
}

// keepKeys keeps keys that are about to be put to use for the recovery keys in
// force, in the roster that is stored with them: nothing is ever sealed with a
// key that the words do not open. What cannot be kept is shown by
// recoveryProblems, and holds up no new key.
func (s *share) keepKeys(rec *membership.Folder, r roster.Roster) roster.Roster {
	c := cover.Cover{By: s.device.id, Roster: r, Keys: folderKeys(rec.Keys)}
	if err := c.Keep(); err != nil {
		s.device.Log.Warn("keep a new key for recovery", "folder", s.ID, "error", err)
	}
	if len(c.Said) > 0 {
		rec.Roster = c.Roster.Statements()
	}
	return c.Roster
}

// isRecovery tells whether a device ID is that of a recovery key in force.
func (s *share) isRecovery(id entry.DeviceID) bool { return s.rosterNow().IsRecovery(id) }

// rosterNow is what is known of the members and recovery keys.
func (s *share) rosterNow() roster.Roster {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster
}
