package node

import (
	"context"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// ear is one stream on which a peer tells this device.
type ear struct {
	link     *link
	listener *exchange.Listener
	ctx      context.Context // of the stream, which outlives no call

	asked sync.WaitGroup
	busy  chan struct{} // scans that the peer has asked for
}

// end waits for what the stream began, and takes the peer out of the folders
// that heard it.
func (e *ear) end() {
	e.asked.Wait()
	e.link.detachAll(e.listener)
}

// Met implements [exchange.Ear].
func (e *ear) Met(h exchange.Hello) {
	l := e.link
	now := time.Now()
	away := h.Clock.Time().Sub(now)
	if away.Abs() > clockFar {
		l.device.Log.Warn("the clocks of two devices are far apart", "device", l.id, "by", away.Round(time.Second).String())
	}
	l.mu.Lock()
	l.away = away
	l.mu.Unlock()
	l.device.metPeer(l.id, h.Name, now)
}

// Folders implements [exchange.Ear].
func (e *ear) Folders(ctx context.Context, states []exchange.FolderState) error {
	l := e.link
	now := map[entry.FolderID]exchange.FolderState{}
	for _, st := range states {
		now[st.Folder] = st
	}
	l.mu.Lock()
	before := l.told
	l.told = now
	l.mu.Unlock()
	l.teller.Wake() // it may have to hear that it is no member
	for id := range before {
		if _, still := now[id]; still {
			continue
		}
		if s := l.device.share(id); s != nil {
			if err := s.detachIf(ctx, l.id, seatOf(e.listener)); err != nil {
				return err
			}
		}
	}
	for id, st := range now {
		if _, known := before[id]; !known {
			e.hearRecovery(st)
		}
		if err := l.attach(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// hearRecovery asks who has the recovery words of a folder for what they have
// to say of its members.
func (e *ear) hearRecovery(st exchange.FolderState) {
	s := e.link.device.share(st.Folder)
	if s == nil || !s.isRecovery(e.link.id) {
		return
	}
	e.link.device.Log.Warn("somebody has the recovery words", "folder", s.ID, "recovery", e.link.id)
	e.listener.Start(exchange.Start{Folder: st.Folder, Index: st.Index, Roster: s.folderState().Roster})
}

// Invited implements [exchange.Registry].
func (e *ear) Invited(offers []exchange.Offer) error {
	if _, known := e.link.device.store.Peer(e.link.id); !known {
		offers = nil // who has recovery words shares nothing
	}
	err := e.link.device.invited(e.link.id, offers)
	e.link.mu.Lock()
	e.link.invited = true
	e.link.mu.Unlock()
	e.link.device.changed.tell()
	return err
}

// Joined implements [exchange.Registry].
func (e *ear) Joined(id entry.FolderID, statements []roster.Statement) error {
	s := e.link.device.share(id)
	if s == nil {
		return nil
	}
	if _, member := s.member(e.link.id); !member && !s.isRecovery(e.link.id) {
		return nil
	}
	before, members := s.folderState().Roster, s.members()
	refused, err := s.add(statements...)
	for _, r := range refused {
		e.link.device.Log.Warn("refused a membership statement", "device", e.link.id, "error", r)
	}
	if err != nil || s.folderState().Roster == before {
		return err
	}
	s.removalsHeard(statements)
	s.rosterChanged(members)
	return nil
}

// Keyed implements [exchange.Registry].
func (e *ear) Keyed(_ context.Context, id entry.FolderID, keys map[entry.Epoch]seal.FolderKey) error {
	s := book{e.link}.shared(id)
	if s == nil {
		return nil
	}
	if m, _ := s.member(e.link.id); !m.Role.HoldsKey() {
		return nil
	}
	refused, err := s.addKeys(keys)
	if refused != nil {
		e.link.device.Log.Warn("refused a key", "device", e.link.id, "folder", id, "error", refused)
	}
	e.link.device.news() // others may lack them too
	return err
}

// Acquainted implements [exchange.Registry].
func (e *ear) Acquainted(_ context.Context, contacts []exchange.Contact) error {
	l := e.link
	l.mu.Lock()
	l.contacts = contacts
	l.mu.Unlock()
	l.device.acquainted(l)
	return nil
}

// Heard implements [exchange.Ear].
func (e *ear) Heard(ctx context.Context, h exchange.Heard) error {
	switch {
	case h.Batch != nil:
		s := book{e.link}.shared(h.Batch.Folder)
		if s == nil {
			return nil
		}
		e.link.heardOf(h.Batch)
		return s.Hear(ctx, e.link.id, *h.Batch, h.Refused)
	case h.Ask != nil:
		e.answer(*h.Ask)
	}
	return nil
}

// heardOf notes how far the peer's index has come: a folder that is attached
// later must not take it for one that was set back.
func (l *link) heardOf(b *exchange.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if st, ok := l.told[b.Folder]; ok && st.Index == b.Index && b.Head > st.Head {
		st.Head = b.Head
		l.told[b.Folder] = st
	}
}

// maxAsks bounds the scans that a peer may have asked for at a time.
const maxAsks = 4

// answer scans a folder for the peer, beside the stream.
func (e *ear) answer(ask exchange.Ask) {
	reply := exchange.Answer{Folder: ask.Folder, Nonce: ask.Nonce}
	s := book{e.link}.shared(ask.Folder)
	if s == nil {
		reply.Problem = "not a folder of this device"
		e.listener.Answer(reply)
		return
	}
	if e.busy == nil {
		e.busy = make(chan struct{}, maxAsks)
	}
	select {
	case e.busy <- struct{}{}:
	default:
		reply.Problem = "too many scans asked for"
		e.listener.Answer(reply)
		return
	}
	e.asked.Go(func() {
		defer func() { <-e.busy }()
		if err := s.scan(e.ctx); err != nil {
			reply.Problem = err.Error()
		}
		st := s.State()
		reply.Index, reply.Head = st.Index, st.Head
		e.listener.Answer(reply)
	})
}

// metPeer notes that a peer was here, and what it calls itself.
func (d *Device) metPeer(id entry.DeviceID, name string, now time.Time) {
	p, ok := d.store.Peer(id)
	if !ok {
		return
	}
	if p.Name != name && p.Given == "" {
		p.Name, p.LastSeen = name, now
		if err := d.store.PutPeer(p); err != nil {
			d.Log.Warn("store a peer", "device", id, "error", err)
		}
	} else if err := d.store.Saw(id, now); err != nil {
		d.Log.Warn("store a peer", "device", id, "error", err)
	}
	d.changed.tell()
}

// invited replaces what a peer offers.
func (d *Device) invited(from entry.DeviceID, offers []exchange.Offer) error {
	now := map[entry.FolderID]bool{}
	for _, o := range offers {
		now[o.Folder] = true
		if s := d.share(o.Folder); s != nil {
			// It was put out and let in again while it was away, and has the folder.
			if err := s.claim(); err != nil {
				d.Log.Warn("join a folder again", "folder", o.Folder, "error", err)
			}
			continue
		}
		offer := membership.Offer{
			Folder: o.Folder, Label: o.Label, From: from, Role: o.Role, Statements: o.Statements, At: time.Now(),
			Keys: map[entry.Epoch]membership.Key{},
		}
		for e, k := range o.Keys {
			offer.Keys[e] = membership.Key(k)
		}
		if err := d.store.PutOffer(offer); err != nil {
			d.Log.Warn("store an offer", "device", from, "folder", o.Label, "error", err)
			continue
		}
		d.Log.Info("a folder is offered", "device", from, "folder", o.Label, "role", o.Role.String())
	}
	for _, o := range d.store.Offers() {
		if o.From == from && !now[o.Folder] {
			if err := d.store.RemoveOffer(o.Folder, from); err != nil {
				return err
			}
		}
	}
	d.changed.tell()
	return nil
}
