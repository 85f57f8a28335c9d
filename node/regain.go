package node

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// placement is where a folder is to lie on this device.
type placement struct {
	here  bool // it is on this device already
	label string
	root  string
	first []entry.Path // before all else
}

// place finds a place for each folder below a directory, before anything is
// said of it to others.
func (d *Device) place(to string, back []*regained) error {
	taken := map[string]bool{}
	for _, f := range back {
		if s := d.share(f.ID); s != nil {
			f.put.here = true
			continue
		}
		label := f.Label
		for n := 2; taken[directoryOf(label)] || d.freeLabel(label) != label; n++ {
			label = fmt.Sprintf("%s %d", f.Label, n)
		}
		taken[directoryOf(label)] = true
		path := filepath.Join(to, directoryOf(label))
		root, err := madeDirectory(path)
		if err == nil {
			err = d.placeFree(root, label)
		}
		if err != nil {
			return fmt.Errorf("put %q at %q: %w", f.Label, path, err)
		}
		f.put.label, f.put.root = label, root
	}
	return nil
}

// directoryOf is a name for the directory of a folder: its label, made harmless.
func directoryOf(label string) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, label)
	if name = strings.TrimRight(name, " ."); strings.HasPrefix(name, ".") || name == "" {
		name = "_" + name
	}
	return name
}

// takeBack makes folders of what was found, of which this device is a member
// now, and has their files come.
func (o *recovering) takeBack(ctx context.Context, public recovery.Public) error {
	d, wait := o.device, len(o.request.Paths) > 0
	if err := d.rememberWords(public, o.back, wait); err != nil {
		return err
	}
	for _, f := range o.back {
		d.meetAgain(f)
		s := d.share(f.ID)
		var err error
		if s == nil {
			s, err = d.regain(ctx, f, wait)
		} else {
			err = d.rejoin(ctx, s, f)
		}
		if err != nil {
			return fmt.Errorf("take %q back: %w", f.Label, err)
		}
		d.meetAgain(f)
		if f.revoked {
			s.catchUp()
		}
		o.out.Folders = append(o.out.Folders, s.controlled())
	}
	d.coverAll()
	d.news()
	if !wait {
		return nil
	}
	_, done := d.tasks.start(d.bringRest)
	return d.awaitFirst(ctx, done, o.progress)
}

// rejoin tells a folder that is here, and of which this device may have been put
// out, what was found.
func (d *Device) rejoin(ctx context.Context, s *share, f *regained) error {
	before := s.members()
	if _, err := s.add(f.Roster.Statements()...); err != nil {
		return err
	}
	if s.controlled().Role.HoldsKey() {
		if refused, err := s.addKeys(d.keysOf(ctx, f)); err != nil || refused != nil {
			d.Log.Warn("take keys that were kept for recovery", "folder", s.ID, "refused", refused, "error", err)
		}
	}
	s.rosterChanged(before)
	return nil
}

// rememberWords stores that the words with which this device came back cover
// its further folders, unless it has others; and what is to come first.
func (d *Device) rememberWords(public recovery.Public, back []*regained, first bool) error {
	d.words.changing.Lock()
	defer d.words.changing.Unlock()
	created := time.Now()
	var paths map[entry.FolderID][]entry.Path
	if first {
		paths = map[entry.FolderID][]entry.Path{}
	}
	for _, f := range back {
		created = f.Made(public, created)
		if first {
			paths[f.ID] = f.put.first
		}
	}
	return d.words.CameBack(public, created, paths)
}

// meetAgain stores where the members were met who tell of a folder.
func (d *Device) meetAgain(f *regained) {
	for _, w := range f.members {
		p, known := d.store.Peer(w.ID)
		if !known {
			p = membership.Peer{ID: w.ID, Name: w.Name}
		}
		for _, a := range w.addresses {
			if !slices.Contains(p.Addresses, a) {
				p.Addresses = append(p.Addresses, a)
			}
		}
		err := d.store.PutPeer(p)
		if err == nil {
			err = d.trust(p)
		}
		if err != nil {
			d.Log.Warn("remember where a folder came from", "device", w.ID, "error", err)
		}
	}
}

// regain makes a folder of what was found.
func (d *Device) regain(ctx context.Context, f *regained, wait bool) (*share, error) {
	rec := membership.Folder{
		ID: f.ID, Label: f.put.label, Path: f.put.root, Role: entry.RoleSync, AddedAt: time.Now(),
		Keys: storedKeys(d.keysOf(ctx, f)), Roster: f.Roster.Statements(),
	}
	if wait {
		rec.Choices = []membership.Choice{{Path: "", Here: false}}
		for _, p := range f.put.first {
			rules := rulesOf(rec.Choices).With(choice.Rule{Path: p, Here: true})
			rec.Choices = nil
			for _, r := range rules.List() {
				rec.Choices = append(rec.Choices, membership.Choice(r))
			}
		}
	}
	d.setup.Lock()
	defer d.setup.Unlock()
	if err := d.placeFree(f.put.root, f.put.label); err != nil {
		return nil, err
	}
	s, err := d.setUp(rec, false)
	if err == nil {
		d.dropOffers(f.ID)
	}
	return s, err
}

func (d *Device) dropOffers(id entry.FolderID) {
	for _, o := range d.store.Offers() {
		if o.Folder == id {
			if err := d.store.RemoveOffer(id, o.From); err != nil {
				d.Log.Warn("forget an offer", "error", err)
			}
		}
	}
}

// tryTime bounds the look for what is sealed with a contested key.
const tryTime = 20 * time.Second

// keysOf picks the keys of a folder that is got back; its members are asked
// where they are contested.
func (d *Device) keysOf(ctx context.Context, f *regained) map[entry.Epoch]seal.FolderKey {
	var histories []recovery.History
	for _, w := range f.members {
		histories = append(histories, func(each func(*seal.Record) error) error {
			ctx, cancel := context.WithTimeout(ctx, tryTime)
			defer cancel()
			l := d.linkSoon(ctx, w.ID)
			if l == nil {
				return ctx.Err()
			}
			past := l.past(f.ID)
			defer past.Close()
			return past.Received(ctx, 0, func(h history.Held) error { return each(h.Record) })
		})
	}
	keys, unsure := recovery.TrueKeys(f.ID, f.Keys, histories...)
	if len(unsure) > 0 {
		d.Log.Error("members have kept different keys for recovery, and which is true could not be found", "folder", f.ID, "epochs", len(unsure))
	}
	return keys
}
