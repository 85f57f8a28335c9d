// Package offline opens a vault of which nothing runs: its directory, or what of
// it lies in a store, and the words of a recovery phrase or the keys that a
// member had.
//
// # Promises
//
//   - Nothing in the directory of the vault changes: what has to be written goes
//     to a directory of the opened [Vault], which [Vault.Close] removes.
//   - Keys in the home of a device are read from a copy: that device may run.
//   - Of keys that members differ about, the one counts that opens what lies in
//     the vault.
//
// A [Vault] is used by one goroutine.
package offline

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/node/vault/store"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// Vault is one that is open to be read.
type Vault struct {
	Keeper *backup.Keeper
	Roster roster.Roster // zero if the list of members is not there

	dir     string        // of the keeper
	store   store.Address // where its packs lie, if that is not noted there
	scratch string
}

// Open opens the vault that lies at a place: the directory of its keeper, or the
// vault within, or the part of a store that is the vault's. It is to be closed.
//
// It wraps [ErrNoVault], [ErrUnlisted], a [StoreError], and
// [github.com/kithmesh/kith/node/vault.ErrLocked] if a device that runs has it
// open.
func Open(ctx context.Context, at store.Address) (_ *Vault, err error) {
	v := &Vault{dir: at.URL}
	if v.scratch, err = os.MkdirTemp("", "kith-decrypt-"); err != nil {
		return nil, err
	}
	if err := v.open(ctx, at); err != nil {
		_ = os.RemoveAll(v.scratch)
		return nil, err
	}
	return v, nil
}

func (v *Vault) open(ctx context.Context, at store.Address) error {
	if at.IsPlace() {
		v.dir, v.store = v.below("keeper"), at
		if err := backup.Mirror(ctx, at, v.dir); err != nil {
			return &StoreError{err}
		}
	}
	if up := filepath.Dir(v.dir); !backup.IsDir(v.dir) && backup.IsDir(up) && backup.VaultDir(up) == v.dir {
		v.dir = up
	}
	if !backup.IsDir(v.dir) {
		return ErrNoVault
	}
	id, err := v.readRoster()
	if err != nil {
		return err
	}
	v.Keeper, err = backup.OpenReading(backup.Options{ID: id, Dir: v.dir, Store: v.store, Log: slog.New(slog.DiscardHandler)}, v.below("vault"))
	return err
}

// Close lets go of the vault, and removes what was written to read it.
func (v *Vault) Close() error {
	return errors.Join(v.Keeper.Close(), os.RemoveAll(v.scratch))
}

// below makes a directory for what is of use only until the end.
func (v *Vault) below(name string) string {
	dir := filepath.Join(v.scratch, name)
	_ = os.Mkdir(dir, 0o700) // what is to be written there says why not
	return dir
}

// readRoster reads who the members are, which is needed for the words alone.
// The directory is named after the folder where nobody has renamed it.
func (v *Vault) readRoster() (entry.FolderID, error) {
	statements, failed := backup.ReadRoster(v.dir)
	if len(statements) > 0 {
		id := statements[0].Folder
		v.Roster, _, _ = roster.New(id, identity.Verify).Add(statements...)
		return id, nil
	}
	id, err := entry.ParseFolderID(filepath.Base(v.dir))
	if err != nil {
		return id, errors.Join(ErrUnlisted, failed)
	}
	return id, nil
}

// Opened are the keys that words open, one for each epoch. It is
// [ErrOtherWords] if there is none.
func (v *Vault) Opened(ctx context.Context, secret *recovery.Secret) (map[entry.Epoch]seal.FolderKey, error) {
	keys, _ := recovery.TrueKeys(v.Keeper.ID, secret.Candidates(v.Roster), func(each func(*seal.Record) error) error {
		return v.Keeper.Received(ctx, 0, func(h history.Held) error { return each(h.Record) })
	})
	if len(keys) == 0 {
		return nil, ErrOtherWords
	}
	return keys, nil
}

// AtHome are the keys of a device that was a member, whose memberships lie in a
// directory. It is [ErrNoHome] if there is none, and [ErrNoKeys] if there are
// no keys of the folder.
func (v *Vault) AtHome(memberships string) (map[entry.Epoch]seal.FolderKey, error) {
	copied := v.below("membership")
	err := copyPrivately(copied, memberships)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoHome
	}
	if err != nil {
		return nil, err
	}
	known, err := membership.Open(copied)
	if err != nil {
		return nil, err
	}
	f, _ := known.Folder(v.Keeper.ID)
	if len(f.Keys) == 0 {
		return nil, ErrNoKeys
	}
	keys := make(map[entry.Epoch]seal.FolderKey, len(f.Keys))
	for e, k := range f.Keys {
		keys[e] = seal.FolderKey(k)
	}
	return keys, nil
}

// Past is what the folder was, as the keys open it.
func (v *Vault) Past(keys map[entry.Epoch]seal.FolderKey) (*past.Past, error) {
	p := &past.Past{Keys: map[entry.Epoch]*seal.Keys{}, Sources: []past.Source{v.Keeper}, Spool: v.below("spool")}
	for e, k := range keys {
		var err error
		if p.Keys[e], err = seal.Derive(v.Keeper.ID, e, k); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// copyPrivately copies a directory, for the eyes of its owner alone.
func copyPrivately(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rest), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rest), b, 0o600)
	})
}
