// Package words knows which recovery words were made on this device, or brought
// it back: never the words themselves, but while a person writes them down.
//
// Words that were drawn have no effect. A person gives some of them back to show
// that they are written down, and puts them into effect by that; what is then
// remembered is their public side, which recovery keys they replace, and what is
// to come first of folders that they brought back.
//
// # Promises
//
//   - A draft is forgotten when it is confirmed, after a wrong answer, when
//     another takes its place, and after an hour. Errors never tell a word.
//   - What is remembered is on disk before it counts. Nothing of it is secret.
//   - A file that is damaged is said, and no reason not to go on: words that
//     were written down open what they did.
//
// [Words] are safe for concurrent use.
package words

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/durable"
	"github.com/kithmesh/kith/node/recovery"
)

// Words are those in effect on a device, and those that may be.
type Words struct {
	path string

	mu     sync.Mutex
	public recovery.Public // of the words in effect; zero if there are none
	stored stored
	draft  *draft
}

// stored are the words as they are stored.
type stored struct {
	Public  []byte    `json:"public"` // as by [recovery.Public.Bytes]
	Created time.Time `json:"created"`
	// Replaced are recovery keys that are to end in every folder in which the
	// words in effect have taken their place.
	Replaced []entry.DeviceID `json:"replaced,omitempty"`
	// First are the paths that are to come before all others in folders that
	// have just been got back, by the folder's ID.
	First map[string][][]byte `json:"first,omitempty"`
}

// Open reads what is remembered in a file, which need not be there. If the file
// is damaged, damage says how, and nothing is known.
func Open(path string) (w *Words, damage, err error) {
	w = &Words{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read what is known of recovery words: %w", err)
	}
	if damage = json.Unmarshal(b, &w.stored); damage == nil {
		w.public, damage = w.stored.parse()
	}
	if damage != nil {
		w.stored, w.public = stored{}, recovery.Public{}
	}
	return w, damage, nil
}

func (s *stored) parse() (recovery.Public, error) {
	if len(s.Public) == 0 {
		return recovery.Public{}, nil
	}
	return recovery.ParsePublic(s.Public)
}

// change changes what is stored, durably.
func (w *Words) change(change func(*stored)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := w.stored
	change(&next)
	public, err := next.parse()
	if err != nil {
		return err
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

// InEffect are the words in effect, the recovery keys that they replace, and
// when they were made.
func (w *Words) InEffect() (recovery.Public, []entry.DeviceID, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.public, w.stored.Replaced, w.stored.Created
}

// Put puts words into effect that were made at a moment. They replace those
// before, all that these replaced, and further recovery keys: it returns how
// many in all.
func (w *Words) Put(public recovery.Public, created time.Time, superseded []entry.DeviceID) (replaced int, err error) {
	err = w.change(func(s *stored) {
		all := slices.Concat(s.Replaced, superseded)
		if id := w.public.Device(); id != "" {
			all = append(all, id)
		}
		slices.Sort(all)
		all = slices.DeleteFunc(slices.Compact(all), func(id entry.DeviceID) bool { return id == public.Device() })
		s.Public, s.Created, s.Replaced = public.Bytes(), created.Truncate(time.Second), all
		replaced = len(all)
	})
	return replaced, err
}

// CameBack remembers the words that brought this device back, and were made at
// a moment, unless others are in effect on it; and, unless first is nil, which
// paths of which folders are to come first.
func (w *Words) CameBack(public recovery.Public, created time.Time, first map[entry.FolderID][]entry.Path) error {
	return w.change(func(s *stored) {
		if len(s.Public) == 0 {
			s.Public, s.Created = public.Bytes(), created.Truncate(time.Second)
		}
		if first == nil {
			return
		}
		s.First = map[string][][]byte{}
		for id, paths := range first {
			s.First[id.String()] = nil
			for _, p := range paths {
				s.First[id.String()] = append(s.First[id.String()], []byte(p))
			}
		}
	})
}

// First are the paths that come first in folders that were got back.
func (w *Words) First() map[entry.FolderID][]entry.Path {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[entry.FolderID][]entry.Path{}
	for text, paths := range w.stored.First {
		id, err := entry.ParseFolderID(text)
		if err != nil {
			continue
		}
		out[id] = nil
		for _, p := range paths {
			out[id] = append(out[id], entry.Path(p))
		}
	}
	return out
}

// FirstCame notes that what was to come first is here.
func (w *Words) FirstCame() error { return w.change(func(s *stored) { s.First = nil }) }
