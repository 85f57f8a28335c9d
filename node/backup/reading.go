package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
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
	var err error
	k.vault, err = vault.Open(vault.Options{
		Dir: VaultDir(o.Dir), Folder: o.ID, Clock: k.Clock, Log: o.Log, Partial: true, Scratch: scratch,
	})
	if err != nil {
		return nil, fmt.Errorf("read the past of folder %s: %w", o.ID, err)
	}
	last = k.vault.Head().Moment
	k.status.Store(&Status{Members: map[entry.DeviceID]MemberStatus{}})
	return k, nil
}

// IsDir tells whether a directory is that of a keeper.
func IsDir(dir string) bool {
	info, err := os.Stat(filepath.Join(VaultDir(dir), "packs"))
	return err == nil && info.IsDir()
}
