package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// book is what a link tells its peer: only of folders that the peer is a
// member of.
type book struct{ link *link }

// News implements [exchange.Book].
func (b book) News() exchange.News {
	l := b.link
	var n exchange.News
	keys := map[entry.FolderID]map[entry.Epoch]membership.Key{}
	for _, s := range l.device.allShares() {
		g := s.glance(l.id)
		if g.recovery && !l.device.isPausedFolder(s.ID) {
			n.Folders = append(n.Folders, g.state)
			continue
		}
		hears := g.parting || g.removed && l.tells(s.ID)
		if !hears && (!g.member || l.device.isPausedFolder(s.ID)) {
			continue
		}
		n.Folders = append(n.Folders, g.state)
		if g.keys != nil {
			keys[s.ID] = g.keys
		}
		if g.offer != nil {
			n.Offers = append(n.Offers, *g.offer)
		}
	}
	n.Contacts = l.device.contacts(l.id)
	l.mu.Lock()
	l.keys = keys
	n.Asks, l.asks = l.asks, nil
	l.mu.Unlock()
	return n
}

// glance is a folder as one peer may see it at one moment. Keys are told as
// they were then, after the statements of then: whoever is given the key of an
// epoch has heard before who is not to have it.
type glance struct {
	state           exchange.FolderState
	member, parting bool
	recovery        bool                           // no member, but one that has the words: it is told the roster
	removed         bool                           // and not admitted again
	keys            map[entry.Epoch]membership.Key // never changed
	offer           *exchange.Offer                // to a member that has not joined yet
}

func (s *share) glance(d entry.DeviceID) glance {
	g := glance{state: s.State()}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.state.Roster = s.roster.Digest()
	g.parting = s.parting[d]
	var m roster.Member
	m, g.member = s.roster.Member(d)
	g.removed = !g.member && s.roster.Revoked(d)
	if g.recovery = !g.member && s.roster.IsRecovery(d); g.recovery {
		g.state.Head, g.state.Settled = 0, false
	}
	if g.member && m.Role.HoldsKey() {
		g.keys = s.record.Keys
	}
	// Who has no key cannot offer the folder to one that is to have it.
	if g.member && len(s.roster.Claimed(d)) == 0 && (len(g.keys) > 0 || !m.Role.HoldsKey()) {
		g.offer = &exchange.Offer{Folder: s.ID, Label: s.record.Label, Role: m.Role, Statements: s.roster.Statements()}
		if m.Role.HoldsKey() {
			g.offer.Keys = folderKeys(g.keys)
		}
	}
	return g
}

// Statements implements [exchange.Book].
func (b book) Statements(id entry.FolderID) []roster.Statement {
	s := b.link.device.share(id)
	if s == nil {
		return nil
	}
	if _, member := s.member(b.link.id); member || s.isParting(b.link.id) || s.isRecovery(b.link.id) {
		return s.statements()
	}
	// Whoever was put out while it was away is told so, and nothing else.
	return slices.DeleteFunc(s.statements(), func(st roster.Statement) bool {
		return st.Kind != roster.Revoke || st.Subject != b.link.id
	})
}

// Keys implements [exchange.Book]: those of the last news.
func (b book) Keys(id entry.FolderID) map[entry.Epoch]seal.FolderKey {
	if b.shared(id) == nil {
		return nil
	}
	b.link.mu.Lock()
	defer b.link.mu.Unlock()
	return folderKeys(b.link.keys[id])
}

// Records implements [exchange.Book]. What is sealed with a key that was not in
// the last news waits for the next.
func (b book) Records(
	ctx context.Context, id entry.FolderID, after entry.Sequence, limit exchange.Limit,
) (exchange.Batch, error) {
	nothing := exchange.Batch{Folder: id, After: after, Through: after, Head: after}
	s := b.shared(id)
	if s == nil {
		return nothing, nil
	}
	batch, err := s.Records(ctx, b.link.id, after, limit)
	if err == nil && !b.opens(batch) {
		return nothing, nil
	}
	return batch, err
}

// opens tells whether the peer can be told the keys of a batch, if it is to
// have any.
func (b book) opens(batch exchange.Batch) bool {
	b.link.mu.Lock()
	defer b.link.mu.Unlock()
	keys, holds := b.link.keys[batch.Folder]
	if !holds {
		return true
	}
	for _, it := range batch.Items {
		if _, ok := keys[it.Record.Epoch]; !ok {
			return false
		}
	}
	_, ok := keys[batch.Epoch]
	return ok || len(batch.Sealed) == 0
}

// Replied implements [exchange.Book].
func (b book) Replied(ctx context.Context, r exchange.Reply) error {
	l := b.link
	switch {
	case r.Met != nil:
		l.setMet(true)
	case r.Start != nil:
		if s := b.shared(r.Start.Folder); s != nil {
			return s.Started(ctx, l.id, *r.Start)
		}
	case r.Ack != nil:
		if s := b.shared(r.Ack.Folder); s != nil {
			l.device.toldHead(s, l.id, guard.Mark{Index: r.Ack.OwnIndex, Head: r.Ack.OwnHead})
			return s.Acked(ctx, l.id, *r.Ack)
		}
	case r.Answer != nil:
		l.mu.Lock()
		ch := l.answers[r.Answer.Nonce]
		delete(l.answers, r.Answer.Nonce)
		delete(l.waiting, r.Answer.Nonce)
		l.mu.Unlock()
		if ch != nil {
			ch <- *r.Answer
		}
	}
	return nil
}

// shared is a folder that the peer is a member of, else nil.
func (b book) shared(id entry.FolderID) *share {
	s := b.link.device.share(id)
	if s == nil {
		return nil
	}
	if _, member := s.member(b.link.id); !member {
		return nil
	}
	return s
}

// Sealed implements [blocks.Source]: content goes to members only.
func (d *Device) Sealed(ctx context.Context, id entry.DeviceID, r blocks.Request, send func([]byte) error) error {
	s := d.share(r.Folder)
	if s == nil {
		return fmt.Errorf("folder %s: %w", r.Folder, blocks.ErrRefused)
	}
	if _, member := s.member(id); !member {
		return fmt.Errorf("folder %s: %w", r.Folder, blocks.ErrRefused)
	}
	if s.tree == nil {
		if r.Hold > 0 {
			return fmt.Errorf("folder %s: a vault promises by its retention alone: %w", r.Folder, blocks.ErrNotHeld)
		}
		return s.keeper.Sealed(ctx, r, send)
	}
	if r.Hold > 0 {
		if m, _ := s.member(d.id.ID()); m.Role == entry.RoleArchive {
			return fmt.Errorf("folder %s: what an archive has may be deleted at any time: %w", r.Folder, blocks.ErrNotHeld)
		}
		if err := s.tree.Hold(r.IDs, r.Hold); err != nil {
			return fmt.Errorf("folder %s: %w: %w", r.Folder, blocks.ErrNotHeld, err)
		}
	}
	if d.holdsBack(id, &r) {
		return s.sealedSmall(ctx, r, send)
	}
	return s.sealedHere(ctx, r, send)
}

// sealedHere gives blocks that lie in the tree, or else in the history beside
// it. Of what lies in a tree there is one form.
func (s *share) sealedHere(ctx context.Context, r blocks.Request, send func([]byte) error) error {
	if s.keeper == nil || r.Nonce != [32]byte{} {
		if r.Form > 0 {
			r.IDs = nil
		}
		return s.tree.Sealed(ctx, r.IDs, r.Compress, send)
	}
	i := -1
	each := func(sealed []byte) error {
		i++
		if sealed != nil {
			return send(sealed)
		}
		return s.keeper.Sealed(ctx, blocks.Request{Folder: r.Folder, IDs: r.IDs[i : i+1], Form: r.Form}, send)
	}
	if r.Form > 0 {
		return s.keeper.Sealed(ctx, r, send)
	}
	return s.tree.Sealed(ctx, r.IDs, r.Compress, each)
}
