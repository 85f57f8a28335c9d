// Package cover has the words of recovery phrases open folders, and tells which
// they open.
//
// Words open a folder by statements of its roster: one that makes them a
// recovery key, and those by which each member that holds the folder's keys
// keeps these for them. A [Cover] makes the statements that are lacking, and
// those that end words which others have replaced. What a roster says of words
// is read by functions: which keys are not kept, whose maker is gone, what a
// person is to see.
//
// # Promises
//
//   - A device keeps the keys that it has for all words in force, up to
//     [MaxWords] of them, its own first and then the earliest, and says nothing
//     twice.
//   - Words that were revoked are never made a recovery key again.
//   - What is said leaves room in a roster for what a member says besides.
//
// The package is pure but for the random numbers of sealing, and the clock that
// statements are made by. A [Cover] is used by one goroutine.
package cover

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol/seal"
)

// Bounds of what is kept for recovery keys.
const (
	MaxWords = 8                        // of one folder that keys are kept for
	maxSaid  = roster.MaxByAuthor - 128 // statements of one member, after which it keeps no more
)

// errKept: what a roster takes of one member is used up.
var errKept = errors.New("this device has said so much about the folder that it keeps no more keys for recovery")

// Cover makes the statements that keep the keys of a folder for recovery.
type Cover struct {
	By     roster.Signer
	Roster roster.Roster // and what is said
	Keys   map[entry.Epoch]seal.FolderKey
	// Own are the words of this device; zero if there are none. Replaced are the
	// recovery keys whose place they have taken.
	Own      recovery.Public
	Replaced []entry.DeviceID

	Said  []roster.Statement
	Ended bool // a recovery key: the folder should have a new epoch
}

// Run makes the words of this device a recovery key if they are to be one, keeps
// all keys, and ends what they replace. A device that is no member with keys
// says nothing. What is said counts in spite of an error.
func (c *Cover) Run() error {
	if m, in := c.Roster.Member(c.By.ID()); !in || !m.Role.HoldsKey() {
		return nil
	}
	err := c.found()
	if err == nil {
		err = c.Keep()
	}
	return errors.Join(err, c.end())
}

func (c *Cover) say(st roster.Statement, err error) error {
	if err != nil {
		return err
	}
	r, _, refused := c.Roster.Add(st)
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	c.Roster, c.Said = r, append(c.Said, st)
	return nil
}

// found makes the words of this device a recovery key of the folder, if they
// are to be one, and this device may. Words that were revoked stay so.
func (c *Cover) found() error {
	id := c.Own.Device()
	if id == "" || c.Roster.IsRecovery(id) || c.Roster.Revoked(id) {
		return nil
	}
	sealed, err := c.Own.Seal(c.Roster.Folder(), c.Keys)
	if err != nil {
		return err
	}
	st, err := c.Roster.Recover(c.By, id, sealed[0], version.ClockAt(time.Now()))
	if errors.Is(err, roster.ErrRight) {
		return nil // it receives only
	}
	return c.say(st, err)
}

// Keep keeps all keys for all recovery keys in force. Each member does so
// itself: none can see whether another has sealed what it says.
func (c *Cover) Keep() error {
	all := c.Roster.Recoveries()
	slices.SortStableFunc(all, func(a, b roster.Recovery) int {
		if (a.Device == c.Own.Device()) != (b.Device == c.Own.Device()) {
			return map[bool]int{true: -1, false: 1}[a.Device == c.Own.Device()]
		}
		return cmp.Compare(a.Clock, b.Clock)
	})
	var failed error
	for _, r := range all[:min(len(all), MaxWords)] {
		failed = errors.Join(failed, c.keepFor(&r))
	}
	return failed
}

func (c *Cover) saidByMe() (n int) {
	for _, st := range c.Roster.Statements() {
		if st.Author == c.By.ID() {
			n++
		}
	}
	return n
}

func (c *Cover) keepFor(r *roster.Recovery) error {
	public, mine := recovery.Public{}, [][]byte(nil)
	for _, k := range r.Sealed {
		if p, _, err := recovery.Read(r.Device, k.Payload); err == nil {
			public = p
			if k.Author == c.By.ID() {
				mine = append(mine, k.Payload)
			}
		}
	}
	missing := public.Missing(c.Keys, mine)
	if public.Device() == "" || len(missing) == 0 {
		return nil
	}
	sealed, err := public.Seal(c.Roster.Folder(), missing)
	if err != nil {
		return err
	}
	for _, payload := range sealed {
		if c.saidByMe() >= maxSaid {
			return errKept
		}
		if err := c.say(c.Roster.AddKeys(c.By, r.Device, payload, version.ClockAt(time.Now()))); err != nil {
			return err
		}
	}
	return nil
}

// end ends the recovery keys that the words of this device have replaced.
func (c *Cover) end() error {
	if !c.Roster.IsRecovery(c.Own.Device()) {
		return nil
	}
	for _, id := range c.Replaced {
		if !c.Roster.IsRecovery(id) {
			continue
		}
		err := c.say(c.Roster.Revoke(c.By, id, version.ClockAt(time.Now())))
		if err != nil && !errors.Is(err, roster.ErrRight) {
			return fmt.Errorf("end earlier recovery words: %w", err)
		}
		c.Ended = c.Ended || err == nil
	}
	return nil
}

// Superseded are the recovery keys of a folder whose place new words of a device
// take: those that it made, and those whose maker is a member no more.
func Superseded(r roster.Roster, by entry.DeviceID) (out []entry.DeviceID) {
	for _, key := range r.Recoveries() {
		if _, member := r.Member(key.Author); key.Author == by || !member {
			out = append(out, key.Device)
		}
	}
	return out
}
