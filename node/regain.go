package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
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
		if s := d.share(f.id); s != nil {
			f.put.here = true
			continue
		}
		label := f.label
		for n := 2; taken[directoryOf(label)] || d.freeLabel(label) != label; n++ {
			label = fmt.Sprintf("%s %d", f.label, n)
		}
		taken[directoryOf(label)] = true
		path := filepath.Join(to, directoryOf(label))
		root, err := madeDirectory(path)
		if err == nil {
			err = d.placeFree(root, label)
		}
		if err != nil {
			return fmt.Errorf("put %q at %q: %w", f.label, path, err)
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

// firstPaths notes what is to come first: FOLDER/PATH.
func firstPaths(back []*regained, paths []string) error {
	for _, text := range paths {
		i := slices.IndexFunc(back, func(f *regained) bool { return text == f.label || strings.HasPrefix(text, f.label+"/") })
		if i < 0 {
			return fmt.Errorf("first %q: %w", text, control.ErrNoFolder)
		}
		p, err := placeIn(strings.Trim(strings.TrimPrefix(text, back[i].label), "/"))
		if err != nil {
			return fmt.Errorf("first %q: %w", text, err)
		}
		back[i].put.first = append(back[i].put.first, p)
	}
	return nil
}

// takeBack makes folders of what was found, of which this device is a member
// now, and has their files come.
func (d *Device) takeBack(
	ctx context.Context, public recovery.Public, back []*regained, out *control.Recovered, r control.RecoverRequest, progress func(string) error,
) error {
	if err := d.rememberWords(public, back, len(r.Paths) > 0); err != nil {
		return err
	}
	for _, f := range back {
		d.meetAgain(f)
		s := d.share(f.id)
		if s == nil {
			var err error
			if s, err = d.regain(ctx, f, len(r.Paths) > 0); err != nil {
				return fmt.Errorf("put %q at %q: %w", f.label, f.put.root, err)
			}
			d.dropOffers(f.id)
		} else if _, err := s.add(f.roster.Statements()...); err != nil {
			return fmt.Errorf("%q: %w", f.label, err)
		}
		d.meetAgain(f)
		if f.revoked {
			s.catchUp()
		}
		out.Folders = append(out.Folders, s.controlled())
	}
	d.coverAll()
	d.news()
	if len(r.Paths) == 0 {
		return nil
	}
	_, done := d.tasks.start(d.bringRest)
	return d.awaitFirst(ctx, done, progress)
}

// rememberWords stores that the words with which this device came back cover
// its further folders, unless it has others; and what is to come first.
func (d *Device) rememberWords(public recovery.Public, back []*regained, first bool) error {
	d.words.changing.Lock()
	defer d.words.changing.Unlock()
	created := time.Now()
	paths := map[string][][]byte{}
	for _, f := range back {
		for _, r := range f.roster.Recoveries() {
			if r.Device == public.Device() && r.Clock.Time().Before(created) {
				created = r.Clock.Time()
			}
		}
		paths[f.id.String()] = nil
		for _, p := range f.put.first {
			paths[f.id.String()] = append(paths[f.id.String()], []byte(p))
		}
	}
	return d.words.change(func(s *storedWords) {
		if len(s.Public) == 0 {
			s.Public, s.Created = public.Bytes(), created.Truncate(time.Second)
		}
		if first {
			s.First = paths
		}
	})
}

// meetAgain stores where the members were met who tell of a folder.
func (d *Device) meetAgain(f *regained) {
	for _, w := range f.members {
		p, known := d.store.Peer(w.id)
		if !known {
			p = membership.Peer{ID: w.id, Name: w.name}
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
			d.Log.Warn("remember where a folder came from", "device", w.id, "error", err)
		}
	}
}

// regain makes a folder of what was found.
func (d *Device) regain(ctx context.Context, f *regained, wait bool) (*share, error) {
	rec := membership.Folder{
		ID: f.id, Label: f.put.label, Path: f.put.root, Role: entry.RoleSync, AddedAt: time.Now(),
		Keys: d.trueKeys(ctx, f), Roster: f.roster.Statements(),
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
	return d.setUp(rec, false)
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

// trueKeys picks one key for each epoch. Where members have sealed different
// ones, one of them lied: the true key opens what is sealed with it.
func (d *Device) trueKeys(ctx context.Context, f *regained) map[entry.Epoch]membership.Key {
	out, open := map[entry.Epoch]membership.Key{}, map[entry.Epoch][]keyOf{}
	for e, keys := range f.keys {
		out[e] = keys[0]
		if len(keys) > 1 {
			open[e] = keys
		}
	}
	for _, w := range f.members {
		if len(open) > 0 {
			d.tryKeys(ctx, f.id, w.id, open, out)
		}
	}
	for e := range open {
		d.Log.Error("members have kept different keys for recovery, and which is true could not be found", "folder", f.id, "epoch", e)
	}
	return out
}

// tryTime bounds the look for what is sealed with a contested key.
const tryTime = 20 * time.Second

func (d *Device) tryKeys(ctx context.Context, id entry.FolderID, at entry.DeviceID, open map[entry.Epoch][]keyOf, out map[entry.Epoch]membership.Key) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	l := d.linkSoon(ctx, at)
	if l == nil {
		return
	}
	past := l.past(id)
	defer past.Close()
	settled := errors.New("settled")
	_ = past.Received(ctx, 0, func(h history.Held) error {
		e := h.Record.Epoch
		for _, k := range open[e] {
			keys, err := seal.Derive(id, e, seal.FolderKey(k))
			if err != nil {
				continue
			}
			if _, err := keys.OpenRecord(h.Record); err == nil {
				out[e] = k
				delete(open, e)
				break
			}
		}
		if len(open) == 0 {
			return settled
		}
		return nil
	})
}

// awaitFirst tells how far it is with what comes first, until it is here.
func (d *Device) awaitFirst(ctx context.Context, done <-chan struct{}, progress func(string) error) error {
	last := ""
	for {
		left, _ := d.firstLeft(ctx)
		if left != last && left != "" {
			if err := progress(left); err != nil {
				return err
			}
			last = left
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-done:
			timer.Stop()
			return progress("what comes first is here, and the rest follows")
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// stalled is how long what comes first is waited for while nothing moves: what
// nobody can give is not to hold up all the rest.
const stalled = time.Minute

// bringRest has everything of folders that were got back come, once what is to
// come first is here. It goes on after a restart.
func (d *Device) bringRest(ctx context.Context) error {
	moved, last := time.Now(), ""
	for {
		changed := d.changed.next()
		left, met := d.firstLeft(ctx)
		if left != last || !met {
			moved, last = time.Now(), left
		}
		if left == "" && met || met && time.Since(moved) > stalled {
			break
		}
		timer := time.NewTimer(waitEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if pause(ctx, statusEvery) != nil {
			return nil
		}
	}
	for id := range d.words.first() {
		if s := d.share(id); s != nil && s.tree != nil {
			err := s.choose(ctx, choice.Rule{Path: "", Here: true})
			if err == nil {
				err = s.tree.Get(ctx, "")
			}
			if err != nil {
				d.Log.Warn("have the rest of a folder come", "folder", id, "error", err)
				return nil
			}
		}
	}
	if err := d.words.change(func(s *storedWords) { s.First = nil }); err != nil {
		d.Log.Warn("have the rest of folders come", "error", err)
	}
	return nil
}

// firstLeft says what of that which comes first is not here yet; empty if
// nothing is known to be missing. met tells whether it is known, as some member
// of each such folder has told all that it has.
func (d *Device) firstLeft(ctx context.Context) (left string, met bool) {
	met = true
	var files int64
	var where []string
	for id, paths := range d.words.first() {
		s := d.share(id)
		if s == nil || s.tree == nil || len(paths) == 0 {
			continue
		}
		told := false
		for m, st := range s.Status().Members {
			_, member := s.member(m)
			told = told || member && st.Connected && st.Same
		}
		met = met && told
		for _, p := range paths {
			m, err := s.tree.Missing(ctx, p)
			if err != nil {
				return "", false
			}
			if m.NeedFiles > 0 {
				files += m.NeedFiles
				where = append(where, s.shownPath(p))
			}
		}
	}
	if files == 0 {
		return "", met
	}
	slices.Sort(where)
	return fmt.Sprintf("%d files of %s are still to come", files, strings.Join(where, ", ")), met
}

// first are the paths that come first in folders that were got back.
func (w *words) first() map[entry.FolderID][]entry.Path {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[entry.FolderID][]entry.Path{}
	for text, paths := range w.stored.First {
		id, err := entry.ParseFolderID(text)
		if err != nil {
			continue
		}
		out[id] = nil
		for _, p := range paths {
			out[id] = append(out[id], entry.Path(p))
		}
	}
	return out
}
