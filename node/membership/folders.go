package membership

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
)

// Folder is a folder that this device is in.
type Folder struct {
	ID      entry.FolderID
	Label   string
	Path    string // of its root on this machine; empty if the role has no tree
	Role    entry.Role
	Keys    map[entry.Epoch]Key // empty if the role holds none
	Roster  []roster.Statement
	AddedAt time.Time
	// Choices say which paths are to lie here; the longest that is at or above
	// a path counts, and without any all do.
	Choices []Choice
}

// Choice says of one path, and all below it, whether its content is to lie on
// this device.
type Choice struct {
	Path   entry.Path // empty: the whole folder
	Here   bool
	Pinned bool // and is not to be freed; only with Here
}

// Folders are the folders that this device is in, by ID.
func (s *Store) Folders() []Folder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedBy(cloned(s.folders, Folder.clone), func(f Folder) string { return f.ID.String() })
}

// Folder is the folder of that ID.
func (s *Store) Folder(id entry.FolderID) (Folder, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.folders[id]
	return f.clone(), ok
}

// PutFolder adds or replaces a folder. It wraps [ErrInvalid], also if keys that
// the folder has would be lost: whoever wants that removes it first.
func (s *Store) PutFolder(f Folder) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for epoch, key := range s.folders[f.ID].Keys {
		if f.Keys[epoch] != key {
			return fmt.Errorf("put folder %s: %w: without its key of epoch %d", f.ID, ErrInvalid, epoch)
		}
	}
	return s.putLocked(f)
}

// Strip replaces a folder by one without keys: its role holds none any more.
// The store keeps no copy of them. It wraps [ErrInvalid].
func (s *Store) Strip(f Folder) error {
	if len(f.Keys) > 0 {
		return fmt.Errorf("strip folder %s: %w: it has keys", f.ID, ErrInvalid)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putLocked(f)
}

func (s *Store) putLocked(f Folder) error {
	f = f.normal()
	if err := f.check(); err != nil {
		return fmt.Errorf("put folder %s: %w", f.ID, err)
	}
	text, err := encodeFolder(&f)
	if err == nil {
		err = store(s.folderPath(f.ID), text)
	}
	if err != nil {
		return fmt.Errorf("put folder %s: %w", f.ID, err)
	}
	s.folders[f.ID] = f
	return nil
}

// RemoveFolder forgets a folder and its keys; one that is not known is
// forgotten already. The tree on disk is none of its business.
func (s *Store) RemoveFolder(id entry.FolderID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.folders[id]; !ok {
		return nil
	}
	if err := remove(s.folderPath(id)); err != nil {
		return fmt.Errorf("remove folder %s: %w", id, err)
	}
	delete(s.folders, id)
	return nil
}

func (s *Store) folderPath(id entry.FolderID) string {
	return filepath.Join(s.dir, foldersDir, id.String()+suffix)
}

func (f Folder) clone() Folder {
	f.Keys = maps.Clone(f.Keys)
	f.Roster = cloneStatements(f.Roster)
	f.Choices = slices.Clone(f.Choices)
	return f
}

func (f Folder) normal() Folder {
	f = f.clone()
	f.AddedAt = normalTime(f.AddedAt)
	return f
}

func (f *Folder) check() error {
	switch {
	case f.ID == entry.FolderID{}:
		return fmt.Errorf("%w: no folder ID", ErrInvalid)
	case !short(f.Label, roster.MaxLabel):
		return fmt.Errorf("%w: label %q", ErrInvalid, f.Label)
	case f.Path != "" && !filepath.IsAbs(f.Path):
		return fmt.Errorf("%w: path %q is not absolute", ErrInvalid, f.Path)
	case strings.ContainsRune(f.Path, 0):
		return fmt.Errorf("%w: path %q", ErrInvalid, f.Path)
	case !writable(f.AddedAt):
		return fmt.Errorf("%w: time %v", ErrInvalid, f.AddedAt)
	case !knownRole(f.Role):
		return fmt.Errorf("%w: %s", ErrInvalid, f.Role)
	}
	if err := checkKeys(f.Keys); err != nil {
		return err
	}
	if err := checkChoices(f.Choices); err != nil {
		return err
	}
	return checkStatements(f.ID, f.Roster)
}

// MaxChoices bounds what is chosen by path in one folder.
const MaxChoices = 4096

func checkChoices(choices []Choice) error {
	if len(choices) > MaxChoices {
		return fmt.Errorf("%w: more than %d paths are chosen one by one", ErrFull, MaxChoices)
	}
	seen := make(map[entry.Path]bool, len(choices))
	for _, c := range choices {
		if c.Path != "" {
			if _, err := entry.ParsePath(string(c.Path)); err != nil {
				return fmt.Errorf("%w: choice %q: %w", ErrInvalid, c.Path, err)
			}
		}
		if seen[c.Path] || c.Pinned && !c.Here {
			return fmt.Errorf("%w: choice %q", ErrInvalid, c.Path)
		}
		seen[c.Path] = true
	}
	return nil
}

func knownRole(r entry.Role) bool { return r >= entry.RoleSync && r <= entry.RoleBackup }

func checkKeys(keys map[entry.Epoch]Key) error {
	for epoch, key := range keys {
		if epoch == 0 || key == (Key{}) {
			return fmt.Errorf("%w: key of epoch %d", ErrInvalid, epoch)
		}
	}
	return nil
}

// checkStatements refuses what could not be read back. Signatures are the
// roster's business.
func checkStatements(id entry.FolderID, statements []roster.Statement) error {
	if len(statements) > roster.MaxStatements {
		return fmt.Errorf("%w: %d statements", ErrInvalid, len(statements))
	}
	for i := range statements {
		if statements[i].Folder != id {
			return fmt.Errorf("%w: a statement about folder %s", ErrInvalid, statements[i].Folder)
		}
		if _, err := roster.Decode(statements[i].Encode()); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return nil
}

// cloneStatements copies what statements share with the caller.
func cloneStatements(in []roster.Statement) []roster.Statement {
	var out []roster.Statement
	for i := range in {
		out = append(out, in[i].Clone())
	}
	return out
}
