package node

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/protocol/history"
)

// guard is what this device knows of a member that keeps a vault of a folder:
// how far it is to be relied on. It is remembered, so that a vault which is set
// back, or has not been met for long, is noticed.
type guard struct {
	// Since is when the member was first known to be a backup.
	Since time.Time `json:"since"`
	// AsOf is the last moment at which it held all that was here; Index and
	// Head say what that was.
	AsOf  time.Time      `json:"as_of"`
	Index uint64         `json:"index"`
	Head  entry.Sequence `json:"head"`

	// Vault, Sequence and Moment are the furthest that its vault was seen.
	Vault    history.VaultID `json:"vault"`
	Sequence entry.Sequence  `json:"sequence"`
	Moment   time.Time       `json:"moment"`
	// Told is how far it said that the vault of this index was, while it was
	// connected; its clock is not known of that.
	ToldIndex uint64         `json:"told_index"`
	Told      entry.Sequence `json:"told"`
	// WasIndex and WasTold are those of the vault before, until it is looked
	// into.
	WasIndex uint64         `json:"was_index"`
	WasTold  entry.Sequence `json:"was_told"`
	// SetBack is when it noted itself that it was set back, as last shown.
	SetBack time.Time `json:"set_back"`

	Schedule string    `json:"schedule"`
	LastRun  time.Time `json:"last_run"`
	Full     bool      `json:"full"`
	Damaged  int64     `json:"damaged"`

	Proven  time.Time `json:"proven"` // all that was asked for was proven
	Drilled time.Time `json:"drilled"`
	// Faults are what was found wrong, until a person has seen it.
	Faults []fault `json:"faults"`
	// What was here at a moment, to be noted when the member says that it holds
	// that: where something changes all the time it never holds just what is.
	nextAt    time.Time
	nextIndex uint64
	nextHead  entry.Sequence

	// Warned is for which stale moment the hook has been called.
	Warned time.Time `json:"warned"`
}

// fault is something that a vault did which it should not.
type fault struct {
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	Found time.Time `json:"found"`
}

// The codes of faults.
const (
	faultSetBack  = "rolled_back" // it has less than it had
	faultAnew     = "vault_lost"  // it began anew, with nothing
	faultWithheld = "withheld"    // it does not have what it says
)

// guards are those of all folders.
type guards struct {
	mu    sync.Mutex
	path  string
	of    map[string]map[entry.DeviceID]*guard // by the folder's ID
	hooks map[string]string                    // commands, by the folder's ID
	dirty bool
	wrote time.Time
}

const guardsFile = "guards.json"

// guardsEvery is how often what changes all the time is written.
const guardsEvery = time.Minute

type storedGuards struct {
	Guards map[string]map[entry.DeviceID]*guard `json:"guards"`
	Hooks  map[string]string                    `json:"hooks"`
}

// loadGuards reads what was known when the device last ran.
func (d *Device) loadGuards() error {
	g := &d.guards
	g.path = filepath.Join(d.Places.State, guardsFile)
	var stored storedGuards
	b, err := os.ReadFile(g.path)
	if err == nil {
		err = json.Unmarshal(b, &stored)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// Nothing that is kept here is needed to get at any data.
		d.Log.Warn("what was known of backups is forgotten", "file", g.path, "error", err)
		stored = storedGuards{}
	}
	g.of, g.hooks = stored.Guards, stored.Hooks
	if g.of == nil {
		g.of = map[string]map[entry.DeviceID]*guard{}
	}
	if g.hooks == nil {
		g.hooks = map[string]string{}
	}
	return nil
}

// change changes what is known of a member's vault. What matters is durable
// when it returns.
func (g *guards) change(f entry.FolderID, d entry.DeviceID, matters bool, change func(*guard)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	of := g.of[f.String()]
	if of == nil {
		of = map[entry.DeviceID]*guard{}
		g.of[f.String()] = of
	}
	if of[d] == nil {
		of[d] = &guard{Since: time.Now()}
	}
	change(of[d])
	g.dirty = true
	if !matters && time.Since(g.wrote) < guardsEvery {
		return nil
	}
	return g.writeLocked()
}

func (g *guards) writeLocked() error {
	b, err := json.Marshal(storedGuards{g.of, g.hooks})
	if err == nil {
		err = durable.Write(g.path, b, 0o600)
	}
	if err == nil {
		g.dirty, g.wrote = false, time.Now()
	}
	return err
}

// flush writes what is not written yet.
func (g *guards) flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.dirty {
		return nil
	}
	return g.writeLocked()
}

// get is what is known of a member's vault.
func (g *guards) get(f entry.FolderID, d entry.DeviceID) (guard, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if x := g.of[f.String()][d]; x != nil {
		return *x, true
	}
	return guard{}, false
}

// hook is the command for when a backup of a folder is stale; setHook sets it.
func (g *guards) hook(f entry.FolderID) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hooks[f.String()]
}

func (g *guards) setHook(f entry.FolderID, command string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	hooks := maps.Clone(g.hooks)
	if hooks[f.String()] = command; command == "" {
		delete(hooks, f.String())
	}
	g.hooks = hooks
	return g.writeLocked()
}

// forget forgets a folder.
func (g *guards) forget(f entry.FolderID) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.of, f.String())
	delete(g.hooks, f.String())
	return g.writeLocked()
}

// fault notes something wrong, once.
func (g *guard) fault(code, text string) bool {
	for _, f := range g.Faults {
		if f.Code == code && f.Text == text {
			return false
		}
	}
	g.Faults = append(g.Faults, fault{code, text, time.Now()})
	return true
}
