// Package membership remembers whom this device is paired with, which folders
// it is in, with their keys and rosters, and what it has been offered.
//
// It keeps them in small text files of its own, apart from the index, so that
// the index can be deleted and rebuilt without losing a peer or a key. The
// files are for reading; they are not to be edited, and a hash shows if one
// was.
//
// # Promises
//
//   - When a Put or a Remove has returned nil, the change survives a loss of
//     power. After an error it may or may not have reached the disk, and is not
//     in effect.
//   - Every file is kept twice, with the same content. One that is damaged is
//     replaced by its twin, and that is reported ([Store.Problems]); if both
//     are, [Open] refuses and names them. A twin is never older than what was
//     promised: a removed peer does not come back with it.
//   - Files and directories are for their owner alone, and a [Key] does not
//     show in print.
//
// A Store is safe for concurrent use. What it returns are copies. Only one
// process may have a directory open.
package membership

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/durable"
)

// Store is the membership of this device. Make one with [Open].
type Store struct {
	dir string

	mu           sync.Mutex
	peers        map[entry.DeviceID]Peer
	peersWritten time.Time // when Saw last wrote them
	peersStale   bool      // the file lacks what Saw has been told
	folders      map[entry.FolderID]Folder
	offers       map[offerID]Offer
	problems     []Problem
}

// Problem is a file that was found damaged and has been put right.
type Problem struct {
	File string
	Err  error
}

const (
	peersFile  = "peers.toml"
	foldersDir = "folders"
	offersDir  = "offers"
	suffix     = ".toml"
)

// Open reads the store in dir, and creates what is missing but dir's parent.
// It wraps [ErrDamaged] if a file and its twin are both unusable.
func Open(dir string) (*Store, error) {
	s := &Store{
		dir:     dir,
		peers:   make(map[entry.DeviceID]Peer),
		folders: make(map[entry.FolderID]Folder),
		offers:  make(map[offerID]Offer),
	}
	for _, d := range []string{dir, filepath.Join(dir, foldersDir), filepath.Join(dir, offersDir)} {
		if err := prepare(d); err != nil {
			return nil, fmt.Errorf("open membership: %w", err)
		}
	}
	for _, load := range []func() error{s.loadPeers, s.loadFolders, s.loadOffers} {
		if err := load(); err != nil {
			return nil, fmt.Errorf("open membership: %w", err)
		}
	}
	return s, nil
}

// prepare makes a directory private, and free of what a crash left.
func prepare(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	return durable.Sweep(dir)
}

func (s *Store) loadPeers() error {
	peers, found, err := load(s, filepath.Join(s.dir, peersFile), decodePeers)
	if found {
		s.peers = peers
	}
	return err
}

func (s *Store) loadFolders() error {
	return s.each(foldersDir, func(path, name string) error {
		f, _, err := load(s, path, func(text []byte) (Folder, error) {
			f, err := decodeFolder(text)
			return f, cmp.Or(err, named(name, f.ID.String()))
		})
		s.folders[f.ID] = f
		return err
	})
}

func (s *Store) loadOffers() error {
	return s.each(offersDir, func(path, name string) error {
		o, _, err := load(s, path, func(text []byte) (Offer, error) {
			o, err := decodeOffer(text)
			return o, cmp.Or(err, named(name, o.id().String()))
		})
		s.offers[o.id()] = o
		return err
	})
}

// named refuses the content of another file.
func named(name, want string) error {
	if name != want {
		return fmt.Errorf("%w: its name should be %s", ErrDamaged, want)
	}
	return nil
}

// each calls fn for each file of a directory, with its path and bare name.
func (s *Store) each(sub string, fn func(path, name string) error) error {
	dir := filepath.Join(s.dir, sub)
	names, err := stems(dir)
	for _, name := range names {
		if err == nil {
			err = fn(filepath.Join(dir, name+suffix), name)
		}
	}
	return err
}

// Problems are the files that were found damaged when the store was opened.
func (s *Store) Problems() []Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

// sortedBy are the values of a map in the order of a text made from each.
func sortedBy[K comparable, V any](m map[K]V, key func(V) string) []V {
	return slices.SortedFunc(maps.Values(m), func(a, b V) int { return cmp.Compare(key(a), key(b)) })
}
