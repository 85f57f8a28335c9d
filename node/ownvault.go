package node

import (
	"context"

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

// seed tells the folder once what the vault of this device holds.
func (s *share) seed(ctx context.Context) error {
	o := &ownVault{s, make(chan exchange.Start, 1)}
	me, told := o.Device(), s.keeper.State()
	if err := s.tree.Attach(ctx, o, told); err != nil {
		return nil
	}
	var at exchange.Start
	select {
	case at = <-o.starts:
	case <-s.done:
		return nil
	case <-ctx.Done():
		return nil
	}
	for after := at.After; after < told.Head; {
		b, err := s.keeper.AllRecords(ctx, after)
		if err == nil {
			err = s.tree.Hear(ctx, me, b, nil)
		}
		if err != nil {
			s.device.Log.Warn("take what the vault holds", "folder", s.ID, "error", err)
			return nil
		}
		if b.Through == after {
			break
		}
		after = b.Through
	}
	// It stays a member, so that content is had from it as long as any is
	// wanted, until the folder ends.
	return nil
}
