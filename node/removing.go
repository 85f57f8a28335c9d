package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/tree"
)

// LeaveFolder implements [control.Folders].
func (d *Device) LeaveFolder(_ context.Context, text string) (control.Folder, error) {
	s, err := d.findShare(text)
	if err != nil {
		return control.Folder{}, fmt.Errorf("leave: %w", err)
	}
	d.setup.Lock()
	defer d.setup.Unlock()
	err = s.say(func(r roster.Roster, now version.Clock) (roster.Statement, error) { return r.Leave(d.id, now) })
	if err != nil && !errors.Is(err, roster.ErrRight) {
		return control.Folder{}, fmt.Errorf("leave %q: %w", text, err)
	}
	d.eachLink(func(l *link) {
		if _, member := s.member(l.id); member {
			s.tellAtOnce(l)
		}
	})
	d.mu.Lock()
	delete(d.shares, s.ID)
	d.mu.Unlock()
	s.stop()
	<-s.done
	c := s.controlled()
	err = d.store.RemoveFolder(s.ID)
	if err == nil {
		err = d.db.Update(func(tx *index.Tx) error { return tx.DropFolder(s.ID) })
		if errors.Is(err, index.ErrNoFolder) {
			err = nil // a backup has no part of it
		}
	}
	if c.Path != "" {
		err = errors.Join(err, tree.Unmark(c.Path, s.ID))
	}
	err = errors.Join(err, d.guards.Forget(s.ID))
	d.meetCompanions()
	d.news()
	return c, err
}

// tellTime is how long a statement is waited for to arrive.
const tellTime = 2 * time.Second

// tellAtOnce sees to it that a connected device has heard the statements of a
// folder. A link tells asks before statements, and in order: once a second ask
// is answered, what was to be told at the first has arrived.
func (s *share) tellAtOnce(l *link) {
	if !l.meets() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tellTime)
	defer cancel()
	l.ask(ctx, s)
	l.ask(ctx, s)
}

// Unshare implements [control.Sharing].
func (d *Device) Unshare(_ context.Context, r control.UnshareRequest) (control.Share, error) {
	s, err := d.findShare(r.Folder)
	if err != nil {
		return control.Share{}, fmt.Errorf("unshare: %w", err)
	}
	p, err := d.findPeer(r.Device)
	if err != nil {
		return control.Share{}, fmt.Errorf("unshare %q: %w", r.Folder, err)
	}
	m, member := s.member(p.ID)
	if !member {
		return control.Share{}, fmt.Errorf("unshare %q: %q: %w", r.Folder, r.Device, control.ErrNotShared)
	}
	// Named before it goes: a device known through this folder alone is
	// forgotten with it.
	out := control.Share{Folder: s.controlled(), Device: d.identity(p.ID), Role: m.Role}
	err = s.putOut(p.ID)
	d.meetCompanions()
	if err != nil {
		return control.Share{}, fmt.Errorf("unshare %q: %w", r.Folder, err)
	}
	return out, nil
}

// errOldKey: a member is out, but no new epoch could begin.
var errOldKey = errors.New("it is a member no more, but the folder has no new key: what comes is sealed with one that it knows")

// putOut removes a member for good: what is sealed from now on is sealed with
// a key that it does not get. It is told so if it is connected, and whoever
// else is, is told before this returns. It wraps [errOldKey] if all is done but
// for the key.
func (s *share) putOut(id entry.DeviceID) error {
	s.mu.Lock()
	s.parting[id] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.parting, id)
		s.mu.Unlock()
		s.device.news()
	}()
	err := s.revoke(id)
	if err != nil && !errors.Is(err, errOldKey) {
		return err
	}
	_ = s.Detach(context.Background(), id)
	s.device.news()
	s.device.eachLink(func(l *link) {
		if _, member := s.member(l.id); member || l.id == id {
			s.tellAtOnce(l)
		}
	})
	return err
}

// revoke makes the statement and begins the new epoch in one step: there is no
// moment, and no crash, between the two.
func (s *share) revoke(id entry.DeviceID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.roster.Revoke(s.device.id, id, version.ClockAt(time.Now()))
	if err != nil {
		return err
	}
	r, _, refused := s.roster.Add(st)
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	rec := s.record
	rec.Roster = r.Statements()
	added, keyless := begin(&rec)
	r = s.keepKeys(&rec, r)
	if err := s.device.store.PutFolder(rec); err != nil {
		return err
	}
	s.roster, s.record = r, rec
	if keyless != nil {
		return fmt.Errorf("%w: %w", errOldKey, keyless)
	}
	return s.seal(added)
}

// isParting tells whether a device that was just put out is still to hear so.
func (s *share) isParting(id entry.DeviceID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parting[id]
}

// Revoke implements [control.Roles].
func (d *Device) Revoke(_ context.Context, text string) (control.Revoked, error) {
	p, err := d.findPeer(text)
	if err != nil {
		return control.Revoked{}, fmt.Errorf("revoke: %w", err)
	}
	out := control.Revoked{Identity: d.identity(p.ID)}
	var failed, unsealed error
	for _, s := range d.allShares() {
		if _, member := s.member(p.ID); !member {
			continue
		}
		err := s.putOut(p.ID)
		switch {
		case err == nil:
			out.Folders = append(out.Folders, s.controlled())
		case errors.Is(err, errOldKey):
			out.Folders = append(out.Folders, s.controlled())
			unsealed = errors.Join(unsealed, fmt.Errorf("put %q out of %q: %w", text, s.controlled().Label, err))
		case errors.Is(err, roster.ErrRight):
			out.Kept = append(out.Kept, s.controlled())
		default:
			failed = errors.Join(failed, fmt.Errorf("put %q out of %q: %w", text, s.controlled().Label, err))
		}
	}
	if failed != nil {
		return out, failed
	}
	if len(out.Kept) > 0 {
		// It stays a member of these, and is met for them alone.
		p.PairedAt = time.Time{}
		if err := d.store.PutPeer(p); err != nil {
			return out, err
		}
	} else if err := d.forgetPeer(p.ID); err != nil {
		return out, fmt.Errorf("end the pairing with %q: %w", text, err)
	}
	d.meetCompanions()
	d.news()
	return out, unsealed
}
