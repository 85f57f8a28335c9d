package node

import (
	"context"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
)

// rosterChanged carries out what the roster says now: who is a member is met,
// who is none any more is not listened to.
func (s *share) rosterChanged(before []roster.Member) {
	d := s.device
	d.eachLink(func(l *link) {
		if _, member := s.member(l.id); !member {
			_ = s.Detach(context.Background(), l.id)
			return
		}
		d.tasks.start(func(ctx context.Context) error { _ = l.attach(ctx, s.ID); return nil })
	})
	d.meetCompanions()
	for _, m := range before {
		if now, still := s.member(m.Device); still && now.Name != m.Name {
			d.renamed(m.Device, now.Name)
		}
	}
	d.news()
}

// renamed takes the name that a device has given itself.
func (d *Device) renamed(id entry.DeviceID, name string) {
	p, known := d.store.Peer(id)
	if !known || name == "" || p.Name == name {
		return
	}
	p.Name = name
	if err := d.store.PutPeer(p); err != nil {
		d.Log.Warn("store a peer", "device", id, "error", err)
	}
}
