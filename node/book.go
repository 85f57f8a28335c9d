package node

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
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
	for _, s := range l.device.allShares() {
		m, member := s.member(l.id)
		switch {
		case s.isParting(l.id):
			n.Folders = append(n.Folders, s.folderState())
		case !member || l.device.isPausedFolder(s.ID):
		case s.joined(l.id):
			n.Folders = append(n.Folders, s.folderState())
		default:
			n.Folders = append(n.Folders, s.folderState())
			n.Offers = append(n.Offers, s.offer(m))
		}
	}
	n.Contacts = l.device.contacts(l.id)
	l.mu.Lock()
	n.Asks, l.asks = l.asks, nil
	l.mu.Unlock()
	return n
}

// offer is the invitation of a member that has not joined yet.
func (s *share) offer(m roster.Member) exchange.Offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := exchange.Offer{Folder: s.ID, Label: s.record.Label, Role: m.Role, Statements: s.roster.Statements()}
	if m.Role.HoldsKey() {
		o.Keys = map[entry.Epoch]seal.FolderKey{}
		for e, k := range s.record.Keys {
			o.Keys[e] = seal.FolderKey(k)
		}
	}
	return o
}

// Statements implements [exchange.Book].
func (b book) Statements(id entry.FolderID) []roster.Statement {
	s := b.link.device.share(id)
	if s == nil {
		return nil
	}
	if _, member := s.member(b.link.id); !member && !s.isParting(b.link.id) {
		return nil
	}
	return s.statements()
}

// Keys implements [exchange.Book].
func (b book) Keys(id entry.FolderID) map[entry.Epoch]seal.FolderKey {
	s := b.shared(id)
	if s == nil {
		return nil
	}
	if m, member := s.member(b.link.id); !member || !m.Role.HoldsKey() {
		return nil
	}
	return s.folderKeys()
}

// Records implements [exchange.Book].
func (b book) Records(
	ctx context.Context, id entry.FolderID, after entry.Sequence, limit exchange.Limit,
) (exchange.Batch, error) {
	s := b.shared(id)
	if s == nil {
		return exchange.Batch{Folder: id, After: after, Through: after, Head: after}, nil
	}
	return s.Folder.Records(ctx, b.link.id, after, limit)
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
			return s.Acked(ctx, l.id, *r.Ack)
		}
	case r.Answer != nil:
		l.mu.Lock()
		ch := l.answers[r.Answer.Nonce]
		delete(l.answers, r.Answer.Nonce)
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
	if r.Hold > 0 {
		if m, _ := s.member(d.id.ID()); m.Role == entry.RoleArchive {
			return fmt.Errorf("folder %s: what an archive has may be deleted at any time: %w", r.Folder, blocks.ErrNotHeld)
		}
		if err := s.Hold(r.IDs, r.Hold); err != nil {
			return fmt.Errorf("folder %s: %w: %w", r.Folder, blocks.ErrNotHeld, err)
		}
	}
	return s.Folder.Sealed(ctx, r.IDs, r.Compress, send)
}
