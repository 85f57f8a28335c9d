// Package rescue gets folders back for whoever holds recovery words, from what
// devices tell that still have them.
//
// A [Rescue] is the holder of the words, under an identity of its own. Each
// device that it meets is a [Witness], with which it talks by the exchange: the
// witness tells the rosters of the folders in which it knows the words, and
// hears what the words have to say of those. What follows is decided without a
// connection: which folders the words open, by which keys, who can read them
// and was not met, whether somebody has taken what was said.
//
// # Promises
//
//   - A witness is believed nothing that a roster does not prove: of several
//     that differ all statements count together, whoever told them.
//   - It is told only of folders that it told of itself, and nothing but
//     rosters; it gets no keys, and its records are not listened to.
//   - What witnesses can tell is bounded. Whoever owns the connections lets in
//     no more than [MaxWitnesses] that were not looked for.
//
// A [Rescue] is safe for concurrent use; a [Folder] is a value that belongs to
// the caller.
package rescue

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
)

// Bounds of what strangers can cost while folders are got back.
const (
	MaxWitnesses = 16        // that came of themselves
	maxTold      = 256 << 20 // bytes of statements
)

// Rescue is what the holder of recovery words knows and has to say.
type Rescue struct {
	secret *recovery.Secret
	index  uint64

	mu      sync.Mutex
	met     map[entry.DeviceID]*Witness
	rosters map[entry.FolderID]roster.Roster // as all together know them
	heard   int                              // bytes of statements
	news    time.Time                        // when somebody last told something
	changed chan struct{}                    // closed at the next change
}

// New is the holder of the words that a secret comes from, who has met nobody.
func New(secret *recovery.Secret) *Rescue {
	return &Rescue{
		secret: secret, index: randomIndex(), news: time.Now(), changed: make(chan struct{}),
		met: map[entry.DeviceID]*Witness{}, rosters: map[entry.FolderID]roster.Roster{},
	}
}

func randomIndex() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) | 1
}

// Changed wakes whoever awaits something, to look again.
func (x *Rescue) Changed() {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.changed)
	x.changed = make(chan struct{})
}

func (x *Rescue) nextChange() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.changed
}

const awaitEvery = 100 * time.Millisecond

// Await waits until something is so, at most for limit, and tells whether it is.
func (x *Rescue) Await(ctx context.Context, limit time.Duration, is func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		changed := x.nextChange()
		if is() {
			return true
		}
		timer := time.NewTimer(awaitEvery)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return is()
		}
	}
}

// Admit says that a device is a member of a folder, with all rights.
func (x *Rescue) Admit(id entry.FolderID, device entry.DeviceID, name string) error {
	return x.say(id, func(r roster.Roster, by roster.Signer, now version.Clock) (roster.Statement, error) {
		return r.Admit(by, roster.Admission{Device: device, Name: name, Role: entry.RoleSync, Rights: roster.Every}, now)
	})
}

// Revoke says that a device is a member of a folder no more.
func (x *Rescue) Revoke(id entry.FolderID, device entry.DeviceID) error {
	return x.say(id, func(r roster.Roster, by roster.Signer, now version.Clock) (roster.Statement, error) {
		return r.Revoke(by, device, now)
	})
}

// say makes a statement about a folder in the name of the words, and tells it.
func (x *Rescue) say(id entry.FolderID, make func(r roster.Roster, by roster.Signer, now version.Clock) (roster.Statement, error)) error {
	x.mu.Lock()
	r := x.rosters[id]
	st, err := make(r, x.secret.Identity(), version.ClockAt(time.Now()))
	if err == nil {
		var refused []error
		r, _, refused = r.Add(st)
		err = errors.Join(refused...)
	}
	if err == nil {
		x.rosters[id] = r
	}
	x.mu.Unlock()
	x.tellAll()
	return err
}

func (x *Rescue) tellAll() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.met {
		w.teller.Wake()
	}
}

// learn takes statements about a folder.
func (x *Rescue) learn(id entry.FolderID, statements []roster.Statement) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range statements {
		x.heard += len(statements[i].Encode())
	}
	if x.heard > maxTold {
		return fmt.Errorf("too much was told about the members of folders: %d MiB", x.heard>>20)
	}
	r, known := x.rosters[id]
	if !known {
		r = roster.New(id, identity.Verify)
	}
	x.rosters[id], _, _ = r.Add(statements...)
	x.news = time.Now()
	return nil
}

// Taken tells whether some witness knows all that was said about a folder.
func (x *Rescue) Taken(id entry.FolderID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	digest := x.rosters[id].Digest()
	for _, w := range x.met {
		if st, tells := w.told[id]; tells && st.Roster == digest {
			return true
		}
	}
	return false
}

// Ready tells whether all who have told which folders they know have told all
// that they know of them.
func (x *Rescue) Ready() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.met {
		if w.listed && !w.ready() {
			return false
		}
	}
	return true
}

// QuietFor tells whether nobody has told anything for a time.
func (x *Rescue) QuietFor(t time.Duration) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return time.Since(x.news) >= t
}

// Listed are the devices that have told which folders they know.
func (x *Rescue) Listed() (out []entry.DeviceID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, w := range x.met {
		if w.listed {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
