package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/retention"
)

// beside is the history that a device with a tree keeps of it.
type beside struct{ *backup.Keeper }

// Keep implements [folder.History].
func (b beside) Keep(ctx context.Context, old []folder.Old) error {
	all := make([]vault.Content, 0, len(old))
	for _, o := range old {
		all = append(all, vault.Content{Record: o.Record, Read: o.Blocks})
	}
	err := b.Vault().Keep(ctx, all)
	if vault.IsFull(err) {
		err = fmt.Errorf("%w: %w", folder.ErrHistoryFull, err)
	}
	return err
}

// Bounds of a history that nobody has set.
const (
	historyDays  = 30
	historyShare = 10 // of the disk's free space, one part in so many
	historyLeast = 64 << 20
)

// besideSettings are those of a history beside a tree: modest, as it lies on
// the disk that the files are on.
func besideSettings(free int64) backup.Settings {
	p := retention.Policy{Within: historyDays * 24 * time.Hour, Zone: time.Local}
	return backup.Settings{Policy: p, Quota: max(free/historyShare, historyLeast), KeepFree: backup.KeepFree(free)}
}

// hasHistory tells whether a history is to be kept beside the tree.
func (s *share) hasHistory() bool {
	_, err := os.Lstat(s.historyOff())
	return errors.Is(err, os.ErrNotExist)
}

// historyOff is a file that says that no history is kept beside a tree.
func (s *share) historyOff() string {
	return filepath.Join(s.device.Places.Vaults, s.ID.String()+".off")
}

// runBeside runs a folder and the history beside it.
func (s *share) runBeside(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	k := s.keeper
	stopped, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return k.Run(stopped) })
	g.Go(func() error { defer stop(); return s.tree.Run(ctx) }) // which may still have something to keep
	return errors.Join(g.Wait(), k.Close())
}

// setHistory begins or ends the history beside a tree. What was kept stays
// until it is removed by hand.
func (s *share) setHistory(_ context.Context, on bool) (err error) {
	switch {
	case s.tree == nil && !on:
		return fmt.Errorf("%q: %w: a backup is nothing but history", s.controlled().Label, control.ErrInvalid)
	case s.tree == nil || on == s.hasHistory():
		return nil
	case on:
		err = durable.Remove(s.historyOff())
	default:
		if err = os.MkdirAll(s.device.Places.Vaults, 0o700); err == nil {
			err = durable.Write(s.historyOff(), nil, 0o600)
		}
	}
	if err != nil {
		return err
	}
	return s.restart()
}
