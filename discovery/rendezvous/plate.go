package rendezvous

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// PublishPlate tells everybody who knows a number that the device info waits
// there to be paired with, for an hour, and replaces what was there. Numbers can
// be guessed and tried, so this tells the device's ID and addresses to whoever
// makes the effort; choose from many, and never from the words of a code. The
// errors are those of [Board.Publish].
func (b *Board) PublishPlate(ctx context.Context, plate uint32, info peer.AddrInfo) error {
	err := b.publishPlate(ctx, plate, info)
	b.noted(func(h *Health) { h.Published, h.PublishError = outcome(h.Published, err) })
	if err != nil {
		return fmt.Errorf("publish a plate: %w", err)
	}
	return nil
}

func (b *Board) publishPlate(ctx context.Context, plate uint32, info peer.AddrInfo) error {
	device, err := deviceKey(info.ID)
	if err != nil {
		return err
	}
	n, err := newNotice(device, info.Addrs)
	if err != nil {
		return err
	}
	s, err := plateSlot(plate, dayOf(time.Now()))
	if err != nil {
		return err
	}
	return b.task(ctx, publishFor, func(ctx context.Context) error { return b.put(ctx, s, n, plateLife) })
}

// FindPlate looks for who waits at a number, and calls found for each device
// that it finds, one at a time: anybody who knows the number can have written
// there, so who it is has to be proved otherwise. It returns as [Board.Find]
// does, with the same errors.
func (b *Board) FindPlate(ctx context.Context, plate uint32, found func(peer.AddrInfo)) error {
	at := func(day Day) (*slot, error) { return plateSlot(plate, day) }
	tell := func(n notice) error {
		key, err := crypto.UnmarshalEd25519PublicKey(n.device)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotice, err)
		}
		id, err := peer.IDFromPublicKey(key)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotice, err)
		}
		found(peer.AddrInfo{ID: id, Addrs: n.addrs})
		return nil
	}
	if err := b.task(ctx, findFor, func(ctx context.Context) error { return b.searchDays(ctx, at, tell) }); err != nil {
		return fmt.Errorf("find a plate: %w", err)
	}
	return nil
}
