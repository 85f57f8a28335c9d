// Package backup keeps the past of a folder in a vault: it takes in what the
// members of the folder tell, and gives it back to whoever may have it.
//
// A [Keeper] is what a folder is on a device that holds none of its keys. To
// the other members it is one more of them: it hears their changes by package
// exchange, as sealed records, fetches the blocks that these name, and tells in
// turn what it has. Whoever holds the keys can ask it about the past.
//
// # A change on its way
//
// [Keeper.Hear] puts records into a queue. Jobs take a piece of it, fetch the
// blocks that the vault lacks from who told of them, and put all of it into the
// vault. How far a member was heard counts only as far as all before is in the
// vault; a restart asks for the rest again.
//
// # Promises
//
//   - What a member is told to be held is durable in the vault.
//   - A member is believed only about its own progress: nothing that it says
//     removes or replaces what the vault holds, or makes it prune.
//   - Memory is bounded: a member that tells faster than its content can be
//     fetched is asked again later.
//   - If the disk of the vault is set back, members are asked anew from where
//     it stands, and the condition is shown.
//
// # Concurrency
//
// One goroutine, the actor in Run, owns what is known of members and what is
// under way. Jobs run beside it. All methods may be called from any goroutine.
package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store"
	"github.com/kithmesh/kith/protocol/exchange"
)

// Options is what a keeper is made of.
type Options struct {
	ID entry.FolderID
	// Device is this one; in a store, its vaults have parts of their own.
	Device entry.DeviceID
	// Dir is the directory of the keeper; it is made if it is missing.
	Dir string
	Log *slog.Logger
	// Clock is the vault's clock; nil is the system's.
	Clock func() time.Time
	// Changed is called when there may be something new to tell or to show. It
	// must not block nor call back.
	Changed func()

	// Limits and what else rules the vault, where nothing is stored yet.
	Settings Settings
	// Store is where packs lie of a vault that is only read, if that is not noted
	// in Dir.
	Store store.Address
	// Beside says that a device with a tree keeps its history so: records may
	// name blocks that lie in the tree, and the oldest goes first when there
	// is no more room.
	Beside bool
}

// Keeper keeps the past of one folder.
type Keeper struct {
	Options
	vault    *vault.Vault
	mail     chan func(*actor)
	gone     chan struct{} // closed when Run has ended
	status   atomic.Pointer[Status]
	settings atomic.Pointer[Settings]
	stowing  atomic.Pointer[stowing] // nil: the packs lie in the directory alone
	setting  sync.Mutex              // held while it is changed
	taken    atomic.Bool             // what the store had that was not here was taken in, once
	settled  atomic.Bool
	own      atomic.Pointer[heardOf] // how far this device's own index was recorded
	setBack  atomic.Pointer[SetBack] // that of the notes
	notes    notes
}

// The files of a keeper's directory, beside the vault.
const (
	vaultDir     = "vault"
	progressFile = "members"
	settingsFile = "settings"
	rosterFile   = "roster"
)

// VaultDir is the directory of the vault in the directory of a keeper.
func VaultDir(dir string) string { return filepath.Join(dir, vaultDir) }

// Open opens the vault and reads how far the members were heard. Nothing runs
// before [Keeper.Run]. The keeper is to be closed.
func Open(o Options) (*Keeper, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep the past of folder %s: %w", o.ID, err)
	}
	k := &Keeper{Options: o, mail: make(chan func(*actor)), gone: make(chan struct{})}
	set, err := loadSettings(filepath.Join(o.Dir, settingsFile), o.Settings)
	if err != nil {
		return nil, fmt.Errorf("keep the past of folder %s: %w", o.ID, err)
	}
	k.settings.Store(&set)
	at, err := k.loadStore()
	if err != nil {
		return nil, fmt.Errorf("keep the past of folder %s: %w", o.ID, err)
	}
	k.stowing.Store(at)
	k.vault, err = vault.Open(vault.Options{
		Dir: VaultDir(o.Dir), Folder: o.ID, Quota: set.Quota, KeepFree: set.KeepFree, Clock: o.Clock, Log: o.Log,
		Partial: o.Beside, Rolling: o.Beside, Store: at.store(),
	})
	if err != nil {
		return nil, fmt.Errorf("keep the past of folder %s: %w", o.ID, err)
	}
	k.notes = loadNotes(filepath.Join(o.Dir, progressFile), k.vault.Head(), o.Log)
	k.settled.Store(k.notes.Settled)
	k.setBack.Store(k.notes.SetBack)
	own := k.notes.Own
	k.own.Store(&own)
	k.status.Store(&Status{Members: map[entry.DeviceID]MemberStatus{}})
	return k, nil
}

// Close closes the vault. Run must have ended.
func (k *Keeper) Close() error { return k.vault.Close() }

// Vault is the vault.
func (k *Keeper) Vault() *vault.Vault { return k.vault }

// Status is how the keeper is now.
func (k *Keeper) Status() Status { return *k.status.Load() }

// ErrStopped is wrapped by methods that need a keeper that runs.
var ErrStopped = errors.New("the keeper is not running")

// do has the actor call fn, and waits until it has.
func (k *Keeper) do(ctx context.Context, fn func(*actor)) error {
	done := make(chan struct{})
	select {
	case k.mail <- func(a *actor) { fn(a); close(done) }:
	case <-k.gone:
		return fmt.Errorf("folder %s: %w", k.ID, ErrStopped)
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}

// State is where the vault stands, for telling others. Its numbers come from
// the vault: one that was lost is another index to them.
func (k *Keeper) State() exchange.FolderState {
	h := k.vault.Head()
	return exchange.FolderState{
		Folder: k.ID, Index: indexOf(h.Vault), Replica: replicaOf(h.Vault), Head: h.Sequence, Settled: k.settled.Load(),
	}
}

// log is never nil.
func (k *Keeper) log() *slog.Logger { return cmp.Or(k.Log, slog.New(slog.DiscardHandler)) }
