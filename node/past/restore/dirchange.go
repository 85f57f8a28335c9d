package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// stagedFile is a file, or a symlink, in the staging directory.
type stagedFile struct {
	in   *handle
	name string
	file *os.File // nil for a symlink, and once it is closed
	link bool
	sync bool // when it is closed
	meta bool // it has its metadata
}

// ReadAt implements [Staged].
func (s *stagedFile) ReadAt(b []byte, off int64) (int, error) { return s.file.ReadAt(b, off) }

// WriteAt implements [Staged].
func (s *stagedFile) WriteAt(b []byte, off int64) (int, error) { return s.file.WriteAt(b, off) }

// StartWriteback implements [Staged].
func (s *stagedFile) StartWriteback(off, n int64) { startWriteback(s.file, off, n) }

// Finish implements [Staged].
func (s *stagedFile) Finish(m tree.Meta) error {
	err := s.close()
	if err == nil && !s.meta {
		err = s.in.setMeta(s.name, m, s.link)
		s.meta = err == nil
	}
	return err
}

func (s *stagedFile) close() error {
	if s.file == nil {
		return nil
	}
	var err error
	if s.sync {
		err = s.file.Sync()
	}
	err = errors.Join(err, s.file.Close())
	s.file = nil
	return err
}

// Discard implements [Staged].
func (s *stagedFile) Discard(keep bool) error {
	s.sync = false
	err := s.close()
	if keep {
		return err
	}
	if gone := s.in.root.Remove(s.name); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// in runs a change of the directory that holds p, and once more if that was
// refused because even its owner may not write to it: the mode comes back in
// the end.
func (d *Directory) in(what string, p entry.Path, change func(h *handle, name string) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	up := p.Parent()
	h, err := d.dir(up)
	if err == nil {
		err = change(h, p.Name())
		if errors.Is(err, fs.ErrPermission) && d.permit(up, h) {
			err = change(h, p.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", what, p, err)
	}
	d.changed[up] = struct{}{}
	return nil
}

// permit lets the owner of a directory write to it.
func (d *Directory) permit(p entry.Path, h *handle) bool {
	info, err := h.self.Stat()
	if p == "" || err != nil || info.Mode().Perm()&ownerMode == ownerMode {
		return false
	}
	if _, planned := d.modes[p]; !planned {
		d.modes[p] = uint32(info.Mode().Perm())
	}
	return h.chmod(uint32(info.Mode().Perm())|ownerMode) == nil
}

// expected tells whether a name holds what is expected there.
func (h *handle) expected(name string, expect tree.Stat) error {
	st, err := h.lstat(name)
	if err != nil {
		return err
	}
	if expect.Kind == entry.Directory && st.Kind == entry.Directory {
		return nil
	}
	if st != expect || st.Kind == 0 {
		return tree.ErrChanged
	}
	return nil
}

// Mkdir implements [Target]. Until the end its owner can write to the directory.
func (d *Directory) Mkdir(p entry.Path, mode uint32) error {
	return d.in("make directory", p, func(h *handle, name string) error {
		if err := h.root.Mkdir(name, fs.FileMode(mode&0o777|ownerMode)); err != nil {
			if errors.Is(err, fs.ErrExist) {
				return tree.ErrExists
			}
			return err
		}
		made, err := d.dir(p)
		if err == nil {
			err = made.chmod(mode | ownerMode) // whatever the umask
		}
		if err != nil || mode&ownerMode != ownerMode {
			d.modes[p] = mode // what cannot be set now fails in the end, by its name
		}
		return nil
	})
}

// Place implements [Target].
func (d *Directory) Place(p entry.Path, s Staged, m tree.Meta, expect *Lies) error {
	f := s.(*stagedFile)
	if err := f.Finish(m); err != nil {
		return fmt.Errorf("place %q: %w", p, err)
	}
	return d.in("place", p, func(h *handle, name string) error {
		if expect == nil {
			return d.renameNew(f, h, p)
		}
		if expect.Kind == entry.Directory {
			return d.placeOver(f, h, p, expect)
		}
		if err := h.expected(name, expect.Stat); err != nil {
			return err
		}
		return d.rename(f, h, p, expect.Stat)
	})
}

// SetMeta implements [Target].
func (d *Directory) SetMeta(p entry.Path, m tree.Meta, expect tree.Stat) error {
	return d.in("set the metadata of", p, func(h *handle, name string) error {
		if err := h.expected(name, expect); err != nil {
			return err
		}
		if expect.Kind == entry.Directory {
			d.modes[p] = m.Mode
			return nil
		}
		return h.setMeta(name, m, expect.Kind == entry.Symlink)
	})
}

// Remove implements [Target].
func (d *Directory) Remove(p entry.Path, expect tree.Stat) error {
	return d.in("remove", p, func(h *handle, name string) error {
		if err := h.expected(name, expect); err != nil {
			return err
		}
		d.forget(func(q entry.Path) bool { return q == p || q.Below(p) })
		delete(d.modes, p)
		return h.root.Remove(name)
	})
}
