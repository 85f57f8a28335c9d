package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// recover puts right what a crash left: modes lent to read-only directories,
// and files that were aside. Nothing of the latter is dropped but a staged
// file, or content that was to be replaced or removed, is exactly as it was
// seen before, and is not being written to; all else comes back.
//
// It fails, and with it Open, if a file can neither be judged nor brought
// back: to go on would be to take it for deleted.
func (t *Tree) recover() error {
	notes, err := t.notes()
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	done := make([]string, 0, len(notes))
	for name, path := range notes {
		switch {
		case strings.HasPrefix(name, modeNote):
			err = t.recoverMode(name, path)
		case strings.HasPrefix(name, strayNote):
			err = t.sweep(path, tempPrefix, nil)
		default:
			continue
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			done = append(done, name)
		}
	}
	if err := t.sweep(asideDir, "", notes); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	for name := range notes {
		if strings.HasPrefix(name, pathNote) {
			done = append(done, name)
		}
	}
	for _, name := range done {
		t.forget(name)
	}
	return nil
}

func (t *Tree) recoverMode(note string, path entry.Path) error {
	octal, _, _ := strings.Cut(strings.TrimPrefix(note, modeNote), "-")
	mode, err := strconv.ParseUint(octal, 8, 12)
	if err != nil {
		return nil //nolint:nilerr // not a note of ours
	}
	d, err := t.root.descend(path)
	if err != nil {
		return err
	}
	defer d.close()
	return restoreMode(d, uint32(mode))
}

// sweep judges all that lies aside in a directory, under names with a prefix.
func (t *Tree) sweep(in entry.Path, prefix string, notes map[string]entry.Path) error {
	d, err := t.root.descendToRead(in)
	if err != nil {
		return err
	}
	defer d.close()
	names, err := d.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		out := spot{dir: d, name: name, path: in.Join(name)}
		if prefix != "" && strings.HasPrefix(name, newTemp) {
			err = t.permitted(func() error { return d.unlink(name) }, out)
		} else if a, ok := parseAside(strings.TrimPrefix(name, prefix)); ok {
			err = t.recoverAside(out, a, notes)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bring back %q: %w", name, err)
		}
	}
	return nil
}

// recoverAside drops or brings back one file.
func (t *Tree) recoverAside(out spot, a asideName, notes map[string]entry.Path) error {
	st, err := out.dir.lstat(out.name)
	if err != nil {
		return err
	}
	a.want.Target = st.Target // not in the name; the inode stands for it
	staged := a.staged != 0 && st.Disk.Inode == a.staged
	path, noted := notes[pathNote+a.tag]
	switch {
	case staged && st.Kind != entry.Directory:
		return out.dir.unlink(out.name)
	case noted:
		return t.recoverPath(out, a, path)
	case known(out, a.want) == nil && t.discard(out, a.want) == nil:
		return nil
	}
	return t.rescue(out, a)
}

// recoverPath deals with a file that was missing at its path for a moment: if
// it still is, it goes back there.
func (t *Tree) recoverPath(out spot, a asideName, path entry.Path) error {
	at, err := t.spot(path)
	if err != nil {
		return t.rescue(out, a)
	}
	defer at.close()
	err = t.permitted(func() error { return out.dir.renameNew(out.name, at.dir, at.name) }, at, out)
	if err == nil {
		return nil
	}
	st, err := at.dir.lstat(at.name)
	if err == nil && st.Disk.Inode == a.staged && known(out, a.want) == nil && t.discard(out, a.want) == nil {
		return nil
	}
	return t.rescue(out, a)
}

// rescue gives a file a fresh name where people see it: at the folder's root,
// or, of a stray one, where it is.
func (t *Tree) rescue(out spot, a asideName) error {
	in := out.path.Parent()
	if in == asideDir {
		in = ""
	}
	d, err := t.root.descend(in)
	if err != nil {
		return err
	}
	defer d.close()
	at := spot{dir: d, name: a.base, path: in.Join(a.base)}
	var kept *KeptError
	if err := t.keep(at, out); !errors.As(err, &kept) || kept.Kept == "" {
		return err
	}
	t.recovered = append(t.recovered, kept.Kept)
	return nil
}
