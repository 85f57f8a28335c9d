package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/backup"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/restore"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store"
	"github.com/kithmesh/kith/protocol/history"
	"github.com/kithmesh/kith/protocol/seal"
)

// DecryptRequest asks to open a vault with no device running.
type DecryptRequest struct {
	// Vault is the directory of a vault's keeper, or the part of a store that is a
	// vault's, as [control.Store] tells it.
	Vault                        string
	AccessKey, SecretKey, Region string        // of a bucket
	To                           string        // the directory to write to
	Phrase                       string        // empty: the keys that lie in Home
	Home                         config.Places // of a device that was a member
	At                           time.Time     // zero: the newest
	Path                         string        // within the folder; empty: all
	List                         bool          // only tell what there is
	Overwrite                    control.Overwrite
}

// Decrypt writes what a vault holds to a directory. Nothing in the vault's
// directory changes: its index is copied to the system's directory for
// temporary files, or rebuilt there from the packs if it is missing.
//
// It wraps [control.ErrInvalid] for what are not the words of a phrase, or not
// of one that opens the vault, [control.ErrNotFound] if the home has no keys of
// it, [control.ErrNoVault] if there is no vault, [vault.ErrLocked] if a device
// that runs has it open, and [control.ErrNoPath].
func Decrypt(ctx context.Context, r DecryptRequest, progress func(control.RestoreProgress)) (control.Restored, error) {
	d := &decrypting{request: r, dir: r.Vault}
	out, err := d.run(ctx, progress)
	if err != nil {
		return out, fmt.Errorf("decrypt %q: %w", r.Vault, err)
	}
	return out, nil
}

// decrypting is one vault that is being opened.
type decrypting struct {
	request DecryptRequest
	dir     string // of the keeper
	roster  roster.Roster
	scratch string
	keeper  *backup.Keeper
	past    *past.Past
}

func (d *decrypting) run(ctx context.Context, progress func(control.RestoreProgress)) (control.Restored, error) {
	r := d.request
	overwrite, ok := overwrites[r.Overwrite]
	if !ok {
		return control.Restored{}, fmt.Errorf("%w: overwrite %q", control.ErrInvalid, r.Overwrite)
	}
	if !r.List && !filepath.IsAbs(r.To) {
		return control.Restored{}, fmt.Errorf("%w: write to %q", control.ErrInvalid, r.To)
	}
	at, err := placeIn(strings.Trim(r.Path, "/"))
	if err != nil {
		return control.Restored{}, err
	}
	done, err := d.open(ctx)
	if err != nil {
		return control.Restored{}, err
	}
	defer done()
	t := r.At
	if t.IsZero() {
		t = d.keeper.Vault().Head().Moment
	}
	tree, err := d.past.AsOf(ctx, t)
	if err != nil {
		return control.Restored{}, err
	}
	defer func() { _ = tree.Close() }()
	if first, end := tree.Below(at); first == end && at != "" {
		return control.Restored{}, fmt.Errorf("%q: at that time %w", r.Path, control.ErrNoPath)
	}
	x := &restoring{to: r.To, progress: func(p control.RestoreProgress) error { progress(p); return nil }}
	x.out = control.Restored{Folder: control.Folder{ID: d.keeper.ID, Label: d.roster.Label(), Role: entry.RoleBackup}, At: t, To: r.To, DryRun: r.List}
	if n := tree.Gaps.Unopened; n > 0 {
		x.out.Problems = append(x.out.Problems, control.Problem{
			Code: "unreadable", Message: fmt.Sprintf("%d versions of that time cannot be opened: %v", n, tree.Gaps.Cause),
		})
	}
	if r.List {
		return x.out, x.list(tree, at)
	}
	err = x.run(ctx, d.past, func(ctx context.Context, r *restore.Restore) (*restore.Plan, error) {
		return r.Plan(ctx, restore.Request{Tree: tree, Below: at, Overwrite: overwrite})
	})
	return x.out, err
}

// list tells what is in a tree.
func (x *restoring) list(tree *past.Tree, at entry.Path) error {
	for e, err := range tree.Entries(at) {
		if err != nil {
			return err
		}
		x.out.Paths = append(x.out.Paths, control.RestoredPath{Path: string(e.Path), What: control.OutcomeWritten})
		if e.Kind == entry.File {
			x.out.Files, x.out.Bytes = x.out.Files+1, x.out.Bytes+e.Size
		}
	}
	return nil
}

// open opens the vault with the keys that the words or the home give.
func (d *decrypting) open(ctx context.Context) (_ func(), err error) {
	if d.scratch, err = os.MkdirTemp("", "kith-decrypt-"); err != nil {
		return nil, err
	}
	done := func() {
		if d.keeper != nil {
			_ = d.keeper.Close()
		}
		_ = os.RemoveAll(d.scratch)
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	at := store.Address{URL: d.request.Vault, AccessKey: d.request.AccessKey, SecretKey: d.request.SecretKey, Region: d.request.Region}
	if at.IsPlace() {
		d.dir = d.below("keeper")
		if err := backup.Mirror(ctx, at, d.dir); err != nil {
			return nil, storeError(err)
		}
	}
	if !backup.IsDir(d.dir) && backup.IsDir(filepath.Dir(d.dir)) && backup.VaultDir(filepath.Dir(d.dir)) == d.dir {
		d.dir = filepath.Dir(d.dir)
	}
	if !backup.IsDir(d.dir) {
		return nil, control.WithHint(control.ErrNoVault, "the directory of a vault holds one named vault; on a backup, kith paths tells where they lie")
	}
	id, err := d.readRoster()
	if err != nil {
		return nil, err
	}
	d.keeper, err = backup.OpenReading(backup.Options{ID: id, Dir: d.dir, Log: slog.New(slog.DiscardHandler)}, d.below("vault"))
	if errors.Is(err, vault.ErrLocked) {
		return nil, control.WithHint(err, "a device runs that keeps it: stop that first, or decrypt a copy of the directory")
	}
	if err != nil {
		return nil, err
	}
	keys, err := d.keys(ctx)
	if err != nil {
		return nil, err
	}
	d.past = &past.Past{Keys: map[entry.Epoch]*seal.Keys{}, Sources: []past.Source{d.keeper}, Spool: d.below("spool")}
	for e, k := range keys {
		if d.past.Keys[e], err = seal.Derive(id, e, seal.FolderKey(k)); err != nil {
			return nil, err
		}
	}
	return done, nil
}

// storeError says of a store that cannot be read what a person can do.
func storeError(err error) error {
	switch {
	case errors.Is(err, store.ErrAddress):
		return fmt.Errorf("%w: %w", control.ErrInvalid, err)
	case errors.Is(err, fs.ErrNotExist):
		return control.WithHint(fmt.Errorf("%w: %w", control.ErrNoVault, err), "the address ends with the folder and the device, as kith store shows it on the backup")
	}
	return err
}

// below makes a directory for what is of use only until the end.
func (d *decrypting) below(name string) string {
	dir := filepath.Join(d.scratch, name)
	_ = os.Mkdir(dir, 0o700) // what is to be written there says why not
	return dir
}

// readRoster reads who the members are, which is needed for the words alone.
// The directory is named after the folder where nobody has renamed it.
func (d *decrypting) readRoster() (entry.FolderID, error) {
	statements, failed := backup.ReadRoster(d.dir)
	if len(statements) > 0 {
		id := statements[0].Folder
		d.roster, _, _ = roster.New(id, identity.Verify).Add(statements...)
		return id, nil
	}
	id, err := entry.ParseFolderID(filepath.Base(d.dir))
	if err != nil {
		return id, errors.Join(fmt.Errorf("%w: the list of its folder's members is missing", control.ErrNoVault), failed)
	}
	return id, nil
}

func (d *decrypting) keys(ctx context.Context) (map[entry.Epoch]membership.Key, error) {
	if d.request.Phrase == "" {
		return d.keysAtHome()
	}
	secret, err := unlock(d.request.Phrase)
	if err != nil {
		return nil, err
	}
	keys, _ := trueKeys(d.keeper.ID, candidates(secret, d.roster), func(each func(history.Held) error) error {
		return d.keeper.Received(ctx, 0, each)
	})
	if len(keys) == 0 {
		return nil, control.WithHint(fmt.Errorf("%w: these words do not open it", control.ErrInvalid), "are these the words that were made for this folder?")
	}
	return keys, nil
}

// keysAtHome are the keys that a device has which was a member. They are read
// from a copy: the device may run.
func (d *decrypting) keysAtHome() (map[entry.Epoch]membership.Key, error) {
	const hint = "give the recovery words instead, with --phrase"
	copied := d.below("membership")
	err := copyPrivately(copied, d.request.Home.Membership)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, control.WithHint(fmt.Errorf("keys of it, as there is no device in this home: %w", control.ErrNotFound), hint)
	}
	if err != nil {
		return nil, err
	}
	store, err := membership.Open(copied)
	if err != nil {
		return nil, err
	}
	f, _ := store.Folder(d.keeper.ID)
	if len(f.Keys) == 0 {
		return nil, control.WithHint(fmt.Errorf("keys of it, in the home of this device: %w", control.ErrNotFound), hint)
	}
	return f.Keys, nil
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
