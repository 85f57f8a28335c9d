package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kithmesh/kith/index/entry"
)

// Create makes root a folder: it creates the directory if there is none (new
// ones get mode 0700) and marks it. Files already there are left alone. If
// root is this very folder already, nothing happens; if it is another,
// [ErrOtherFolder]; if it lies in another or holds one, [ErrNested].
func Create(root string, id entry.FolderID) error {
	if err := create(root, id); err != nil {
		return fmt.Errorf("create folder at %q: %w", root, err)
	}
	return nil
}

func create(root string, id entry.FolderID) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	if err := notInside(root); err != nil {
		return err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return err
	}
	top, err := openTop(root)
	if err != nil {
		return err
	}
	defer top.close()
	err = checkMarker(top, id)
	if !errors.Is(err, ErrMarkerMissing) {
		return err
	}
	if err := notAround(root); err != nil {
		return err
	}
	if err := top.mkdir(ownDir, 0o700); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	own, err := top.descendToRead(ownDir)
	if err != nil {
		return err
	}
	defer own.close()
	if err := makeOwn(own); err != nil {
		return err
	}
	if err := writeMarker(own, id); err != nil {
		return err
	}
	return errors.Join(own.syncSelf(), top.syncSelf())
}

// makeOwn makes the directories within kith's own.
func makeOwn(own dir) error {
	for _, p := range []entry.Path{tmpDir, asideDir, notesDir} {
		if err := own.mkdir(p.Name(), 0o700); err != nil && !errors.Is(err, ErrExists) {
			return err
		}
	}
	return nil
}

// writeMarker writes the marker under another name first: it is whole or not
// there, also after a loss of power.
func writeMarker(own dir, id entry.FolderID) error {
	const draft = markerName + ".new"
	if err := own.unlink(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := own.open(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(marker(id))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return own.rename(draft, own, markerName)
}

// checkMarker looks for the marker of folder id in an open root:
// [ErrMarkerMissing] if there is none that can be read as one, and
// [ErrOtherFolder].
func checkMarker(top dir, id entry.FolderID) error {
	got, err := readMarker(top)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrNotRegular), errors.Is(err, entry.ErrFolderID):
		return fmt.Errorf("%w: %w", ErrMarkerMissing, err)
	case err != nil:
		return fmt.Errorf("read the marker: %w", err)
	case got != id:
		return fmt.Errorf("%w: %v", ErrOtherFolder, got)
	}
	return nil
}

func readMarker(top dir) (entry.FolderID, error) {
	own, err := top.descend(ownDir)
	if err != nil {
		return entry.FolderID{}, err
	}
	defer own.close()
	f, err := own.open(markerName, os.O_RDONLY, 0)
	if err != nil {
		return entry.FolderID{}, err
	}
	defer func() { _ = f.Close() }()
	st, _, err := statFile(f)
	if err != nil {
		return entry.FolderID{}, err
	}
	if st.Kind != entry.File {
		return entry.FolderID{}, ErrNotRegular
	}
	text, err := io.ReadAll(io.LimitReader(f, maxMarker))
	if err != nil {
		return entry.FolderID{}, err
	}
	return parseMarker(text)
}

// marked tells whether there is a marker in the directory at path.
func marked(path string) bool {
	_, err := os.Lstat(filepath.Join(path, ownDir, markerName))
	return err == nil
}

// notInside refuses a root beneath a marked directory, where root truly is and
// where its path says it is.
func notInside(root string) error {
	places := []string{root}
	for at := root; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			rest, _ := filepath.Rel(at, root)
			places = append(places, filepath.Join(real, rest))
			break
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	for _, place := range places {
		for at := filepath.Dir(place); ; at = filepath.Dir(at) {
			if marked(at) {
				return fmt.Errorf("%w: %q is one", ErrNested, at)
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	return nil
}

// notAround refuses a root with a marked directory beneath. Directories that
// cannot be read could not be synced either, and are passed over.
func notAround(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && d == nil:
			return err
		case err != nil || !d.IsDir():
			return nil
		case path != root && marked(path):
			return fmt.Errorf("%w: %q is one", ErrNested, path)
		}
		return nil
	})
}
