package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

// Directory is a directory outside any folder, as a target. It is reached
// through descriptors of directories, each opened beneath the last and found to
// be the very directory that its name is, so that no symlink is followed.
type Directory struct {
	path string
	now  func() time.Time

	mu  sync.Mutex
	top *handle // nil while nothing is there
	tmp *handle // where files are staged; nil between runs
	// parts are directories in tmp: files are spread over all of them, since the
	// system makes one at a time in each.
	parts []*handle
	// earlier: a run that was ended early has left its staging directory.
	earlier bool
	opened  map[entry.Path]*handle
	// modes are those that directories get in the end: meanwhile their owner
	// can write to them.
	modes map[entry.Path]uint32
	// whole: one call makes the whole file system durable. Where there is none,
	// each file is synced by itself, and the directories in changed.
	whole   bool
	changed map[entry.Path]struct{}
}

const (
	maxOpened = 64 // directories
	// ownerMode is the mode of directories while they are filled.
	ownerMode = 0o700
)

// Into is a directory as a target. It is made when a run begins, with those
// above it, if it is not there. It is to be closed.
func Into(path string) (*Directory, error) {
	d := &Directory{
		path: path, now: time.Now, opened: map[entry.Path]*handle{}, modes: map[entry.Path]uint32{}, changed: map[entry.Path]struct{}{},
	}
	err := d.openTop()
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %q to restore to: %w", path, err)
	}
	return d, nil
}

// handle is an open directory.
type handle struct {
	root *os.Root
	self *os.File
}

func newHandle(root *os.Root) (*handle, error) {
	self, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &handle{root, self}, nil
}

func (h *handle) close() error { return errors.Join(h.self.Close(), h.root.Close()) }

func (d *Directory) openTop() error {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	d.top, err = newHandle(root)
	if err == nil {
		d.whole = syncsAll(d.top.self)
	}
	return err
}

// child opens a directory of h, and nothing that a symlink leads to.
func (h *handle) child(name string) (*handle, error) {
	named, err := h.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if named.Mode()&fs.ModeSymlink != 0 {
		return nil, tree.ErrThroughLink
	}
	if !named.IsDir() {
		return nil, tree.ErrNotDirectory
	}
	root, err := h.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	c, err := newHandle(root)
	if err != nil {
		return nil, err
	}
	is, err := c.self.Stat()
	if err == nil && !os.SameFile(named, is) {
		err = tree.ErrChanged
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// dir is the handle of a directory; d.mu is held.
func (d *Directory) dir(p entry.Path) (*handle, error) {
	if d.top == nil {
		return nil, fs.ErrNotExist
	}
	if p == "" {
		return d.top, nil
	}
	if h := d.opened[p]; h != nil {
		return h, nil
	}
	up, err := d.dir(p.Parent())
	if err != nil {
		return nil, err
	}
	h, err := up.child(p.Name())
	if err != nil {
		return nil, err
	}
	if len(d.opened) >= maxOpened {
		d.forget(func(q entry.Path) bool { return !p.Below(q) })
	}
	d.opened[p] = h
	return h, nil
}

// forget closes handles; d.mu is held.
func (d *Directory) forget(which func(entry.Path) bool) {
	for p, h := range d.opened {
		if which(p) {
			_ = h.close()
			delete(d.opened, p)
		}
	}
}

// Lstat implements [Target].
func (d *Directory) Lstat(p entry.Path) (tree.Stat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, err := d.dir(p.Parent())
	var st tree.Stat
	if err == nil {
		st, err = h.lstat(p.Name())
	}
	if err != nil {
		return tree.Stat{}, fmt.Errorf("look at %q: %w", p, err)
	}
	return st, nil
}

func (h *handle) lstat(name string) (tree.Stat, error) {
	info, err := h.root.Lstat(name)
	if err != nil {
		return tree.Stat{}, err
	}
	st := tree.Stat{Mode: uint32(info.Mode().Perm()), Disk: diskOf(info)}
	switch info.Mode().Type() {
	case 0:
		st.Kind, st.Size, st.ModTime = entry.File, info.Size(), info.ModTime().UnixNano()
	case fs.ModeDir:
		st.Kind = entry.Directory
	case fs.ModeSymlink:
		st.Kind, st.ModTime = entry.Symlink, info.ModTime().UnixNano()
		st.Target, err = h.root.Readlink(name)
	}
	return st, err
}

// Names implements [Target].
func (d *Directory) Names(p entry.Path) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, err := d.dir(p)
	var names []string
	if err == nil {
		names, err = h.names()
	}
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", p, err)
	}
	return names, nil
}

// OpenFile implements [Target].
func (d *Directory) OpenFile(p entry.Path) (File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h, err := d.dir(p.Parent())
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", p, err)
	}
	f, err := h.openFile(p.Name())
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", p, err)
	}
	return f, nil
}

// openFile opens a regular file, and nothing that a symlink leads to.
func (h *handle) openFile(name string) (*os.File, error) {
	named, err := h.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() {
		return nil, tree.ErrNotRegular
	}
	f, err := h.root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	is, err := f.Stat()
	if err == nil && !os.SameFile(named, is) {
		err = tree.ErrChanged
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Begin implements [Target].
func (d *Directory) Begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.begin()
	if err != nil {
		return fmt.Errorf("make %q ready to restore to: %w", d.path, err)
	}
	return nil
}

func (d *Directory) begin() error {
	if d.top == nil {
		if err := os.MkdirAll(d.path, 0o755); err != nil { //nolint:gosec // as mkdir does
			return err
		}
		if err := d.openTop(); err != nil {
			return err
		}
	}
	return d.openStaging()
}

// Finish implements [Target].
func (d *Directory) Finish() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	failed := d.setModes()
	if err := d.syncNames(); err != nil {
		failed = errors.Join(failed, fmt.Errorf("make %q durable: %w", d.path, err))
	}
	return failed
}

// setModes gives directories the modes that they get in the end; d.mu is held.
func (d *Directory) setModes() error {
	deepest := make([]entry.Path, 0, len(d.modes))
	for p := range d.modes {
		deepest = append(deepest, p)
	}
	slices.SortFunc(deepest, func(a, b entry.Path) int { return b.Compare(a) })
	var failed error
	for _, p := range deepest {
		h, err := d.dir(p)
		if err == nil {
			err = h.chmod(d.modes[p])
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, fmt.Errorf("set the mode of %q: %w", p, err))
		}
	}
	clear(d.modes)
	return failed
}

// chmod sets the permission bits of a directory and keeps its others.
func (h *handle) chmod(mode uint32) error {
	info, err := h.self.Stat()
	if err != nil || uint32(info.Mode().Perm()) == mode {
		return err
	}
	return h.self.Chmod(fs.FileMode(mode)&fs.ModePerm | info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky))
}

func (d *Directory) syncNames() error {
	if d.whole {
		return syncAll(d.top.self)
	}
	var failed error
	for p := range d.changed {
		h, err := d.dir(p)
		if err == nil {
			err = syncDirectory(h.self)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	clear(d.changed)
	return failed
}

// Sync implements [Target].
func (d *Directory) Sync() error {
	if !d.whole {
		return nil // each file has been synced when it was closed
	}
	if err := syncAll(d.top.self); err != nil {
		return fmt.Errorf("make %q durable: %w", d.path, err)
	}
	return nil
}

// End implements [Target].
func (d *Directory) End() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.end(); err != nil {
		return fmt.Errorf("remove the temporary files in %q: %w", d.path, err)
	}
	return nil
}

func (d *Directory) end() error {
	if d.tmp == nil {
		return nil
	}
	return errors.Join(d.setModes(), d.endStaging()) // of a run that was ended early
}

// Close lets go of the directory.
func (d *Directory) Close() error {
	err := d.End()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(func(entry.Path) bool { return true })
	if d.top != nil {
		err = errors.Join(err, d.top.close())
		d.top = nil
	}
	return err
}
