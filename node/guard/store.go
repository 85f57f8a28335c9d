package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/durable"
)

const (
	// changedEvery is how often is written what changes while files do. A crash
	// loses how far the vaults were seen in that time: one that is set back to a
	// state within it may pass for one that is whole.
	changedEvery = time.Minute
	// tickedEvery is how often is written what time alone changes: until when a
	// connected vault held everything. A crash loses that much of it: until the
	// vault is met again it is shown as holding what was here up to a quarter of
	// an hour before it last did, and is called stale by as much too soon. It is
	// never shown as holding what it does not hold.
	tickedEvery = 15 * time.Minute
)

// Store remembers the guards of all folders, and the command that a person has
// set for when a backup of a folder is stale.
type Store struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	of      map[string]map[entry.DeviceID]*Guard // by the folder's ID
	hooks   map[string]string                    // commands, by the folder's ID
	changed bool                                 // something that matters is not written
	ticked  bool                                 // time is not
	tried   time.Time                            // to write
	failing bool                                 // and that has been logged
}

type stored struct {
	Guards map[string]map[entry.DeviceID]*Guard `json:"guards"`
	Hooks  map[string]string                    `json:"hooks"`
}

// Open reads what is remembered in a file. If that is damaged, nothing is known
// any more: nothing that is kept here is needed to get at any data.
func Open(path string, log *slog.Logger) *Store {
	var was stored
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &was)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("what was known of backups is forgotten", "file", path, "error", err)
		was = stored{}
	}
	s := &Store{path: path, log: log, of: was.Guards, hooks: was.Hooks, tried: time.Now()}
	if s.of == nil {
		s.of = map[string]map[entry.DeviceID]*Guard{}
	}
	if s.hooks == nil {
		s.hooks = map[string]string{}
	}
	return s
}

// Get is what is known of a member's vault; the zero Guard if nothing is.
func (s *Store) Get(f entry.FolderID, d entry.DeviceID) Guard {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.of[f.String()][d]; g != nil {
		return *g
	}
	return Guard{}
}

// Note changes what is known of a member's vault. That there is one, that
// something was proven or found wrong, and that a person was warned is written
// before it returns, and anything else when it is time ([Store.Tick]). What
// cannot be written is tried again, and logged once.
func (s *Store) Note(f entry.FolderID, d entry.DeviceID, change func(*Guard)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.change(f, d, change) {
		s.tell(s.write())
	}
}

// Keep changes what is known of a member's vault on a person's behalf: it is
// durable when Keep returns nil.
func (s *Store) Keep(f entry.FolderID, d entry.DeviceID, change func(*Guard)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.change(f, d, change); !s.changed {
		return nil
	}
	return s.write()
}

// change tells whether what has changed is to be written at once.
func (s *Store) change(f entry.FolderID, d entry.DeviceID, change func(*Guard)) (atOnce bool) {
	of := s.of[f.String()]
	if of == nil {
		of = map[entry.DeviceID]*Guard{}
		s.of[f.String()] = of
	}
	var before Guard
	g := of[d]
	if g == nil {
		g = &Guard{Since: time.Now()}
		of[d] = g
	} else {
		before = *g
	}
	change(g)
	if !bytes.Equal(g.lasting(), before.lasting()) {
		s.changed = true
	}
	s.ticked = s.ticked || !g.AsOf.Equal(before.AsOf) || !g.LastRun.Equal(before.LastRun)
	return !before.Known() || !g.Proven.Equal(before.Proven) || !g.Drilled.Equal(before.Drilled) || !g.Warned.Equal(before.Warned) ||
		!slices.Equal(g.Faults, before.Faults)
}

// lasting is what is written of a guard, but for what time alone changes.
func (g Guard) lasting() []byte {
	g.AsOf, g.LastRun = time.Time{}, time.Time{}
	b, _ := json.Marshal(g) // its moments are within the years that JSON can tell
	return b
}

// Tick writes what is due. It is to be called every minute or so; what could
// not be written before is due again after a minute.
func (s *Store) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := time.Since(s.tried)
	if s.changed && since >= changedEvery || s.ticked && since >= tickedEvery {
		s.tell(s.write())
	}
}

// Flush writes what is not written yet.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.changed && !s.ticked {
		return nil
	}
	return s.write()
}

// write writes everything. The caller holds the lock.
func (s *Store) write() error {
	s.tried = time.Now()
	b, err := json.Marshal(stored{s.of, s.hooks})
	if err == nil {
		err = durable.Write(s.path, b, 0o600)
	}
	s.changed = err != nil // then it is due with the next minute
	if err == nil {
		s.ticked, s.failing = false, false
	}
	return err
}

// tell logs that something could not be written, unless it has since it last
// could. The caller holds the lock.
func (s *Store) tell(err error) {
	if err != nil && !s.failing {
		s.failing = true
		s.log.Warn("what is known of backups cannot be written; it is tried again each minute", "file", s.path, "error", err)
	}
}

// Hook is the command for when a backup of a folder is stale; empty if there is
// none.
func (s *Store) Hook(f entry.FolderID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hooks[f.String()]
}

// SetHook sets it, durably, or leaves it as it was; the empty text ends it.
func (s *Store) SetHook(f entry.FolderID, command string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, hooks := s.hooks, maps.Clone(s.hooks)
	if hooks[f.String()] = command; command == "" {
		delete(hooks, f.String())
	}
	s.hooks = hooks
	err := s.write()
	if err != nil {
		s.hooks = before
	}
	return err
}

// Forget forgets a folder, durably.
func (s *Store) Forget(f entry.FolderID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, f.String())
	delete(s.hooks, f.String())
	return s.write()
}
