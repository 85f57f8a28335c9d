package node

import (
	"context"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// archive answers what members ask of the vaults that are kept here. Only those
// who hold the key, and other vaults, may ask: nobody else has a use for it.
type archive struct{ device *Device }

// keeperFor is the keeper of a folder, for a member of it.
func (a archive) keeperFor(by history.Asker) (*backup.Keeper, error) {
	s := a.device.share(by.Folder)
	if s == nil || s.keeper == nil {
		return nil, fmt.Errorf("folder %s: %w", by.Folder, history.ErrRefused)
	}
	if _, member := s.member(by.Peer); !member || a.device.isPausedFolder(by.Folder) {
		return nil, fmt.Errorf("folder %s: %w", by.Folder, history.ErrRefused)
	}
	return s.keeper, nil
}

// State implements [history.Source].
func (a archive) State(_ context.Context, by history.Asker) (history.State, error) {
	k, err := a.keeperFor(by)
	if err != nil {
		return history.State{}, err
	}
	return k.Standing(by.Peer)
}

// AsOf implements [history.Source].
func (a archive) AsOf(ctx context.Context, by history.Asker, t time.Time, each func(history.Held) error) error {
	k, err := a.keeperFor(by)
	if err != nil {
		return err
	}
	return k.AsOf(ctx, t, each)
}

// Versions implements [history.Source].
func (a archive) Versions(
	ctx context.Context, by history.Asker, ids []seal.RecordID, each func(history.Held) error,
) error {
	k, err := a.keeperFor(by)
	if err != nil {
		return err
	}
	return k.Versions(ctx, ids, each)
}

// Received implements [history.Source].
func (a archive) Received(
	ctx context.Context, by history.Asker, after entry.Sequence, each func(history.Held) error,
) error {
	k, err := a.keeperFor(by)
	if err != nil {
		return err
	}
	return k.Received(ctx, after, each)
}

// Pin implements [history.Keeping].
func (a archive) Pin(_ context.Context, by history.Asker, at time.Time, label []byte) (history.Pin, error) {
	k, err := a.keeperFor(by)
	if err != nil {
		return history.Pin{}, err
	}
	return k.Pin(by.Peer, at, label)
}

// Prove implements [history.Keeping].
func (a archive) Prove(
	ctx context.Context, by history.Asker, nonce [32]byte, ids []entry.BlockID, each func([]history.Proven) error,
) error {
	k, err := a.keeperFor(by)
	if err != nil {
		return err
	}
	return k.Prove(ctx, nonce, ids, each)
}

// Mend implements [history.Keeping].
func (a archive) Mend(ctx context.Context, by history.Asker, ids []entry.BlockID) (int, error) {
	k, err := a.keeperFor(by)
	if err != nil {
		return 0, err
	}
	return k.Mend(ctx, by.Peer, ids)
}
