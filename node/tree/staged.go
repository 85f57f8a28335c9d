package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/kithmesh/kith/index/entry"
)

// Staged is a file, or a symlink, that is not in the folder yet. It has a name
// of its own by which it is found again after a restart, and nobody but its
// owner can read it until [Tree.Place] gives it its mode.
type Staged struct {
	tree  *Tree
	name  string
	inode uint64
	link  bool

	file   *os.File // nil for a symlink
	closed bool
	gone   bool // placed, or discarded

	// unsynced is the first [Tree.Sync] that will cover the last write; 0 if
	// nothing has been written since the last one.
	unsynced atomic.Uint64
}

// Stage opens the staged file of that name, of the form [a-z0-9]+, or creates
// an empty one. Content of an earlier run is still there, and must be verified
// before use: what was not synced may be anything after a loss of power.
func (t *Tree) Stage(name string) (*Staged, error) {
	s, err := t.stage(name)
	if err != nil {
		return nil, fmt.Errorf("stage %q: %w", name, err)
	}
	return s, nil
}

func (t *Tree) stage(name string) (*Staged, error) {
	if !stagedName(name) {
		return nil, ErrName
	}
	d, err := t.inOwn(tmpDir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	f, err := d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	resumed := errors.Is(err, fs.ErrExist)
	if resumed {
		f, err = resume(d, name)
	}
	if err != nil {
		return nil, err
	}
	st, _, err := statFile(f)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	s := &Staged{tree: t, name: name, inode: st.Disk.Inode, file: f}
	if resumed {
		s.wrote() // by someone, at some time
	}
	return s, nil
}

// resume opens a staged file of an earlier run. One that has another name as
// well was being placed when the run ended, on a file system where that takes
// a hard link: to write to it would write to the folder, so it is dropped.
func resume(d dir, name string) (*os.File, error) {
	h, st, err := d.hold(name)
	if err != nil {
		return nil, err
	}
	defer h.release()
	if st.Kind == entry.File {
		if err := h.set(st, Meta{Mode: 0o600, ModTime: st.ModTime}); err != nil {
			return nil, err
		}
		f, err := d.open(name, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		if st, links, err := statFile(f); err == nil && st.Kind == entry.File && links == 1 {
			return f, nil
		}
		_ = f.Close()
	}
	if err := d.unlink(name); err != nil {
		return nil, err
	}
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// StageSymlink stages a symlink, in place of whatever was staged by that name.
func (t *Tree) StageSymlink(name, target string) (*Staged, error) {
	s, err := t.stageSymlink(name, target)
	if err != nil {
		return nil, fmt.Errorf("stage symlink %q: %w", name, err)
	}
	return s, nil
}

func (t *Tree) stageSymlink(name, target string) (*Staged, error) {
	if !stagedName(name) {
		return nil, ErrName
	}
	d, err := t.inOwn(tmpDir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	err = d.symlink(target, name)
	if errors.Is(err, ErrExists) {
		if err := d.unlink(name); err != nil {
			return nil, err
		}
		err = d.symlink(target, name)
	}
	if err != nil {
		return nil, err
	}
	st, err := d.lstat(name)
	if err != nil {
		return nil, err
	}
	return &Staged{tree: t, name: name, inode: st.Disk.Inode, link: true}, nil
}

// wrote notes that the next Sync to begin will be the first to cover what has
// just been written.
func (s *Staged) wrote() { s.unsynced.Store(s.tree.durable.begun.Load() + 1) }

// ReadAt implements [io.ReaderAt].
func (s *Staged) ReadAt(b []byte, off int64) (int, error) { return s.file.ReadAt(b, off) }

// WriteAt implements [io.WriterAt].
func (s *Staged) WriteAt(b []byte, off int64) (int, error) {
	defer s.wrote()
	return s.file.WriteAt(b, off)
}

// Truncate makes the file size bytes long; new ones are zero.
func (s *Staged) Truncate(size int64) error {
	defer s.wrote()
	return s.file.Truncate(size)
}

// Size is how many bytes the file holds.
func (s *Staged) Size() (int64, error) {
	st, _, err := statFile(s.file)
	return st.Size, err
}

// Allocated is how many bytes of the file take room on the disk: fewer than
// its size where nothing has been written yet. Where the platform does not
// tell, none.
func (s *Staged) Allocated() (int64, error) {
	if s.file == nil {
		return 0, nil
	}
	return allocated(s.file)
}

// Sync makes the file's content durable, as fsync(2) does. [Tree.Place] asks
// for it where it is needed; for many small files one [Tree.Sync] between the
// last write and the first Place is far cheaper.
func (s *Staged) Sync() error {
	before := s.unsynced.Load()
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.unsynced.CompareAndSwap(before, 0)
	return nil
}

// StartWriteback has the system begin to write n bytes from off to disk, and
// does not wait. It is a hint: there is nothing to report.
func (s *Staged) StartWriteback(off, n int64) { startWriteback(s.file, off, n) }

// CloneFrom makes the file a copy of f that shares its blocks on disk, at no
// cost. It reports false, and has done nothing, where the file system cannot.
func (s *Staged) CloneFrom(f *File) bool {
	defer s.wrote()
	return cloneFile(s.file, f.f)
}

// CopyFrom copies n bytes of f, from offset from to offset to, within the
// kernel where that is possible. It returns io.ErrUnexpectedEOF if f is
// shorter. f may change meanwhile: verify what was copied.
func (s *Staged) CopyFrom(f *File, from, to, n int64) error {
	defer s.wrote()
	done := copyRange(s.file, f.f, to, from, n)
	if done == n {
		return nil
	}
	rest := n - done
	got, err := io.Copy(io.NewOffsetWriter(s.file, to+done), io.NewSectionReader(f.f, from+done, rest))
	if err == nil && got < rest {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Close closes the file and leaves it staged, to be placed or resumed. After
// Place and Discard it does nothing.
func (s *Staged) Close() error {
	if s.closed || s.link {
		return nil
	}
	s.closed = true
	return s.file.Close()
}

// Discard closes and removes the file. After Place it does nothing.
func (s *Staged) Discard() error {
	err := s.Close()
	if s.gone {
		return err
	}
	s.gone = true
	d, derr := s.tree.inOwn(tmpDir)
	if derr != nil {
		return errors.Join(err, fmt.Errorf("discard %q: %w", s.name, derr))
	}
	defer d.close()
	if derr := d.unlink(s.name); derr != nil && !errors.Is(derr, fs.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("discard %q: %w", s.name, derr))
	}
	return err
}

// CleanTemporaries removes every staged file that keep does not want, given
// its name. None of them may be open.
func (t *Tree) CleanTemporaries(keep func(name string) bool) error {
	d, err := t.root.descendToRead(tmpDir)
	if err != nil {
		return fmt.Errorf("clean temporaries: %w", err)
	}
	defer d.close()
	children, err := d.list(tmpDir)
	if err != nil {
		return fmt.Errorf("clean temporaries: %w", err)
	}
	var failed error
	for _, c := range children {
		if stagedName(c.Name) && keep(c.Name) || c.Stat.Kind == entry.Directory {
			continue
		}
		if err := d.unlink(c.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("remove temporary %q: %w", c.Name, err))
		}
	}
	return failed
}
