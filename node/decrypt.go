package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/past/restore"
	"github.com/kithmesh/kith/node/recovery/offline"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store"
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
	d := &decrypting{request: r}
	out, err := d.run(ctx, progress)
	if err != nil {
		return out, fmt.Errorf("decrypt %q: %w", r.Vault, err)
	}
	return out, nil
}

// decrypting is one vault that is being opened.
type decrypting struct {
	request DecryptRequest
	vault   *offline.Vault
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
	if err := d.open(ctx); err != nil {
		return control.Restored{}, err
	}
	defer func() { _ = d.vault.Close() }()
	t := r.At
	if t.IsZero() {
		t = d.vault.Keeper.Vault().Head().Moment
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
	x.out = control.Restored{Folder: control.Folder{ID: d.vault.Keeper.ID, Label: d.vault.Roster.Label(), Role: entry.RoleBackup}, At: t, To: r.To, DryRun: r.List}
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
func (d *decrypting) open(ctx context.Context) (err error) {
	r := d.request
	d.vault, err = offline.Open(ctx, store.Address{URL: r.Vault, AccessKey: r.AccessKey, SecretKey: r.SecretKey, Region: r.Region})
	if err != nil {
		return openError(err)
	}
	defer func() {
		if err != nil {
			_ = d.vault.Close()
		}
	}()
	keys, err := d.keys(ctx)
	if err != nil {
		return openError(err)
	}
	d.past, err = d.vault.Past(keys)
	return err
}

func (d *decrypting) keys(ctx context.Context) (map[entry.Epoch]seal.FolderKey, error) {
	if d.request.Phrase == "" {
		return d.vault.AtHome(d.request.Home.Membership)
	}
	secret, err := unlock(d.request.Phrase)
	if err != nil {
		return nil, err
	}
	return d.vault.Opened(ctx, secret)
}

// openError says of a vault that could not be opened what a person can do.
func openError(err error) error {
	const instead = "give the recovery words instead, with --phrase"
	var far *offline.StoreError
	switch {
	case errors.As(err, &far):
		return storeError(far.Err)
	case errors.Is(err, offline.ErrNoVault):
		return control.WithHint(control.ErrNoVault, "the directory of a vault holds one named vault; on a backup, kith paths tells where they lie")
	case errors.Is(err, offline.ErrUnlisted):
		return fmt.Errorf("%w: %w", control.ErrNoVault, err)
	case errors.Is(err, vault.ErrLocked):
		return control.WithHint(err, "a device runs that keeps it: stop that first, or decrypt a copy of the directory")
	case errors.Is(err, offline.ErrOtherWords):
		return control.WithHint(fmt.Errorf("%w: %w", control.ErrInvalid, err), "are these the words that were made for this folder?")
	case errors.Is(err, offline.ErrNoHome):
		return control.WithHint(fmt.Errorf("keys of it, as there is no device in this home: %w", control.ErrNotFound), instead)
	case errors.Is(err, offline.ErrNoKeys):
		return control.WithHint(fmt.Errorf("keys of it, in the home of this device: %w", control.ErrNotFound), instead)
	}
	return err
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
