package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/kithmesh/kith/index/entry"
)

// durability remembers what the next Sync has to make durable.
type durability struct {
	// whole: one system call syncs the root's file system.
	whole bool
	// begun and done number the calls of Sync.
	begun, done atomic.Uint64

	mu sync.Mutex
	// changed are the paths that the one call does not cover, with the device
	// they are on: directories whose names changed, files whose metadata did.
	changed map[entry.Path]uint64
}

// touched notes that names in the spot's directory have changed.
func (t *Tree) touched(s spot) { t.changed(s.path.Parent(), s.parent) }

// changed notes that p, a directory or a file, is to be synced by itself, unless
// the one call covers it.
func (t *Tree) changed(p entry.Path, who identity) {
	if t.durable.whole && who.device == t.self.device {
		return
	}
	t.durable.mu.Lock()
	defer t.durable.mu.Unlock()
	if t.durable.changed == nil {
		t.durable.changed = make(map[entry.Path]uint64)
	}
	t.durable.changed[p] = who.device
}

// Sync makes durable all that has been placed, made, moved, removed or set
// before it was called; only then may an index say so. On Linux it is one
// syncfs(2) for each file system that the folder spans, whatever the number of
// files. An error means that nothing is known to be durable.
func (t *Tree) Sync() error {
	turn := t.durable.begun.Add(1)
	t.durable.mu.Lock()
	changed := t.durable.changed
	t.durable.changed = nil
	t.durable.mu.Unlock()
	if err := t.syncAll(changed); err != nil {
		t.durable.mu.Lock()
		defer t.durable.mu.Unlock()
		if t.durable.changed == nil {
			t.durable.changed = changed
		} else {
			maps.Copy(t.durable.changed, changed)
		}
		return fmt.Errorf("sync folder %q: %w", t.path, err)
	}
	for {
		done := t.durable.done.Load()
		if done >= turn || t.durable.done.CompareAndSwap(done, turn) {
			return nil
		}
	}
}

func (t *Tree) syncAll(changed map[entry.Path]uint64) error {
	if t.durable.whole {
		if err := t.root.syncAll(); err != nil {
			return err
		}
	}
	synced := map[uint64]bool{}
	for p, device := range changed {
		if synced[device] {
			continue
		}
		whole, err := t.syncPath(p, device)
		if err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
		synced[device] = whole
	}
	return nil
}

// syncPath syncs a directory, or its whole file system if that is one call, or
// a file. What has vanished counts as a change of its parent.
func (t *Tree) syncPath(p entry.Path, device uint64) (whole bool, err error) {
	d, err := t.root.descendToRead(p)
	switch {
	case err == nil:
		defer d.close()
		who, err := d.identify()
		if err == nil && who.device == device && d.syncsAll() {
			return true, d.syncAll()
		}
		return false, errors.Join(err, d.syncSelf())
	case errors.Is(err, fs.ErrPermission):
		syncEverything()
		return false, nil
	case p == "":
		return false, err
	case errors.Is(err, ErrNotDirectory):
		if f, err := t.OpenFile(p); err == nil {
			defer func() { _ = f.Close() }()
			return false, f.f.Sync()
		}
		syncEverything()
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	return t.syncPath(p.Parent(), device)
}

// settle makes a staged file durable, unless a Sync has done so.
func (s *Staged) settle() error {
	at := s.unsynced.Load()
	if s.link || at == 0 || s.tree.durable.whole && at <= s.tree.durable.done.Load() {
		return nil
	}
	return s.Sync()
}
