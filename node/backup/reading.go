package backup

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store"
)

// OpenReading opens the vault in the directory of a keeper that nobody runs, to
// be read only: nothing in the directory changes. What it needs to write goes
// to scratch, an empty directory. The keeper cannot run; it tells the past, by
// [Keeper.AsOf] and its like, up to the last moment of the vault even if the
// clock of this machine is behind, and is to be closed.
func OpenReading(o Options, scratch string) (*Keeper, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	k := &Keeper{Options: o}
	var last time.Time
	own := o.Clock
	k.Clock = func() time.Time {
		if t := own(); t.After(last) {
			return t
		}
		return last
	}
	at, err := k.loadStore()
	if o.Store.URL != "" {
		at = &stowing{Address: o.Store}
		err = at.open()
	}
	if err == nil {
		k.vault, err = vault.Open(vault.Options{
			Dir: VaultDir(o.Dir), Folder: o.ID, Clock: k.Clock, Log: o.Log, Partial: true, Scratch: scratch, Store: at.store(),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read the past of folder %s: %w", o.ID, err)
	}
	last = k.vault.Head().Moment
	k.status.Store(&Status{Members: map[entry.DeviceID]MemberStatus{}})
	return k, nil
}

// Mirror makes an empty directory one of a keeper whose packs all lie in a
// store, so that it can be read where nothing else is left: at is the part of
// the store that is the vault's, as [StoreStatus] tells it, and to be given to
// [OpenReading] as well: keys are not written. It wraps [store.ErrAddress].
func Mirror(ctx context.Context, at store.Address, dir string) error {
	s := stowing{Address: at}
	err := s.open()
	if err == nil {
		err = os.MkdirAll(filepath.Join(VaultDir(dir), "packs"), 0o700)
	}
	if err == nil {
		err = s.fetchRoster(ctx, filepath.Join(dir, rosterFile))
	}
	if err != nil {
		return fmt.Errorf("read the store %s: %w", at.URL, err)
	}
	return nil
}

// maxRoster bounds a roster, in bytes.
const maxRoster = 64 << 20

// fetchRoster gets the roster, if there is one; of two, all that both say.
func (s *stowing) fetchRoster(ctx context.Context, to string) error {
	names := map[string]int64{}
	packs := 0
	err := s.place.List(ctx, func(name string, size int64) error {
		if strings.HasSuffix(name, rosterSuffix) && size <= maxRoster {
			names[name] = size
		}
		packs++
		return nil
	})
	if err == nil && packs == 0 {
		err = fmt.Errorf("no vault lies there: %w", fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	var all []byte
	for name, size := range names {
		b := make([]byte, size)
		if err := s.place.ReadAt(ctx, name, b, 0); err != nil {
			return err
		}
		all = append(all, b...)
	}
	if len(all) == 0 {
		return nil
	}
	return durable.Write(to, all, 0o600)
}

// IsDir tells whether a directory is that of a keeper.
func IsDir(dir string) bool {
	info, err := os.Stat(filepath.Join(VaultDir(dir), "packs"))
	return err == nil && info.IsDir()
}
