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
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/seal"
)

// rebuild changes what a share is made of: a device with a tree becomes a
// backup, or the reverse. What it holds is not fetched again.
func (d *Device) rebuild(ctx context.Context, s *share, r control.RoleRequest) (control.Folder, error) {
	d.setup.Lock()
	defer d.setup.Unlock()
	var err error
	if r.Role == entry.RoleBackup {
		s, err = d.becomeVault(ctx, s)
	} else {
		s, err = d.becomeTree(ctx, s, r)
	}
	if errors.Is(err, roster.ErrRight) {
		err = control.WithHint(fmt.Errorf("%w: it was admitted as a backup: %w", control.ErrInvalid, err),
			"have another device share the folder with it as "+r.Role.String())
	}
	if err != nil {
		return control.Folder{}, fmt.Errorf("role of %q as %s: %w", r.Folder, r.Role, err)
	}
	d.news()
	return s.controlled(), nil
}

// halt stops what runs of a share; the caller starts it again.
func (d *Device) halt(s *share) {
	d.mu.Lock()
	delete(d.shares, s.ID)
	d.mu.Unlock()
	s.stop()
	<-s.done
}

// restart stops a share and starts it as it is stored.
func (s *share) restart() error {
	rec, ok := s.device.store.Folder(s.ID)
	if !ok {
		return fmt.Errorf("folder %s: %w", s.ID, control.ErrNoFolder)
	}
	s.device.halt(s)
	_, err := s.device.startShare(rec)
	return err
}

// becomeVault puts all that the tree holds into a vault, and goes on with that
// alone. The files stay where they are, and are nobody's but the user's.
func (d *Device) becomeVault(ctx context.Context, was *share) (*share, error) {
	rec, _ := d.store.Folder(was.ID)
	d.halt(was)
	s, err := d.startWith(rec, starting{whole: true})
	if err != nil {
		return nil, errors.Join(err, was.again()) // as it was before
	}
	if err := s.fill(ctx); err != nil {
		return nil, errors.Join(err, s.restart())
	}
	if err := s.describeAs(entry.RoleBackup); err != nil {
		return nil, errors.Join(err, s.restart())
	}
	rec, _ = d.store.Folder(s.ID) // with what was said meanwhile
	root := rec.Path
	rec.Role, rec.Path, rec.Keys, rec.Choices = entry.RoleBackup, "", nil, nil
	d.halt(s)
	if err := d.store.Strip(rec); err != nil {
		return nil, errors.Join(err, s.again())
	}
	err = errors.Join(d.db.Update(func(tx *index.Tx) error { return tx.DropFolder(rec.ID) }), tree.Unmark(root, rec.ID),
		durable.Write(d.forgetMark(), nil, 0o600))
	if err != nil {
		d.Log.Warn("leave a tree behind", "path", root, "error", err)
	}
	return d.startShare(rec)
}

// again starts a share that was halted.
func (s *share) again() error {
	rec, ok := s.device.store.Folder(s.ID)
	if !ok {
		return nil
	}
	_, err := s.device.startShare(rec)
	return err
}

// describeAs says what this device does for the folder.
func (s *share) describeAs(role entry.Role) error {
	name := s.device.Name()
	return s.say(func(ro roster.Roster, now version.Clock) (roster.Statement, error) {
		return ro.Describe(s.device.id, name, role, now)
	})
}

// fillSlice is how many versions are put into a vault together.
const fillSlice = 500

// fillTurns is how often the vault is filled with what has changed meanwhile.
const fillTurns = 5

// fill puts all that the tree holds into the vault, and what is changed
// meanwhile: what is there already costs little.
func (s *share) fill(ctx context.Context) error {
	for range fillTurns {
		if err := s.tree.Scan(ctx); err != nil {
			return err
		}
		head := s.State().Head
		if err := s.fillOnce(ctx); err != nil {
			return err
		}
		if s.State().Head == head {
			return nil
		}
	}
	return nil // a file that never rests is still where it lies
}

func (s *share) fillOnce(ctx context.Context) error {
	var records []*seal.Record
	put := func() error {
		if len(records) == 0 {
			return nil
		}
		err := s.keeper.StoreAll(ctx, records, s.contentHere)
		if errors.Is(err, errNotHere) {
			for _, r := range records { // one of them has changed: it is told again
				if err := s.keeper.Store(ctx, r, s.contentHere); err != nil && !errors.Is(err, errNotHere) {
					return err
				}
			}
			err = nil
		}
		records = records[:0]
		return err
	}
	for e, err := range s.tree.Entries() {
		if err != nil {
			return err
		}
		if e.Unknown || e.Absent {
			continue
		}
		for _, k := range s.keys() {
			if k.Epoch() != e.Epoch {
				continue
			}
			r, err := k.SealRecord(e)
			if err != nil {
				return fmt.Errorf("seal %q: %w", e.Path, err)
			}
			records = append(records, r)
		}
		if len(records) == fillSlice {
			if err := put(); err != nil {
				return err
			}
		}
	}
	return put()
}

var errNotHere = errors.New("it is not in the tree any more")

// contentHere gives sealed blocks from the tree.
func (s *share) contentHere(ctx context.Context, ids []entry.BlockID, got func(entry.BlockID, []byte) error) error {
	i := -1
	return s.tree.Sealed(ctx, ids, true, func(sealed []byte) error {
		i++
		if sealed == nil {
			return errNotHere
		}
		return got(ids[i], sealed)
	})
}

// keyWait is how long a member that holds the key is waited for.
const keyWait = 15 * time.Second

// becomeTree gives a backup a tree, whose content comes from its own vault
// first. The vault goes on as the history beside it.
func (d *Device) becomeTree(ctx context.Context, s *share, r control.RoleRequest) (*share, error) {
	if r.Path == "" {
		return nil, fmt.Errorf("%w: a path is needed for its files", control.ErrInvalid)
	}
	if s.keeper.StoreAddress().URL != "" {
		return nil, control.WithHint(fmt.Errorf("%w: its packs lie in a store", control.ErrInvalid), "get them back first: kith store FOLDER here")
	}
	root, err := madeDirectory(r.Path)
	if err == nil {
		err = d.placeFree(root, "")
	}
	if err == nil {
		err = s.describeAs(r.Role)
	}
	if err == nil {
		err = s.awaitKeys(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.describe())
	}
	set := s.keeper.Settings()
	d.halt(s)
	rec, _ := d.store.Folder(s.ID)
	rec.Role, rec.Path = r.Role, root
	if err := errors.Join(backup.Keep(d.vaultPlace(rec.ID), set), tree.Create(root, rec.ID)); err != nil {
		rec.Role, rec.Path, rec.Keys = entry.RoleBackup, "", nil // it goes on as a backup, which holds none
		return nil, errors.Join(err, d.store.Strip(rec), s.again())
	}
	if err := d.store.PutFolder(rec); err != nil {
		return nil, errors.Join(err, tree.Unmark(root, rec.ID), s.again())
	}
	if s, err = d.startWith(rec, starting{seeded: true}); err != nil {
		return nil, err
	}
	d.meetCompanions()
	return s, nil
}

// awaitKeys waits until a member has given this device the folder's keys.
func (s *share) awaitKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	for {
		changed := s.device.changed.next()
		if len(s.epochs()) > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			err := fmt.Errorf("%w: no member that holds the folder's key is connected", control.ErrNotFound)
			return control.WithHint(err, "connect one of them and try again")
		}
	}
}
