package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/epochs"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/seal"
)

// AddFolder implements [control.Folders].
func (d *Device) AddFolder(_ context.Context, r control.AddRequest) (control.Folder, error) {
	root, err := existingDirectory(r.Path)
	if err != nil {
		return control.Folder{}, fmt.Errorf("add %q: %w", r.Path, err)
	}
	label := r.Label
	if label == "" {
		label = filepath.Base(root)
	}
	d.setup.Lock()
	defer d.setup.Unlock()
	if err := d.placeFree(root, label); err != nil {
		return control.Folder{}, fmt.Errorf("add %q: %w", r.Path, err)
	}
	now := version.ClockAt(time.Now())
	id, founding, err := roster.NewFolder(d.id, roster.Founding{Label: label, Name: d.Name()}, now, rand.Reader)
	if err != nil {
		return control.Folder{}, fmt.Errorf("add %q: %w: %w", r.Path, control.ErrInvalid, err)
	}
	rec := membership.Folder{
		ID: id, Label: label, Path: root, Role: entry.RoleSync, AddedAt: time.Now(),
		Keys:   map[entry.Epoch]membership.Key{1: membership.Key(seal.NewFolderKey())},
		Roster: []roster.Statement{founding},
	}
	s, err := d.setUp(rec, true)
	if err != nil {
		return control.Folder{}, fmt.Errorf("add %q: %w", r.Path, err)
	}
	return s.controlled(), nil
}

// existingDirectory is the path with its links resolved.
func existingDirectory(path string) (string, error) {
	root, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", control.ErrNotFound
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(root)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%w: not a directory", control.ErrInvalid)
	}
	return root, err
}

// placeFree refuses a path or a label that is taken.
func (d *Device) placeFree(root, label string) error {
	for _, s := range d.allShares() {
		c := s.controlled()
		switch {
		case c.Path == root:
			return fmt.Errorf("%w (%q)", control.ErrPathTaken, c.Label)
		case c.Path != "" && (within(root, c.Path) || within(c.Path, root)):
			return fmt.Errorf("%w: %q is at %q", control.ErrNested, c.Label, c.Path)
		case c.Label == label:
			return fmt.Errorf("label %q: %w", label, control.ErrLabelTaken)
		}
	}
	for _, own := range []string{d.Places.State, filepath.Dir(d.Places.Config)} {
		if root == own || within(root, own) || within(own, root) {
			return fmt.Errorf("%w: kith keeps its own files in %q", control.ErrNested, own)
		}
	}
	return nil
}

// within tells whether path lies below dir.
func within(path, dir string) bool {
	return strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

// setUp makes a tree a folder and starts it: the marker first, as a folder
// without one stops and does no harm.
func (d *Device) setUp(rec membership.Folder, begin bool) (*share, error) {
	if rec.Role == entry.RoleBackup {
		return d.setUpVault(rec)
	}
	if err := tree.Create(rec.Path, rec.ID); err != nil {
		switch {
		case errors.Is(err, tree.ErrOtherFolder):
			err = fmt.Errorf("%w: %w", control.ErrPathTaken, err)
		case errors.Is(err, tree.ErrNested):
			err = fmt.Errorf("%w: %w", control.ErrNested, err)
		}
		return nil, err
	}
	if err := d.store.PutFolder(rec); err != nil {
		return nil, errors.Join(err, tree.Unmark(rec.Path, rec.ID))
	}
	s, err := d.startWith(rec, starting{begin: begin})
	if err != nil {
		return nil, errors.Join(err, d.store.RemoveFolder(rec.ID), tree.Unmark(rec.Path, rec.ID))
	}
	d.meetCompanions()
	return s, nil
}

// setUpVault makes a vault for a folder and starts it. A directory that a
// person gives for it is empty, or is that of a vault of this folder.
func (d *Device) setUpVault(rec membership.Folder) (*share, error) {
	if rec.Path != "" {
		if err := errors.Join(mayHold(rec.Path), d.placeVault(rec.ID, rec.Path)); err != nil {
			return nil, err
		}
		rec.Path = ""
	}
	if err := d.store.PutFolder(rec); err != nil {
		return nil, err
	}
	s, err := d.startShare(rec)
	if err != nil {
		return nil, errors.Join(err, d.store.RemoveFolder(rec.ID))
	}
	d.meetCompanions()
	return s, nil
}

// mayHold refuses a directory for a vault in which something else lies.
func mayHold(dir string) error {
	found, err := os.ReadDir(dir)
	if err != nil || len(found) == 0 {
		return err
	}
	if _, err := os.Stat(backup.VaultDir(dir)); err != nil {
		return fmt.Errorf("%w: %q is not empty, and no vault", control.ErrInvalid, dir)
	}
	return nil
}

// Share implements [control.Sharing].
func (d *Device) Share(_ context.Context, r control.ShareRequest) (control.Share, error) {
	s, err := d.findShare(r.Folder)
	if err != nil {
		return control.Share{}, fmt.Errorf("share: %w", err)
	}
	p, err := d.findPeer(r.Device)
	if err != nil {
		return control.Share{}, fmt.Errorf("share %q: %w", r.Folder, err)
	}
	role := r.Role
	if role == 0 {
		role = entry.RoleSync
	}
	err = s.say(func(ro roster.Roster, now version.Clock) (roster.Statement, error) {
		return ro.Admit(d.id, roster.Admission{
			Device: p.ID, Name: p.Name, Role: role, Rights: rightsOf(role),
		}, now)
	})
	if err != nil {
		return control.Share{}, fmt.Errorf("share %q with %q: %w", r.Folder, r.Device, err)
	}
	return control.Share{Folder: s.controlled(), Device: d.identity(p.ID), Role: role}, nil
}

// rightsOf is what a device is admitted with: all devices of a person may admit
// others and put them out, so that any of them can act when one is lost. One
// that only receives decides about nobody.
func rightsOf(r entry.Role) roster.Rights {
	if r == entry.RoleSync || r == entry.RoleSend || r == entry.RoleArchive {
		return roster.Every
	}
	return 0
}

// How long a device that has just paired may take to make its offers.
const (
	freshPeer = 10 * time.Second
	offerTime = 3 * time.Second
)

// awaitOffers waits, for a moment only, for the offers of devices that have
// just paired with this one, unless there is enough without them.
func (d *Device) awaitOffers(ctx context.Context, enough func() bool) {
	ctx, cancel := context.WithTimeout(ctx, offerTime)
	defer cancel()
	for {
		changed := d.changed.next()
		if enough() || !d.offersPending() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// offersPending tells whether a device that has just paired with this one is
// still to say what it offers.
func (d *Device) offersPending() bool {
	for _, p := range d.store.Peers() {
		if time.Since(p.PairedAt) < freshPeer {
			if l := d.link(p.ID); l == nil || !l.offersHeard() {
				return true
			}
		}
	}
	return false
}

// Offers implements [control.Sharing].
func (d *Device) Offers(ctx context.Context) ([]control.Offer, error) {
	d.awaitOffers(ctx, func() bool { return false })
	out := []control.Offer{}
	for _, o := range d.store.Offers() {
		if d.share(o.Folder) == nil {
			out = append(out, control.Offer{Folder: o.Folder, Label: o.Label, From: d.identity(o.From), Role: o.Role})
		}
	}
	return out, nil
}

// AcceptOffer implements [control.Sharing].
func (d *Device) AcceptOffer(ctx context.Context, r control.AcceptRequest) (control.Folder, error) {
	d.awaitOffers(ctx, func() bool { _, err := d.findOffer(r.Folder); return err == nil })
	d.setup.Lock()
	defer d.setup.Unlock()
	o, err := d.findOffer(r.Folder)
	if err != nil {
		return control.Folder{}, fmt.Errorf("accept: %w", err)
	}
	role := r.Role
	if role == 0 {
		role = o.Role
	}
	members, _, _ := roster.New(o.Folder, identity.Verify).Add(o.Statements...)
	keys := epochs.Sound(o.Keys, epochs.Removals(members.Statements()))
	switch {
	case role.HoldsKey() && len(keys) == 0:
		return control.Folder{}, fmt.Errorf("%w: %q is offered as %s, which cannot become %s", control.ErrInvalid, o.Label, o.Role, role)
	case r.Path == "" && role != entry.RoleBackup:
		return control.Folder{}, fmt.Errorf("%w: accept %q: a path is needed", control.ErrInvalid, o.Label)
	case role == entry.RoleBackup:
		keys = nil
	}
	label, root := d.freeLabel(o.Label), ""
	if r.Path != "" {
		if root, err = madeDirectory(r.Path); err == nil {
			err = d.placeFree(root, label)
		}
		if err != nil {
			return control.Folder{}, fmt.Errorf("accept %q at %q: %w", o.Label, r.Path, err)
		}
	}
	rec := membership.Folder{
		ID: o.Folder, Label: label, Path: root, Role: role, Keys: keys, Roster: o.Statements, AddedAt: time.Now(),
	}
	s, err := d.setUp(rec, false)
	if err != nil {
		return control.Folder{}, fmt.Errorf("accept %q at %q: %w", o.Label, r.Path, err)
	}
	for _, same := range d.store.Offers() {
		if same.Folder == o.Folder {
			if err := d.store.RemoveOffer(same.Folder, same.From); err != nil {
				d.Log.Warn("forget an offer", "error", err)
			}
		}
	}
	d.news()
	return s.controlled(), nil
}

// madeDirectory is the path with its links resolved, made if it is missing.
func madeDirectory(path string) (string, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return "", err
	}
	return existingDirectory(path)
}

// findOffer is the offer that a text names; of several for one folder the
// latest.
func (d *Device) findOffer(text string) (membership.Offer, error) {
	byFolder := map[entry.FolderID]membership.Offer{}
	for _, o := range d.store.Offers() {
		id := o.Folder.String()
		if d.share(o.Folder) != nil || o.Label != text && !(isPart(text) && strings.HasPrefix(id, strings.ToLower(text))) {
			continue
		}
		if had, ok := byFolder[o.Folder]; !ok || o.At.After(had.At) {
			byFolder[o.Folder] = o
		}
	}
	var fit []membership.Offer
	for _, o := range byFolder {
		fit = append(fit, o)
	}
	return one(fit, text, control.ErrNotOffered)
}

// freeLabel is the label, with a number if another folder here has it.
func (d *Device) freeLabel(label string) string {
	taken := map[string]bool{}
	for _, s := range d.allShares() {
		taken[s.controlled().Label] = true
	}
	free := label
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s %d", label, n)
	}
	return free
}
