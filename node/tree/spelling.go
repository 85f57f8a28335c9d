package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// SpelledError says that nothing is listed under a path, and that the file
// system finds what is listed under another spelling of it: there, the two are
// one name. It is fs.ErrNotExist: a name is bytes.
type SpelledError struct {
	Path entry.Path // that was asked for
	Is   entry.Path // as it is listed; empty if that has gone since
}

func (e *SpelledError) Error() string {
	if e.Is == "" {
		return "here the name is taken under another spelling"
	}
	return fmt.Sprintf("here it is the same name as %q", e.Is.Name())
}

func (e *SpelledError) Unwrap() error { return fs.ErrNotExist }

// folding tells whether this file system may find a name under another
// spelling. What cannot be found out is taken for that.
func (t *Tree) folding() bool {
	traits, err := t.Traits()
	return err != nil || traits.Folds()
}

// spelled refuses a name that is found but not listed: [SpelledError].
func (t *Tree) spelled(s spot) error {
	if !t.folding() {
		return nil
	}
	d, err := t.root.descendToRead(s.path.Parent())
	if err != nil {
		return err
	}
	defer d.close()
	all, err := d.names()
	if err != nil || slices.Contains(all, s.name) {
		return err
	}
	traits, err := t.Traits()
	if err != nil {
		return err
	}
	if other, found := traits.Clash(s.name, slices.Values(all)); found {
		return &SpelledError{Path: s.path, Is: s.path.Parent().Join(other)}
	}
	st, err := d.lstat(s.name)
	for _, other := range all { // by a rule that is nobody's, or an alias: by inode, then
		if o, oerr := d.lstat(other); err == nil && oerr == nil && o.Disk.Inode == st.Disk.Inode && o.Kind == st.Kind {
			return &SpelledError{Path: s.path, Is: s.path.Parent().Join(other)}
		}
	}
	return &SpelledError{Path: s.path}
}

// spelledAll is spelled for a directory with all those above it.
func (t *Tree) spelledAll(p entry.Path) error {
	if p == "" || p == ownDir || p.Below(ownDir) || !t.folding() {
		return nil
	}
	if err := t.spelledAll(p.Parent()); err != nil {
		return err
	}
	return t.spelled(spot{name: p.Name(), path: p})
}

// respell renames src to dst where both are found under either name: such a
// rename does nothing on Linux, so that it goes by way of aside. For these
// microseconds the path is absent; a note has the next [Open] put it back if a
// crash makes that last.
func (t *Tree) respell(src, dst spot, want Stat) (err error) {
	name := asideName{want: want, tag: fresh(), base: src.name}
	out, done, err := t.asideFor(src, name, false)
	if err != nil {
		return err
	}
	defer done()
	if err := t.note(pathNote+name.tag, src.path); err != nil {
		return err
	}
	defer func() {
		if kept := (*KeptError)(nil); !errors.As(err, &kept) || kept.Kept != "" {
			t.forget(pathNote + name.tag)
		}
	}()
	if err := t.permitted(func() error { return src.dir.rename(src.name, out.dir, out.name) }, src); err != nil {
		return err
	}
	t.at("respell")
	if st, err := out.dir.lstat(out.name); err != nil || !st.sameMoved(want) {
		return t.putBack(src, out, ErrChanged)
	}
	if err := t.permitted(func() error { return out.dir.renameNew(out.name, dst.dir, dst.name) }, dst, out); err != nil {
		return t.putBack(src, out, err)
	}
	return nil
}

// oneName tells whether src and dst are two spellings of one name.
func (t *Tree) oneName(src, dst spot) bool {
	if src.name == dst.name || !src.parent.is(dst.parent) {
		return false
	}
	st, err := dst.dir.lstat(dst.name)
	if err != nil {
		return false
	}
	was, err := src.dir.lstat(src.name)
	var spelled *SpelledError
	// Some file systems have another inode for each spelling.
	return err == nil && errors.As(t.spelled(dst), &spelled) && (st.Disk.Inode == was.Disk.Inode || spelled.Is == src.path)
}
