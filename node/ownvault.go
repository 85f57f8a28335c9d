package node

import (
	"context"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
)

// ownVault lets a folder hear the vault of this very device as if it were a
// member: so what a backup holds that becomes a device with a tree is not
// fetched from others.
type ownVault struct {
	share  *share
	starts chan exchange.Start
}

// Device is this one.
func (o *ownVault) Device() entry.DeviceID { return o.share.device.id.ID() }

// Fetch gives the form of a block that opens.
func (o *ownVault) Fetch(ctx context.Context, ids []entry.BlockID, got func(int, []byte) error) error {
	for i := range ids {
		var sealed []byte
		for form := range maxForms {
			err := o.share.keeper.Sealed(ctx, blocks.Request{IDs: ids[i : i+1], Form: form}, func(b []byte) error {
				sealed = b
				return nil
			})
			if err != nil {
				return err
			}
			if sealed == nil || o.share.opens(ids[i], sealed) {
				break
			}
		}
		if err := got(i, sealed); err != nil {
			return err
		}
	}
	return nil
}

// Start has the vault tell what it holds; Ack needs nothing.
func (o *ownVault) Start(s exchange.Start) {
	select {
	case o.starts <- s:
	default: // it is telling all of it already
	}
}

// Ack implements folder.Member.
func (o *ownVault) Ack(exchange.Ack) {}

// seedPatience is how long the own vault may take for the next file.
const seedPatience = 30 * time.Second

// seed brings in what the vault of this device holds, and only then lets the
// folder hear other members.
func (s *share) seed(ctx context.Context) error {
	defer s.listen(ctx)
	s.hearOwn(ctx)
	moved, last := time.Now(), int64(-1)
	for {
		changed := s.device.changed.next()
		st := s.Status()
		if st.NeedBytes+st.NeedFiles != last {
			moved, last = time.Now(), st.NeedBytes+st.NeedFiles
		}
		if st.NeedFiles == 0 && st.Quiet || time.Since(moved) > seedPatience {
			return nil
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-changed:
		case <-timer.C:
		case <-s.done:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// listen has the folder hear all members that are connected.
func (s *share) listen(ctx context.Context) {
	s.seeding.Store(false)
	s.device.eachLink(func(l *link) { _ = l.attach(ctx, s.ID) })
}

// hearOwn tells the folder once what the vault of this device holds.
func (s *share) hearOwn(ctx context.Context) {
	o := &ownVault{s, make(chan exchange.Start, 1)}
	me, told := o.Device(), s.keeper.State()
	if err := s.tree.Attach(ctx, o, told); err != nil {
		return
	}
	var at exchange.Start
	select {
	case at = <-o.starts:
	case <-s.done:
		return
	case <-ctx.Done():
		return
	}
	for after := at.After; after < told.Head; {
		b, err := s.keeper.AllRecords(ctx, after)
		if err == nil {
			err = s.tree.Hear(ctx, me, b, nil)
		}
		if err != nil {
			s.device.Log.Warn("take what the vault holds", "folder", s.ID, "error", err)
			return
		}
		if b.Through == after {
			break
		}
		after = b.Through
	}
	// It stays a member, so that content is had from it as long as any is
	// wanted, until the folder ends.
}
