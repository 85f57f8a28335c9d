// Package recoverytest makes folders with members and recovery words, for tests
// that need no device.
package recoverytest

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/epochs"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/protocol/seal"
)

// Keys are those of a folder.
type Keys = map[entry.Epoch]seal.FolderKey

// Began is the moment at which all folders begin.
var Began = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// Device is a new one.
func Device(t testing.TB) *identity.Identity {
	t.Helper()
	id, err := identity.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Words are new ones, and what they open.
func Words(t testing.TB) (string, *recovery.Secret) {
	t.Helper()
	phrase := identity.NewPhrase()
	s, err := recovery.Unlock(phrase)
	if err != nil {
		t.Fatal(err)
	}
	words := phrase.Words()
	return strings.Join(words[:], " "), s
}

// Secret is what new words open.
func Secret(t testing.TB) *recovery.Secret {
	t.Helper()
	_, s := Words(t)
	return s
}

// Folder is what is known of the members of one.
type Folder struct {
	T testing.TB
	roster.Roster
	now time.Time
}

// New is a folder that a device called "laptop" has founded.
func New(t testing.TB, by *identity.Identity, label string) *Folder {
	t.Helper()
	f := &Folder{T: t, now: Began}
	id, founding, err := roster.NewFolder(by, roster.Founding{Label: label, Name: "laptop"}, f.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f.Roster = roster.New(id, identity.Verify)
	f.Say(founding, nil)
	return f
}

// Now is a moment after all before, by a day.
func (f *Folder) Now() version.Clock {
	f.now = f.now.Add(24 * time.Hour)
	return version.ClockAt(f.now)
}

// Say adds a statement, as it was made.
func (f *Folder) Say(st roster.Statement, err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
	r, added, refused := f.Add(st)
	if len(added) != 1 {
		f.T.Fatalf("refused: %v", refused)
	}
	f.Roster = r
}

// Admit has a device become a member, which joins.
func (f *Folder) Admit(by, device *identity.Identity, name string, role entry.Role, rights roster.Rights) {
	f.T.Helper()
	a := roster.Admission{Device: device.ID(), Name: name, Role: role, Rights: rights}
	f.Say(f.Roster.Admit(by, a, f.Now()))
	f.Say(f.Describe(device, name, role, f.Now()))
}

// Revoke has a device or words put out.
func (f *Folder) Revoke(by *identity.Identity, id entry.DeviceID) {
	f.T.Helper()
	f.Say(f.Roster.Revoke(by, id, f.Now()))
}

// Recover has a member make words a recovery key, with keys that these open.
func (f *Folder) Recover(by *identity.Identity, words *recovery.Secret, keys Keys) {
	f.T.Helper()
	f.Say(f.Roster.Recover(by, words.Public().Device(), f.sealed(words, keys), f.Now()))
}

// Keep has a member keep keys for words.
func (f *Folder) Keep(by *identity.Identity, words *recovery.Secret, keys Keys) {
	f.T.Helper()
	f.Say(f.AddKeys(by, words.Public().Device(), f.sealed(words, keys), f.Now()))
}

func (f *Folder) sealed(words *recovery.Secret, keys Keys) []byte {
	f.T.Helper()
	payloads, err := words.Public().Seal(f.Folder(), keys)
	if err != nil || len(payloads) != 1 {
		f.T.Fatal(len(payloads), err)
	}
	return payloads[0]
}

// Founding is a key of the first epoch.
func Founding(first byte) Keys { return Keys{epochs.Founding: {first, 31: 1}} }

// After is a key of an epoch that begins after some removals.
func After(removals int, first byte) Keys {
	k := seal.FolderKey{first, 31: 2}
	return Keys{epochs.Name(removals, k): k}
}

// Record is a version that is sealed with a key.
func (f *Folder) Record(e entry.Epoch, key seal.FolderKey, path entry.Path) *seal.Record {
	f.T.Helper()
	k, err := seal.Derive(f.Folder(), e, key)
	if err != nil {
		f.T.Fatal(err)
	}
	r, err := k.SealRecord(&entry.Entry{
		Path: path, Kind: entry.Directory, Mode: 0o755, Version: version.Version{}.Next(7, 1, f.Now()), AuthorName: "laptop", Epoch: e,
	})
	if err != nil {
		f.T.Fatal(err)
	}
	return r
}
