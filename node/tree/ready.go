package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kithmesh/kith/index/entry"
)

// ready is a staged file or symlink with its metadata set, about to be placed.
type ready struct {
	spot          // where it lies
	file *os.File // nil for a symlink
	stat Stat     // as it must be found at its path
	// where what it displaces goes
	aside  dir
	asides entry.Path
	prefix string
	// lost tells that the file was placed, and removed or replaced by someone
	// else, although the placing failed.
	lost  bool
	close func()
}

// ready sets the metadata of a staged file and opens what placing it takes; if
// it is to be exchanged, also where that happens.
func (s *Staged) ready(m Meta, over bool) (*ready, error) {
	if s.gone {
		return nil, fs.ErrClosed
	}
	if err := s.reopen(); err != nil {
		return nil, err
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	tmp, err := s.tree.inOwn(tmpDir)
	if err != nil {
		return nil, err
	}
	r := &ready{
		spot: spot{dir: tmp, name: s.name, path: entry.Path(tmpDir).Join(s.name)},
		file: s.file, asides: asideDir, close: tmp.close,
	}
	if over {
		if r.aside, err = s.tree.inOwn(asideDir); err != nil {
			tmp.close()
			return nil, err
		}
		r.close = func() { r.aside.close(); tmp.close() }
	}
	if err := r.set(m); err != nil {
		err = r.missing(err)
		s.gone = r.lost
		r.close()
		return nil, err
	}
	return r, nil
}

// reopen opens a staged file that was closed, to be placed.
func (s *Staged) reopen() error {
	if !s.closed {
		return nil
	}
	d, err := s.tree.inOwn(tmpDir)
	if err != nil {
		return err
	}
	defer d.close()
	f, err := d.open(s.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if st, _, err := statFile(f); err != nil || st.Disk.Inode != s.inode {
		return errors.Join(err, f.Close(), ErrChanged)
	}
	s.file, s.closed = f, false
	return nil
}

// set gives the file its metadata, and notes what it is then.
func (r *ready) set(m Meta) (err error) {
	if r.file != nil {
		if err = r.setFile(m); err != nil {
			return err
		}
		r.stat, _, err = statFile(r.file)
		return err
	}
	h, st, err := r.dir.hold(r.name)
	if err != nil {
		return err
	}
	defer h.release()
	if err := h.set(st, m); err != nil {
		return err
	}
	r.stat, err = h.stat()
	return err
}

// missing tells a staged file that is gone from a parent that is: only the
// latter is the caller's path. The error is then [fs.ErrClosed].
func (r *ready) missing(err error) error {
	if !errors.Is(err, fs.ErrNotExist) || r.lost {
		return err
	}
	if _, lerr := r.dir.lstat(r.name); !errors.Is(lerr, fs.ErrNotExist) {
		return err
	}
	r.lost = true
	return fmt.Errorf("the staged file is gone: %w", fs.ErrClosed)
}

// found is what lies at the spot after r was placed there. If someone has
// changed it already, it is what was placed, with no change time: to the next
// scan it has changed.
func (r *ready) found(at spot) Stat {
	var st Stat
	var err error
	if r.file != nil {
		st, _, err = statFile(r.file)
	} else {
		st, err = at.dir.lstat(at.name)
	}
	if err != nil || !st.sameMoved(r.stat) {
		st = r.stat
		st.Disk.ChangeTime = 0
	}
	return st
}
