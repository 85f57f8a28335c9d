package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/kithmesh/kith/index/entry"
)

// Lstat says what lies at p, and never follows a symlink. It returns
// fs.ErrNotExist if nothing does, which includes a parent that is missing or
// not a directory; every other error means that nothing is known.
func (t *Tree) Lstat(p entry.Path) (Stat, error) {
	var st Stat
	err := t.settled(func() error {
		s, err := t.spot(p)
		if err != nil {
			return err
		}
		defer s.close()
		st, err = t.look(s)
		return err
	})
	if err != nil {
		return Stat{}, fmt.Errorf("look at %q: %w", p, err)
	}
	return st, nil
}

// List says what is in directory p, the root if p is empty, sorted by the
// bytes of the names. kith's own directory and temporaries are left out; a
// file that vanishes meanwhile may or may not be. Whatever else cannot be
// looked at is an error for the whole directory, and so is an unreadable
// directory: a list is complete or there is none.
func (t *Tree) List(p entry.Path) ([]Child, error) {
	var children []Child
	err := t.settled(func() error {
		if p != "" {
			if err := check(p); err != nil {
				return err
			}
			if err := t.spelledAll(p); err != nil {
				return err
			}
		}
		d, err := t.root.descendToRead(p)
		if err != nil {
			return err
		}
		defer d.close()
		children, err = d.list(p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", p, err)
	}
	slices.SortFunc(children, func(a, b Child) int { return strings.Compare(a.Name, b.Name) })
	return children, nil
}

// settled looks again if a directory was made writable for a moment while look
// ran: it would be seen with a mode that is not its own.
func (t *Tree) settled(look func() error) error {
	turn := t.permits.turn.Load()
	err := look()
	if turn%2 == 0 && t.permits.turn.Load() == turn {
		return err
	}
	t.permits.mu.Lock()
	defer t.permits.mu.Unlock()
	return look()
}

// File is a regular file, open for reading.
type File struct{ f *os.File }

// OpenFile opens the file at p for reading. It returns [ErrNotRegular] for
// anything but a regular file, without opening it, and [ErrBusy] if someone
// holds a lease on it.
func (t *Tree) OpenFile(p entry.Path) (*File, error) {
	s, err := t.spot(p)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", p, err)
	}
	defer s.close()
	f, err := openRegular(s.dir, s.name)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", p, err)
	}
	if err := t.spelled(s); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open %q: %w", p, err)
	}
	return f, nil
}

// openRegular looks before it opens, as to open a device can do things, and
// again after, as the name may have been given to another file in between.
func openRegular(d dir, name string) (*File, error) {
	st, err := d.lstat(name)
	if err != nil {
		return nil, err
	}
	if st.Kind != entry.File {
		return nil, ErrNotRegular
	}
	f, err := d.open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if st, _, err = statFile(f); err == nil && st.Kind != entry.File {
		err = ErrNotRegular
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &File{f}, nil
}

// Read implements [io.Reader].
func (f *File) Read(b []byte) (int, error) { return f.f.Read(b) }

// ReadAt implements [io.ReaderAt].
func (f *File) ReadAt(b []byte, off int64) (int, error) { return f.f.ReadAt(b, off) }

// Close implements [io.Closer].
func (f *File) Close() error { return f.f.Close() }

// Stat says what this very file is now, whatever has become of its name.
func (f *File) Stat() (Stat, error) {
	st, _, err := statFile(f.f)
	return st, err
}

// Busy tells whether someone has the file open for writing, at this moment.
// Where that cannot be known it returns [ErrCannotTell]: then a file can only
// be taken for finished once it has been quiet for a while.
func (f *File) Busy() (bool, error) { return busy(f.f) }

// written tells whether someone is known to have a regular file open for
// writing.
func written(d dir, name string) bool {
	release, err := keepWritersOut(d, name)
	if err != nil {
		return true
	}
	release()
	return false
}

// empty refuses a directory that holds anything: [ErrNotEmpty].
func empty(parent dir, name string) error {
	d, err := parent.descendToRead(entry.Path(name))
	if errors.Is(err, fs.ErrPermission) {
		return nil // left for rmdir to find out
	}
	if err != nil {
		return err
	}
	defer d.close()
	children, err := d.list(entry.Path(name))
	if err == nil && len(children) > 0 {
		err = ErrNotEmpty
	}
	return err
}
