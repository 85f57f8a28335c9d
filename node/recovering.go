package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
)

// words is what this device knows of the recovery words that were made here, or
// that it came back with: never the words themselves, but while a person writes
// them down.
type words struct {
	recovering sync.Mutex // held while folders are got back
	changing   sync.Mutex // held while the words in effect are changed

	mu      sync.Mutex
	path    string
	public  recovery.Public // of the words in effect; zero if there are none
	stored  storedWords
	draft   *draft
	covered map[entry.FolderID]coverage // as of the last look
	let     map[entry.DeviceID]bool     // recovery keys that are admitted
}

const wordsFile = "recovery.json"

// storedWords are the words as they are stored: nothing of it is secret.
type storedWords struct {
	Public  []byte    `json:"public"` // as by [recovery.Public.Bytes]
	Created time.Time `json:"created"`
	// Replaced are recovery keys that are to end in every folder in which the
	// words in effect have taken their place.
	Replaced []entry.DeviceID `json:"replaced,omitempty"`
	// First are the paths that are to come before all others in folders that
	// have just been got back, by the folder's ID.
	First map[string][][]byte `json:"first,omitempty"`
}

// loadWords reads what was known when the device last ran. Without it no
// further folders are covered by the words: that is said, and no reason not to
// run.
func (d *Device) loadWords() error {
	w := &d.words
	w.path = filepath.Join(d.Places.State, wordsFile)
	w.covered, w.let = map[entry.FolderID]coverage{}, map[entry.DeviceID]bool{}
	b, err := os.ReadFile(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what is known of recovery words: %w", err)
	}
	if err = json.Unmarshal(b, &w.stored); err == nil && len(w.stored.Public) > 0 {
		w.public, err = recovery.ParsePublic(w.stored.Public)
	}
	if err != nil {
		w.stored, w.public = storedWords{}, recovery.Public{}
		d.Log.Error("what is known of recovery words is damaged", "file", w.path, "error", err)
		d.problems = append(d.problems, control.Problem{
			Code: "recovery_unknown", Message: "which recovery words were made here is not known any more: " + w.path + " is damaged",
			Hint: "words that were written down still open what they did; kith recovery create makes others",
		})
	}
	return nil
}

// change changes what is stored, durably.
func (w *words) change(change func(*storedWords)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := w.stored
	change(&next)
	public := recovery.Public{}
	if len(next.Public) > 0 {
		var err error
		if public, err = recovery.ParsePublic(next.Public); err != nil {
			return err
		}
	}
	b, err := json.Marshal(next)
	if err == nil {
		err = durable.Write(w.path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("store what is known of recovery words: %w", err)
	}
	w.stored, w.public = next, public
	return nil
}

// inEffect are the words in effect, and the recovery keys that they replace.
func (w *words) inEffect() (recovery.Public, []entry.DeviceID, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.public, w.stored.Replaced, w.stored.Created
}

// putIntoEffect has words open all folders from now on, in place of those that
// this device made before, and of those whose maker is a member no more. It is
// stored first: what a crash keeps from being done is done at the next start.
func (d *Device) putIntoEffect(public recovery.Public, created time.Time) error {
	d.words.changing.Lock()
	defer d.words.changing.Unlock()
	before, replaced, _ := d.words.inEffect()
	if id := before.Device(); id != "" {
		replaced = append(slices.Clone(replaced), id)
	}
	for _, s := range d.allShares() {
		for _, r := range s.recoveries() {
			if _, member := s.member(r.Author); r.Author == d.id.ID() || !member {
				replaced = append(slices.Clone(replaced), r.Device)
			}
		}
	}
	slices.Sort(replaced)
	replaced = slices.DeleteFunc(slices.Compact(replaced), func(id entry.DeviceID) bool { return id == public.Device() })
	err := d.words.change(func(s *storedWords) {
		s.Public, s.Created, s.Replaced = public.Bytes(), created.Truncate(time.Second), replaced
	})
	if err != nil {
		return err
	}
	d.Log.Info("recovery words are in effect", "recovery", public.Device(), "replaced", len(replaced))
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
	public, _, created := d.words.inEffect()
	out := control.RecoveryState{Created: created, Matches: public.Device() == id}
	for _, s := range shares {
		f := s.openedBy(secret)
		out.Folders = append(out.Folders, f)
		if public.Device() != "" {
			continue
		}
		// Made on another device: what is known of them is what rosters say.
		for _, r := range s.recoveries() {
			if at := r.Clock.Time(); out.Created.IsZero() || r.Device == id && !out.Matches {
				out.Created = at
			}
			out.Matches = out.Matches || r.Device == id
		}
	}
	return out
}

// openedBy tells whether words open a folder: all of it, for a device that can
// compare keys.
func (s *share) openedBy(secret *recovery.Secret) control.RecoveryFolder {
	out := control.RecoveryFolder{Folder: s.controlled()}
	s.mu.Lock()
	sealed, keys := s.roster.SealedTo(secret.Public().Device()), s.record.Keys
	in := s.roster.IsRecovery(secret.Public().Device())
	s.mu.Unlock()
	opened, _ := secret.OpenAll(s.ID, payloads(sealed))
	for e, k := range folderKeys(keys) {
		if slices.Contains(opened[e], k) {
			out.Epochs++
		}
	}
	if len(keys) == 0 {
		out.Epochs = len(opened)
	}
	out.Covered = in && out.Epochs > 0 && out.Epochs >= len(keys)
	for _, m := range s.members() {
		if m.Device != s.device.id.ID() && s.joined(m.Device) {
			out.At = append(out.At, control.Identity{ID: m.Device, Name: s.device.shownMember(m.Device, m.Name)})
		}
	}
	return out
}
