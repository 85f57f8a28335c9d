package tree

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kithmesh/kith/index/entry"
)

// A note names a path of the folder where a crash would leave something to be
// put right. It is written before the step that needs it and gone after, so
// there are none between operations, but for strayNotes. The first part of a
// note's name says what it is for:
const (
	// modeNote: a directory is writable for a moment; then its octal mode.
	modeNote = "mode-"
	// pathNote: what lies in aside under the tag that follows is, for a
	// moment, missing at its path.
	pathNote = "path-"
	// strayNote: temporaries may lie in a directory that is on another file
	// system than the root. It stays until the next Open.
	strayNote = "stray-"
)

// note is a symlink whose target is the path, which any journalling file
// system keeps in order with the rename or chmod that comes after, without
// waiting for the disk; where there are no symlinks it is a file, synced.
func (t *Tree) note(name string, path entry.Path) error {
	d, err := t.inOwn(notesDir)
	if err != nil {
		return fmt.Errorf("note %q: %w", name, err)
	}
	defer d.close()
	if path == "" {
		path = "."
	}
	if err := d.symlink(string(path), name); err == nil || errors.Is(err, ErrExists) {
		return nil
	}
	f, err := d.open(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("note %q: %w", name, err)
	}
	_, err = f.WriteString(string(path))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("note %q: %w", name, err)
	}
	return nil
}

// forget removes a note; one that stays is found out of date by the next Open.
func (t *Tree) forget(name string) {
	d, err := t.inOwn(notesDir)
	if err != nil {
		return
	}
	defer d.close()
	_ = d.unlink(name)
}

// notes reads all that are there: name to path.
func (t *Tree) notes() (map[string]entry.Path, error) {
	d, err := t.root.descendToRead(notesDir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	children, err := d.list(notesDir)
	if err != nil {
		return nil, err
	}
	notes := make(map[string]entry.Path, len(children))
	for _, c := range children {
		path := entry.Path(c.Stat.Target)
		if c.Stat.Kind == entry.File {
			if path, err = d.readNote(c.Name); err != nil {
				return nil, err
			}
		}
		if path == "." {
			path = ""
		}
		notes[c.Name] = path
	}
	return notes, nil
}

func (d dir) readNote(name string) (entry.Path, error) {
	f, err := openRegular(d, name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, entry.MaxPath))
	return entry.Path(text), err
}
