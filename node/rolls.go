package node

import (
	"context"
)

// rosterChanged carries out what the roster says now: who is a member is met,
// who is none any more is not listened to.
func (s *share) rosterChanged() {
	d := s.device
	d.eachLink(func(l *link) {
		if _, member := s.member(l.id); !member {
			_ = s.Detach(context.Background(), l.id)
			return
		}
		d.tasks.start(func(ctx context.Context) error { _ = l.attach(ctx, s.ID); return nil })
	})
	d.meetCompanions()
	d.news()
}
