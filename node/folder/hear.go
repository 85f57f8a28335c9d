package folder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/protocol/exchange"
)

// heard is a change that a member told, opened.
type heard struct {
	entry    *entry.Entry
	sequence entry.Sequence
	absent   bool // the member knows the version and does not hold its content
}

// Hear takes changes that a member tells; refused says which of them were
// malformed. It returns when they are remembered. A record that cannot be
// opened, or says what cannot be, is left out and logged by name; the others
// count. An error says that the member cannot be listened to.
func (f *Folder) Hear(ctx context.Context, d entry.DeviceID, b exchange.Batch, refused []error) error {
	for _, err := range refused {
		f.refuse(d, err)
	}
	news, err := f.open(d, b)
	if err != nil {
		return fmt.Errorf("%w: %w", exchange.ErrMessage, err)
	}
	f.echoes.add(d, news)
	var failed error
	err = f.do(ctx, func(a *actor) { failed = a.hear(d, b, news) })
	if err != nil {
		return err
	}
	return failed
}

// open opens what a member tells. An error says that nothing of it can be
// opened; single entries that say what cannot be are left out.
func (f *Folder) open(d entry.DeviceID, b exchange.Batch) ([]heard, error) {
	var news []heard
	absent := map[int]bool{}
	for _, i := range b.Absent {
		absent[i] = true
	}
	for i, it := range b.Items {
		k := f.key(it.Record.Epoch)
		if k == nil {
			f.refuse(d, fmt.Errorf("record %s: %w %d", it.Record.ID, errNoKey, it.Record.Epoch))
			continue
		}
		e, err := k.OpenRecord(it.Record)
		if err != nil {
			f.refuse(d, fmt.Errorf("record %s: %w", it.Record.ID, err))
			continue
		}
		news = append(news, heard{&e, it.Sequence, absent[i]})
	}
	if len(b.Sealed) == 0 {
		return news, nil
	}
	k := f.key(b.Epoch)
	if k == nil {
		return nil, fmt.Errorf("changes %d to %d: %w %d", b.After, b.Through, errNoKey, b.Epoch)
	}
	opened, err := k.OpenBatch(b.Sealed)
	if err == nil && len(opened) != len(b.Sequences) {
		err = fmt.Errorf("%d entries with %d sequences", len(opened), len(b.Sequences))
	}
	if err != nil {
		f.refuse(d, fmt.Errorf("changes %d to %d: %w", b.After, b.Through, err))
		return nil, err
	}
	for i := range opened {
		if opened[i].Err != nil {
			f.refuse(d, fmt.Errorf("change %d: %w", b.Sequences[i], opened[i].Err))
			continue
		}
		news = append(news, heard{&opened[i].Entry, b.Sequences[i], absent[i]})
	}
	return news, nil
}

// refuse names what a member told that cannot be.
func (f *Folder) refuse(d entry.DeviceID, err error) {
	f.Log.Warn("refused a record", "device", d, "error", err)
}

// errNoKey: a member tells its keys before what is sealed with them, so this is
// none. It is not passed over: what it says would never be heard again.
var errNoKey = errors.New("no key of epoch")

var errNotAttached = errors.New("the member is not attached to the folder")

func (a *actor) hear(d entry.DeviceID, b exchange.Batch, news []heard) error {
	m := a.roll[d]
	switch {
	case m == nil:
		return errNotAttached // what it told is lost: it has to begin again
	case m.peer.Epoch != b.Index || a.fenced:
		return nil // it will be told anew where to start
	}
	switch {
	case b.After <= m.peer.Received:
		m.anew = false
	case m.anew:
		return nil // it was on its way already
	default:
		return fmt.Errorf("%w: changes after %d follow on %d", exchange.ErrMessage, b.After, m.peer.Received)
	}
	peer := m.peer
	peer.Received = max(peer.Received, b.Through)
	noteSession(&peer, m.told.Replica, b.Session, news)
	err := a.update(func(x *index.Folder) error {
		for _, n := range news {
			err := a.hearOne(x, d, n)
			if errors.Is(err, version.ErrBounds) || errors.Is(err, entry.ErrEntry) {
				a.refuse(d, err) // what it would come to is no entry
				continue
			}
			if err != nil {
				return err
			}
		}
		return x.SetPeer(d, peer)
	})
	if err != nil {
		return err
	}
	m.peer, m.head, m.news = peer, max(b.Head, peer.Received), a.Clock()
	a.pass.again = true
	if len(news) > 0 && len(a.brake.batches) == 0 {
		a.setStrict(false) // it may move after all
	}
	a.fresh.add(news)
	return nil
}

// noteSession notes how far a member had counted in its session.
func noteSession(peer *index.Peer, r version.ReplicaID, session uint64, news []heard) {
	if session != peer.Session {
		peer.Session, peer.SessionSeen = session, 0
	}
	for _, n := range news {
		peer.SessionSeen = max(peer.SessionSeen, n.entry.Version.Vector.Count(r))
	}
}

// hearOne remembers one version that a member holds.
func (a *actor) hearOne(x *index.Folder, d entry.DeviceID, n heard) error {
	r := n.entry
	if r.Version.Vector.Count(x.Replica()) > x.Count() {
		// Either somebody lies, or this index has been set back: then members
		// say so when they begin to listen, and the folder is fenced.
		a.refuse(d, fmt.Errorf("%q: event %d of this device, which has made %d", r.Path, r.Version.Vector.Count(x.Replica()), x.Count()))
		return nil
	}
	l, err := x.Get(r.Path)
	if err != nil {
		return err
	}
	if n := a.strangers(r, l); n > maxStrangers {
		a.refuse(d, fmt.Errorf("%q: a version with events of %d replicas that are nobody's", r.Path, n))
		return nil
	}
	if err := x.Saw(r.Version.Vector); err != nil {
		return err
	}
	if n.absent {
		return a.hearWithout(x, d, r, l)
	}
	if done, err := a.hearAbsent(x, d, n, l); done || err != nil {
		return err
	}
	if l != nil && !l.Unknown && !l.Absent {
		switch order := r.Version.Compare(l.Version); {
		case order == version.Equal && !r.SamePayload(l):
			a.Log.Error("two states under one version", "device", d, "path", string(r.Path))
			fallthrough
		case order == version.Equal || order == version.Before:
			if a.blind(d) {
				return nil // what else it told of the path stands
			}
			return a.changeWanted(x, r.Path, func(w []merge.Want) []merge.Want { return merge.Withdraw(w, d) })
		case order == version.Concurrent && r.SamePayload(l):
			return a.adoptVersion(x, l, r, l.Version.Join(r.Version))
		}
	}
	if l != nil && l.Unknown && l.SameContent(r) && l.Mode == r.Mode && l.ModTime == r.ModTime {
		return a.adoptVersion(x, l, r, r.Version)
	}
	if ignored, _, err := a.ignored(r); err != nil || ignored {
		return err
	}
	if l != nil && l.Unknown && a.mayBe(l, r) {
		a.readFor[r.Path] = r.Version.Clock
		if err := a.readAgain(x, l); err != nil {
			return err
		}
	}
	return a.changeWanted(x, r.Path, func(w []merge.Want) []merge.Want {
		remember := merge.Remember
		if a.blind(d) {
			remember = merge.RememberToo
		}
		return a.withPlaced(w, remember(w, r, d, n.sequence), d, n.sequence)
	})
}

// withPlaced keeps the versions of a path that is in flight among the wanted,
// though later ones are known: one of them may be on disk already, and if the
// program were killed now, that is how it would be known again.
func (a *actor) withPlaced(before, after []merge.Want, d entry.DeviceID, s entry.Sequence) []merge.Want {
	if len(before) == 0 || !a.inflight.has(before[0].Entry.Path) {
		return after
	}
	for _, b := range before {
		kept := slices.ContainsFunc(after, func(w merge.Want) bool { return w.Entry.Version.Compare(b.Entry.Version) == version.Equal })
		if !kept {
			after = append(after, merge.Want{Entry: b.Entry, Tellers: merge.Tellers{d: s}})
		}
	}
	return after
}

// maxStrangers is how many replicas of a vector may be nobody's: some, as the
// statement of a member that has just joined may come after its changes. With
// more, a liar could fill vectors until nobody can change the path any more.
const maxStrangers = 16

// strangers counts the replicas of a version, joined with the local one, that
// no member has claimed.
func (a *actor) strangers(r, l *entry.Entry) (n int) {
	if a.Claimed == nil || len(r.Version.Vector) <= maxStrangers && l == nil {
		return 0
	}
	v := r.Version.Vector
	if l != nil {
		v = v.Join(l.Version.Vector)
	}
	for _, c := range v {
		if !a.Claimed(c.Replica) {
			n++
		}
	}
	return n
}

// adoptVersion gives l, whose payload is that of r, a version that has seen r.
// Nothing on disk changes. What is wanted of the path beyond it stays wanted.
func (a *actor) adoptVersion(x *index.Folder, l, r *entry.Entry, v version.Version) error {
	e := *l
	e.Unknown, e.Version, e.Unseen = false, v, unseenBy(v, l, r)
	if v.Author == r.Version.Author {
		e.AuthorName = r.AuthorName
	}
	if _, err := x.Put(&e); err != nil {
		return err
	}
	return a.changeWanted(x, e.Path, func(w []merge.Want) []merge.Want { return stillWanted(w, &e) })
}

// mayBe tells whether a file of unknown history may hold what a version says,
// though it does not look so: the same bytes have other names in each epoch.
func (a *actor) mayBe(l, r *entry.Entry) bool {
	if l.Kind != entry.File || len(l.Blocks) == 0 || len(a.Epochs()) == 1 {
		return false
	}
	if r.Kind == entry.Deleted {
		return r.Gone != (entry.Digest{}) && r.Gone != l.Digest()
	}
	return r.Kind == entry.File && r.Epoch != l.Epoch && r.Size == l.Size
}

// readAgain has a file read once more, now that it is known what it may be.
func (a *actor) readAgain(x *index.Folder, l *entry.Entry) error {
	e := *l
	e.Disk = entry.Disk{}
	a.rereads[l.Path] = struct{}{}
	a.recheck(l.Path, false)
	return x.Touch(&e)
}

// stillWanted drops what e has seen.
func stillWanted(w []merge.Want, e *entry.Entry) []merge.Want {
	var out []merge.Want
	for _, v := range w {
		if !v.Entry.Version.Vector.Within(e.Version.Vector) {
			out = append(out, v)
		}
	}
	return out
}

// ignored tells whether a path that a member told of is ignored here.
func (a *actor) ignored(r *entry.Entry) (bool, string, error) {
	if a.disk == nil {
		return false, "", nil
	}
	ignored, rule, err := a.disk.ignores.Match(r.Path, r.Kind == entry.Directory)
	return ignored, rule.Pattern, err
}
