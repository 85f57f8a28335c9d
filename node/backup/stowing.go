package backup

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store"
)

// stowing is where the packs of the vault lie beside its directory. It is kept
// in a file of its own, which is for nobody else's eyes.
type stowing struct {
	store.Address
	// Part is the part of it that is this vault's.
	Part string `json:"part"`
	// Leaving: all that lies there is to come back.
	Leaving bool `json:"leaving"`

	place store.Place
	where string // of this vault's part
}

const storeFile = "store"

// StoreStatus is how a vault's store is.
type StoreStatus struct {
	Where   string // the part of the store that is this vault's
	Leaving bool   // all is on its way back
	Bytes   int64  // that lie there
	Waiting int64  // that do not yet, or not yet any more
	AsOf    time.Time
	// Failed is why it could not be reached when it last was to be; nil if it
	// could.
	Failed error
}

// Errors of a store that is to be changed.
var (
	// ErrBeside: the history of a device with files has no store: what it keeps
	// is little, and goes when there is no room.
	ErrBeside = errors.New("the history beside the files of a folder has no store")
	// ErrStored: packs lie in another store.
	ErrStored = errors.New("the packs lie in another store")
)

// How packs go to a store.
const (
	// stowEvery is how often full packs go there. All goes that there is when
	// nothing has come for stowRest, and every stowAllEvery.
	stowEvery    = time.Minute
	stowRest     = 5 * time.Minute
	stowAllEvery = time.Hour
	// stowPiece is how many bytes go before other chores get their turn.
	stowPiece = 64 << 20
)

// loadStore reads where packs lie, nil if that is the directory alone.
func (k *Keeper) loadStore() (*stowing, error) {
	b, err := os.ReadFile(k.path(storeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var s stowing
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err == nil {
		err = s.open()
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", k.path(storeFile), err)
	}
	return &s, nil
}

func (s *stowing) open() (err error) {
	s.where = strings.TrimRight(s.URL, "/")
	if s.Part != "" {
		s.where += "/" + s.Part
	}
	s.place, err = s.Address.Open(s.Part)
	return err
}

// store is what a vault takes: nil is no store.
func (s *stowing) store() vault.Store {
	if s == nil {
		return nil
	}
	return s.place
}

func (s *stowing) write(path string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(path, b, 0o600)
}

// StoreAddress is where packs lie; the URL is empty if that is the directory
// alone.
func (k *Keeper) StoreAddress() store.Address {
	if s := k.stowing.Load(); s != nil {
		return s.Address
	}
	return store.Address{}
}

// SetStore has the packs go to a store from now on, or if the URL is empty, come
// back to the directory. It finds out first whether the store can be used. It
// wraps [store.ErrAddress], [ErrBeside] and [ErrStored].
func (k *Keeper) SetStore(ctx context.Context, to store.Address) error {
	err := k.setStore(ctx, to)
	if err == nil {
		err = k.do(ctx, func(a *actor) {
			a.chores.stow = stowChore{}
			a.publish() // so that who asks next is told
		})
	}
	if err != nil {
		return fmt.Errorf("set the store of folder %s: %w", k.ID, err)
	}
	return nil
}

func (k *Keeper) setStore(ctx context.Context, to store.Address) error {
	k.setting.Lock()
	defer k.setting.Unlock()
	now := k.stowing.Load()
	switch {
	case k.Beside:
		return ErrBeside
	case to.URL == "" && now == nil:
		return nil
	case to.URL == "":
		leaving := *now
		leaving.Leaving = true
		return k.keepStore(&leaving)
	case now != nil && now.URL != to.URL:
		return fmt.Errorf("%w: %s", ErrStored, now.URL)
	}
	s := &stowing{Address: to, Part: k.part()}
	if now != nil {
		s.Part = now.Part
	}
	err := s.open()
	switch {
	case err != nil:
	case now != nil: // other keys, or it is to stay after all
		err = s.place.List(ctx, func(string, int64) error { return nil })
	default:
		err = s.place.Prepare(ctx)
	}
	if err == nil {
		err = k.vault.SetStore(s.place)
	}
	if err == nil {
		err = k.keepStore(s)
	}
	return err
}

// part is the part of a store that is this vault's. Each vault has its own: one
// that was begun anew does not meet what the one before it has left.
func (k *Keeper) part() string {
	id := k.vault.Head().Vault
	return fmt.Sprintf("%s/%s/%x", k.ID, k.Device, id[:8])
}

func (k *Keeper) keepStore(s *stowing) error {
	if err := s.write(k.path(storeFile)); err != nil {
		return err
	}
	k.stowing.Store(s)
	return nil
}

// stowChore is how far the packs have gone.
type stowChore struct {
	last   time.Time // when some went
	all    time.Time // when all went
	more   bool      // there is more to go at once
	failed error
	asOf   time.Time
}

// allDue tells whether everything is to go now, the last of which came at a
// moment.
func (c *stowChore) allDue(now, last time.Time) bool {
	// The moment after the inventory's was given out with it.
	return now.Sub(c.all) >= stowAllEvery || last.Sub(c.asOf) > time.Microsecond && now.Sub(last) >= stowRest
}

func (c *stowChore) due(now time.Time) bool { return c.more || now.Sub(c.last) >= stowEvery }

// stow moves a piece. It runs beside the actor.
func (a *actor) stow(s *stowing, all bool) {
	var done vault.Stowed
	var err error
	if s.Leaving {
		done.Left, err = a.unstow(s)
	} else {
		done, err = a.vault.Stow(a.ctx, stowPiece, false)
		if err == nil && done.Left == 0 && all {
			if done, err = a.vault.Stow(a.ctx, stowPiece, true); err == nil && !done.AsOf.IsZero() {
				err = a.stowRoster(s)
			}
		}
	}
	if ahead := errors.Is(err, fs.ErrExist); ahead && !a.taken.Swap(true) {
		// What lies there is ahead of what is here: the directory was set back.
		if err2 := a.vault.Rebuild(); err2 != nil {
			err = errors.Join(err, err2)
		}
	}
	if a.ctx.Err() != nil {
		return
	}
	now := a.Clock()
	_ = a.do(a.ctx, func(a *actor) {
		c := &a.chores.stow
		if err != nil && (c.failed == nil || c.failed.Error() != short(err).Error()) {
			a.log().Warn("move packs to their store", "folder", a.ID, "store", s.where, "error", err)
		}
		c.failed, c.more = short(err), err == nil && done.Left > 0
		if err == nil && !done.AsOf.IsZero() {
			c.asOf, c.all = done.AsOf, now
		}
	})
}

// short is what of an error a person needs to know: that of the connection, if
// there is none, and else without the names that the log has.
func short(err error) error {
	if u, is := errors.AsType[*url.Error](err); is {
		return u.Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// unstow brings a piece back, and when all is here, forgets the store.
func (a *actor) unstow(s *stowing) (left int64, err error) {
	if left, err = a.vault.Unstow(a.ctx, stowPiece); err != nil || left > 0 {
		return left, err
	}
	a.setting.Lock()
	defer a.setting.Unlock()
	if a.stowing.Load() != s {
		return 0, nil // it is to stay after all
	}
	if err := a.vault.SetStore(nil); err != nil {
		return 0, err
	}
	if err := removeRosters(a.ctx, s.place, ""); err != nil {
		a.log().Warn("leave a store", "folder", a.ID, "store", s.where, "error", err)
	}
	a.stowing.Store(nil)
	return 0, durable.Remove(a.path(storeFile))
}

// rosterSuffix is what ends the name of a file in the store that says who the
// members are: what the directory of a keeper has in its file of that name.
const rosterSuffix = ".roster"

// stowRoster puts the roster beside the packs, so that they can be opened with
// the words of a recovery when there is nothing else.
func (a *actor) stowRoster(s *stowing) error {
	b, err := os.ReadFile(a.path(rosterFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	sum := blake3.Sum256(b)
	name := hex.EncodeToString(sum[:16]) + rosterSuffix
	if err := s.place.Put(a.ctx, name, bytes.NewReader(b), int64(len(b))); err != nil {
		return err
	}
	return removeRosters(a.ctx, s.place, name)
}

// removeRosters removes all but one.
func removeRosters(ctx context.Context, p store.Place, but string) error {
	var old []string
	err := p.List(ctx, func(name string, _ int64) error {
		if strings.HasSuffix(name, rosterSuffix) && name != but {
			old = append(old, name)
		}
		return nil
	})
	for _, name := range old {
		err = errors.Join(err, p.Remove(ctx, name))
	}
	return err
}

// storeStatus is nil where there is no store.
func (a *actor) storeStatus(t vault.Totals) *StoreStatus {
	s := a.stowing.Load()
	if s == nil {
		return nil
	}
	c := &a.chores.stow
	out := &StoreStatus{Where: s.where, Leaving: s.Leaving, Bytes: t.Stowed, Waiting: t.PackBytes - t.Stowed, AsOf: c.asOf, Failed: c.failed}
	if s.Leaving {
		out.Waiting = t.Stowed
	}
	return out
}

func sameStore(a, b *StoreStatus) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	same := (x.Failed == nil) == (y.Failed == nil)
	x.Failed, y.Failed = nil, nil
	return same && x == y
}
