package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// permitted makes one change to the names in directories. If that is refused
// because a directory lacks its owner's permission to write, and the owner is
// this user, the directory gets it for just as long as the change takes; so
// does a directory that is itself at a spot, as one cannot be moved without.
//
// A note says which mode to put back, so a crash in between is mended by the
// next [Open]; and whoever looks at the tree meanwhile looks again after, see
// settled.
func (t *Tree) permitted(change func() error, spots ...spot) error {
	err := change()
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	t.permits.mu.Lock()
	defer t.permits.mu.Unlock()
	t.permits.turn.Add(1)
	defer t.permits.turn.Add(1)
	restore := t.permitAll(spots)
	defer restore()
	t.at("permitted")
	err = change()
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w (in directory %q)", err, spots[0].path.Parent())
	}
	return err
}

// permitAll makes the directories of spots writable, and those at them.
func (t *Tree) permitAll(spots []spot) (restore func()) {
	var undo []func()
	for _, s := range spots {
		undo = append(undo, t.permit(s.dir, s.path.Parent()))
	}
	for _, s := range spots {
		if d, err := s.dir.descend(entry.Path(s.name)); err == nil {
			undo = append(undo, d.close, t.permit(d, s.path))
		}
	}
	return func() {
		for _, u := range slices.Backward(undo) {
			u()
		}
	}
}

// ownerMayChange is what a directory's owner needs to change the names in it.
const ownerMayChange = 0o300

// permit makes d writable for its owner and returns what undoes that; which is
// nothing if d is writable already or this user may not make it so.
func (t *Tree) permit(d dir, path entry.Path) (restore func()) {
	who, err := d.identify()
	if err != nil || !who.ours || who.mode&ownerMayChange == ownerMayChange {
		return func() {}
	}
	note := fmt.Sprintf("%s%o-%s", modeNote, who.mode, fresh())
	if err := t.note(note, path); err != nil {
		return func() {}
	}
	if err := d.setMode(who.mode | ownerMayChange); err != nil {
		t.forget(note)
		return func() {}
	}
	return func() {
		if err := restoreMode(d, who.mode); err == nil {
			t.forget(note) // else the next Open tries again
		}
	}
}

// restoreMode takes back what permit gave, unless the mode has been changed by
// someone else since.
func restoreMode(d dir, mode uint32) error {
	who, err := d.identify()
	if err != nil || who.mode != mode|ownerMayChange {
		return err
	}
	return d.setMode(mode)
}
