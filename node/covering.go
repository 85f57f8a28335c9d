package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol/seal"
)

// Bounds of what is kept for recovery keys: they have to leave room in a
// roster for what a member says besides.
const (
	maxRecoveries = 8                        // of one folder that keys are kept for
	maxSaid       = roster.MaxByAuthor - 128 // statements of one member, after which it keeps no more
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
	if len(d.words.first()) > 0 {
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
	public, replaced, _ := s.device.words.inEffect()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := coverage{len(s.record.Roster), len(s.record.Keys), public.Device(), len(replaced)}
	if len(s.record.Keys) == 0 || s.device.words.looked(s.ID, now) {
		return false, nil
	}
	c := covering{by: s.device.id, roster: s.roster, folder: s.ID, keys: s.record.Keys, own: public, replaced: replaced}
	err = c.run()
	if len(c.said) == 0 {
		return false, err
	}
	rec := s.record
	rec.Roster = c.roster.Statements()
	var added map[entry.Epoch]seal.FolderKey
	if c.ended {
		var keyless error
		added, keyless = begin(&rec)
		c.keys = rec.Keys
		err = errors.Join(err, keyless, c.keep())
		rec.Roster = c.roster.Statements()
	}
	if failed := s.device.store.PutFolder(rec); failed != nil {
		return false, failed
	}
	s.roster, s.record = c.roster, rec
	s.device.Log.Info("keys are kept for recovery", "folder", rec.Label, "statements", len(c.said))
	return true, errors.Join(err, s.seal(added))
}

// looked tells whether nothing has changed since the last time.
func (w *words) looked(id entry.FolderID, now coverage) bool {
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
	c := covering{by: s.device.id, roster: r, folder: s.ID, keys: rec.Keys}
	if err := c.keep(); err != nil {
		s.device.Log.Warn("keep a new key for recovery", "folder", s.ID, "error", err)
	}
	if len(c.said) > 0 {
		rec.Roster = c.roster.Statements()
	}
	return c.roster
}

// covering makes the statements that keep the keys of a folder for recovery.
type covering struct {
	by       roster.Signer
	roster   roster.Roster // with what was said
	folder   entry.FolderID
	keys     map[entry.Epoch]membership.Key
	own      recovery.Public // the words of this device; zero if there are none
	replaced []entry.DeviceID

	said  []roster.Statement
	ended bool // a recovery key
}

func (c *covering) run() error {
	if m, in := c.roster.Member(c.by.ID()); !in || !m.Role.HoldsKey() {
		return nil
	}
	err := c.found()
	if err == nil {
		err = c.keep()
	}
	return errors.Join(err, c.end())
}

func (c *covering) say(st roster.Statement, err error) error {
	if err != nil {
		return err
	}
	r, _, refused := c.roster.Add(st)
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	c.roster, c.said = r, append(c.said, st)
	return nil
}

// found makes the words of this device a recovery key of the folder, if they
// are to be one, and this device may. Words that were revoked stay so.
func (c *covering) found() error {
	id := c.own.Device()
	if id == "" || c.roster.IsRecovery(id) || c.roster.Revoked(id) {
		return nil
	}
	sealed, err := c.own.Seal(c.folder, folderKeys(c.keys))
	if err != nil {
		return err
	}
	st, err := c.roster.Recover(c.by, id, sealed[0], version.ClockAt(time.Now()))
	if errors.Is(err, roster.ErrRight) {
		return nil // it receives only
	}
	return c.say(st, err)
}

// keep keeps all keys for all recovery keys in force. Each member does so
// itself: none can see whether another has sealed what it says.
func (c *covering) keep() error {
	all := c.roster.Recoveries()
	slices.SortStableFunc(all, func(a, b roster.Recovery) int {
		if (a.Device == c.own.Device()) != (b.Device == c.own.Device()) {
			return map[bool]int{true: -1, false: 1}[a.Device == c.own.Device()]
		}
		return cmp.Compare(a.Clock, b.Clock)
	})
	var failed error
	for _, r := range all[:min(len(all), maxRecoveries)] {
		failed = errors.Join(failed, c.keepFor(&r))
	}
	return failed
}

var errKept = errors.New("this device has said so much about the folder that it keeps no more keys for recovery")

func (c *covering) saidByMe() (n int) {
	for _, st := range c.roster.Statements() {
		if st.Author == c.by.ID() {
			n++
		}
	}
	return n
}

func (c *covering) keepFor(r *roster.Recovery) error {
	public, mine := recovery.Public{}, [][]byte(nil)
	for _, k := range r.Sealed {
		if p, _, err := recovery.Read(r.Device, k.Payload); err == nil {
			public = p
			if k.Author == c.by.ID() {
				mine = append(mine, k.Payload)
			}
		}
	}
	missing := public.Missing(folderKeys(c.keys), mine)
	if public.Device() == "" || len(missing) == 0 {
		return nil
	}
	sealed, err := public.Seal(c.folder, missing)
	if err != nil {
		return err
	}
	for _, payload := range sealed {
		if c.saidByMe() >= maxSaid {
			return errKept
		}
		if err := c.say(c.roster.AddKeys(c.by, r.Device, payload, version.ClockAt(time.Now()))); err != nil {
			return err
		}
	}
	return nil
}

// end ends the recovery keys that the words of this device have replaced.
func (c *covering) end() error {
	if !c.roster.IsRecovery(c.own.Device()) {
		return nil
	}
	for _, id := range c.replaced {
		if !c.roster.IsRecovery(id) {
			continue
		}
		err := c.say(c.roster.Revoke(c.by, id, version.ClockAt(time.Now())))
		if err != nil && !errors.Is(err, roster.ErrRight) {
			return fmt.Errorf("end earlier recovery words: %w", err)
		}
		c.ended = c.ended || err == nil
	}
	return nil
}

// recoveries are the recovery keys of the folder.
func (s *share) recoveries() []roster.Recovery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster.Recoveries()
}

// isRecovery tells whether a device ID is that of a recovery key in force.
func (s *share) isRecovery(id entry.DeviceID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster.IsRecovery(id)
}

func payloads(sealed []roster.SealedKeys) [][]byte {
	out := make([][]byte, 0, len(sealed))
	for _, k := range slices.Backward(sealed) { // earliest first
		out = append(out, k.Payload)
	}
	return out
}
