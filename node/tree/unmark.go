package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kithmesh/kith/index/entry"
)

// Unmark makes a folder an ordinary directory again: it removes the marker and
// all else of kith's own, but for rules of ignoring that a person has written.
// A root or marker that is missing, or is another folder's, is left alone and
// no error. The folder must not be open.
func Unmark(root string, id entry.FolderID) error {
	if err := unmark(root, id); err != nil {
		return fmt.Errorf("unmark folder at %q: %w", root, err)
	}
	return nil
}

func unmark(path string, id entry.FolderID) error {
	// To open it puts right what a crash may have left: content of the user's
	// that lies in kith's own directory goes back first.
	t, err := open(path, id)
	switch {
	case errors.Is(err, ErrRootMissing), errors.Is(err, ErrRootReplaced), errors.Is(err, ErrMarkerMissing), errors.Is(err, ErrOtherFolder):
		return nil
	case err != nil:
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, own := range []string{tmpDir, notesDir} {
		if err := root.RemoveAll(own); err != nil {
			return err
		}
	}
	for _, own := range []string{asideDir, ownDir + "/" + markerName, ownDir} {
		if err := root.Remove(own); err != nil && !errors.Is(err, fs.ErrNotExist) && !holdsFiles(root, own) {
			return err
		}
	}
	return nil
}

// holdsFiles tells whether something still lies in a directory.
func holdsFiles(root *os.Root, dir string) bool {
	d, err := root.Open(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	names, err := d.Readdirnames(1)
	return err == nil && len(names) > 0
}
