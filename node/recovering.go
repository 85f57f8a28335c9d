package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/node/recovery/cover"
	"github.com/kithmesh/kith/node/recovery/words"
)

// phrases is what this device has to do with recovery words: those that it
// knows, and what it does for them while it runs.
type phrases struct {
	*words.Words
	recovering sync.Mutex // held while folders are got back
	changing   sync.Mutex // held while the words in effect are changed

	mu      sync.Mutex
	covered map[entry.FolderID]coverage // as of the last look
	let     map[entry.DeviceID]bool     // recovery keys that are admitted
}

const wordsFile = "recovery.json"

// loadWords reads what was known when the device last ran. Without it no
// further folders are covered by the words: that is said, and no reason not to
// run.
func (d *Device) loadWords() (err error) {
	path := filepath.Join(d.Places.State, wordsFile)
	d.words.covered, d.words.let = map[entry.FolderID]coverage{}, map[entry.DeviceID]bool{}
	var damage error
	if d.words.Words, damage, err = words.Open(path); err != nil {
		return err
	}
	if damage != nil {
		d.Log.Error("what is known of recovery words is damaged", "file", path, "error", damage)
		d.problems = append(d.problems, control.Problem{
			Code: "recovery_unknown", Message: "which recovery words were made here is not known any more: " + path + " is damaged",
			Hint: "words that were written down still open what they did; kith recovery create makes others",
		})
	}
	return nil
}

// DraftRecovery implements [control.Recovery].
func (d *Device) DraftRecovery(context.Context) (control.RecoveryDraft, error) {
	n, err := d.words.Draw()
	return control.RecoveryDraft{ID: n.ID, Words: n.Words, Ask: n.Ask}, err
}

// ConfirmRecovery implements [control.Recovery].
func (d *Device) ConfirmRecovery(_ context.Context, id string, answers []string) (control.RecoveryState, error) {
	secret, err := d.words.Confirm(id, answers)
	if errors.Is(err, words.ErrNoDraft) || errors.Is(err, words.ErrWrong) {
		return control.RecoveryState{}, fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	if err != nil {
		return control.RecoveryState{}, fmt.Errorf("put recovery words into effect: %w", err)
	}
	if err := d.putIntoEffect(secret.Public(), time.Now()); err != nil {
		return control.RecoveryState{}, fmt.Errorf("put recovery words into effect: %w", err)
	}
	return d.recoveryState(secret), nil
}

// putIntoEffect has words open all folders from now on, in place of those that
// this device made before, and of those whose maker is a member no more. It is
// stored first: what a crash keeps from being done is done at the next start.
func (d *Device) putIntoEffect(public recovery.Public, created time.Time) error {
	d.words.changing.Lock()
	defer d.words.changing.Unlock()
	var superseded []entry.DeviceID
	for _, s := range d.allShares() {
		superseded = append(superseded, cover.Superseded(s.rosterNow(), d.id.ID())...)
	}
	replaced, err := d.words.Put(public, created, superseded)
	if err != nil {
		return err
	}
	d.Log.Info("recovery words are in effect", "recovery", public.Device(), "replaced", replaced)
	d.coverAll()
	return nil
}

// TestRecovery implements [control.Recovery].
func (d *Device) TestRecovery(_ context.Context, text string) (control.RecoveryState, error) {
	secret, err := unlock(text)
	if err != nil {
		return control.RecoveryState{}, fmt.Errorf("test recovery words: %w", err)
	}
	return d.recoveryState(secret), nil
}

// unlock reads words as a person types them.
func unlock(text string) (*recovery.Secret, error) {
	phrase, err := identity.ParsePhrase(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", control.ErrInvalid, err)
	}
	return recovery.Unlock(phrase)
}

// recoveryState is what words open, as far as this device knows.
func (d *Device) recoveryState(secret *recovery.Secret) control.RecoveryState {
	shares, _ := d.someShares("")
	id := secret.Public().Device()
	public, _, created := d.words.InEffect()
	out := control.RecoveryState{Created: created, Matches: public.Device() == id}
	var rosters []roster.Roster
	for _, s := range shares {
		out.Folders = append(out.Folders, s.openedBy(secret))
		rosters = append(rosters, s.rosterNow())
	}
	if public.Device() == "" { // made on another device, if at all
		out.Created, out.Matches = cover.Told(rosters, id)
	}
	return out
}

// openedBy tells whether words open a folder: all of it, for a device that can
// compare keys.
func (s *share) openedBy(secret *recovery.Secret) control.RecoveryFolder {
	out := control.RecoveryFolder{Folder: s.controlled()}
	s.mu.Lock()
	r, keys := s.roster, folderKeys(s.record.Keys)
	s.mu.Unlock()
	out.Epochs, out.Covered = cover.Opens(secret, r, keys)
	for _, m := range s.members() {
		if m.Device != s.device.id.ID() && s.joined(m.Device) {
			out.At = append(out.At, control.Identity{ID: m.Device, Name: s.device.shownMember(m.Device, m.Name)})
		}
	}
	return out
}
