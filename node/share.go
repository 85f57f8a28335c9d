package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// share is one folder of this device with its membership.
type share struct {
	body
	ID     entry.FolderID
	tree   *folder.Folder // nil for a backup
	keeper *backup.Keeper // nil where no history is kept
	// noHistory is why there is none, where there should be.
	noHistory error
	device    *Device
	stop      context.CancelFunc
	done      <-chan struct{} // closed when the folder has stopped

	seeding atomic.Bool // it hears nobody but its own vault yet

	mu      sync.Mutex
	record  membership.Folder // as stored
	roster  roster.Roster
	parting map[entry.DeviceID]bool // put out just now, and still to be told
	derived []*seal.Keys            // of record, the newest first
}

// startShare starts a folder that is in the store.
func (d *Device) startShare(rec membership.Folder) (*share, error) {
	return d.startWith(rec, starting{})
}

// starting says how a folder is started, beside what is stored of it.
type starting struct {
	begin  bool // this device has just made it
	whole  bool // the vault beside the tree is to hold all that the tree does
	seeded bool // the vault beside the tree may hold what the tree lacks
}

// startWith starts a folder.
func (d *Device) startWith(rec membership.Folder, how starting) (*share, error) {
	s := &share{device: d, ID: rec.ID, record: rec, parting: map[entry.DeviceID]bool{}}
	r, _, refused := roster.New(rec.ID, identity.Verify).Add(rec.Roster...)
	if len(refused) > 0 {
		return nil, fmt.Errorf("read its roster: %w", errors.Join(refused...))
	}
	s.roster, s.record.Roster = r, r.Statements()
	run, err := s.embody(how)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.claim(), s.describe()); err != nil {
		return nil, errors.Join(err, s.closeKeeper())
	}
	s.seeding.Store(how.seeded && s.keeper != nil)
	d.mu.Lock()
	d.shares[rec.ID] = s
	d.mu.Unlock()
	s.stop, s.done = d.tasks.start(run)
	d.tasks.start(func(ctx context.Context) error { s.tune(ctx); return nil }) // settings may have changed meanwhile
	s.expectKey()
	if s.seeding.Load() {
		d.tasks.start(s.seed)
		d.news()
		return s, nil
	}
	d.eachLink(func(l *link) {
		d.tasks.start(func(ctx context.Context) error { _ = l.attach(ctx, rec.ID); return nil })
	})
	d.news()
	return s, nil
}

// embody makes what the share is to the other members, and what runs it.
func (s *share) embody(how starting) (run func(context.Context) error, err error) {
	d, rec := s.device, s.record
	if rec.Role == entry.RoleBackup {
		if err := s.keep(false); err != nil {
			return nil, err
		}
		s.body = vaultBody{s.keeper}
		return s.runKeeper, s.keeper.KeepRoster(rec.Roster)
	}
	var history folder.History
	if how.whole || s.hasHistory() {
		if err := s.keep(!how.whole); err != nil {
			if how.whole {
				return nil, err
			}
			// Files come first: the folder goes on without.
			d.Log.Error("no history is kept", "folder", rec.Label, "error", err)
			s.noHistory = err
		} else if !how.whole {
			history = beside{s.keeper}
		}
	}
	now := d.setting()
	f, err := folder.New(folder.Options{
		ID: rec.ID, Root: rec.Path, Name: d.Name(), Device: d.id.ID(), Keys: folderKeys(rec.Keys), DB: d.db, Log: d.Log, History: history,
		Role: rec.Role, Choices: rulesOf(rec.Choices), Begin: how.begin, Alone: s.alone, Claimed: s.isClaimed, Blind: s.isBlind,
		Brake: brakeLimits(&now), Rescan: now.RescanInterval, Changed: d.news,
	})
	if err != nil {
		return nil, errors.Join(err, s.closeKeeper())
	}
	s.body, s.tree = treeBody{f}, f
	if s.keeper == nil {
		return f.Run, nil
	}
	return s.runBeside, s.keeper.KeepRoster(rec.Roster)
}

// news wakes whoever tells peers or shows a status.
func (d *Device) news() {
	d.eachLink(func(l *link) { l.teller.Wake() })
	d.changed.tell()
}

func (d *Device) eachLink(fn func(*link)) {
	d.mu.Lock()
	links := make([]*link, 0, len(d.links))
	for _, l := range d.links {
		links = append(links, l)
	}
	d.mu.Unlock()
	for _, l := range links {
		fn(l)
	}
}

// share returns a folder of this device, nil if it has none of that ID.
func (d *Device) share(id entry.FolderID) *share {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shares[id]
}

func (d *Device) allShares() []*share {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]*share, 0, len(d.shares))
	for _, s := range d.shares {
		out = append(out, s)
	}
	return out
}

// alone tells whether nobody else holds the folder's key.
func (s *share) alone() bool {
	for _, m := range s.members() {
		if m.Device != s.device.id.ID() && m.Role.HoldsKey() {
			return false
		}
	}
	return true
}

func (s *share) members() []roster.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster.Members()
}

// member tells whether a device is a member.
func (s *share) member(d entry.DeviceID) (roster.Member, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster.Member(d)
}

// joined tells whether a device has joined, and not only been admitted.
func (s *share) joined(d entry.DeviceID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.roster.Claimed(d)) > 0
}

func (s *share) statements() []roster.Statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roster.Statements()
}

// folderState is what peers are told of the folder.
func (s *share) folderState() exchange.FolderState {
	st := s.State()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Roster = s.roster.Digest()
	return st
}

// add merges statements into the roster, durably.
func (s *share) add(statements ...roster.Statement) (refused []error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, added, refused := s.roster.Add(statements...)
	if len(added) == 0 {
		return refused, nil
	}
	rec := s.record
	rec.Roster = r.Statements()
	if err := s.device.store.PutFolder(rec); err != nil {
		return refused, err
	}
	s.roster, s.record = r, rec
	if s.keeper != nil {
		err = s.keeper.KeepRoster(rec.Roster)
	}
	return refused, err
}

// say makes a statement of this device and adds it.
func (s *share) say(make func(r roster.Roster, now version.Clock) (roster.Statement, error)) error {
	s.mu.Lock()
	st, err := make(s.roster, version.ClockAt(time.Now()))
	s.mu.Unlock()
	if err != nil {
		return err
	}
	refused, err := s.add(st)
	if err == nil && len(refused) > 0 {
		err = errors.Join(refused...)
	}
	s.device.news()
	return err
}

// describe says what this device is called and what it does for the folder,
// where the roster says otherwise.
func (s *share) describe() error {
	name := s.device.Name()
	s.mu.Lock()
	role := s.record.Role
	m, member := s.roster.Member(s.device.id.ID())
	s.mu.Unlock()
	if !member || m.Name == name && m.Role == role {
		return nil
	}
	return s.say(func(r roster.Roster, now version.Clock) (roster.Statement, error) {
		return r.Describe(s.device.id, name, role, now)
	})
}

// isClaimed tells whether a member has said that a replica is its own.
func (s *share) isClaimed(r version.ReplicaID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.roster.DeviceOf(r)
	return ok
}

// claim ties this index's replica to this device, for all members to know.
func (s *share) claim() error {
	replica := s.State().Replica
	s.mu.Lock()
	claimed := slices.Contains(s.roster.Claimed(s.device.id.ID()), replica)
	s.mu.Unlock()
	if claimed {
		return nil
	}
	if _, member := s.member(s.device.id.ID()); !member {
		return nil // put out while it was away; it still has its files
	}
	return s.say(func(r roster.Roster, now version.Clock) (roster.Statement, error) {
		return r.Claim(s.device.id, replica, now)
	})
}

// controlled is the folder as control shows it.
func (s *share) controlled() control.Folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return control.Folder{ID: s.record.ID, Label: s.record.Label, Path: s.record.Path, Role: s.record.Role}
}
