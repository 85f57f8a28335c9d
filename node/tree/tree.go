// Package tree reads and changes the files of one folder on disk.
//
// It knows paths, file system states and temporaries, and nothing of versions,
// blocks or peers: package folder decides what is to be done, and says with
// each change what it expects to find.
//
// # Promises
//
//   - Nothing outside the folder's root is read or written, whatever a path
//     says and whoever swaps directories for symlinks meanwhile: paths are
//     resolved beneath the root's descriptor, and no component of one may be a
//     symlink, not even one that stays inside (openat2 with RESOLVE_BENEATH
//     and RESOLVE_NO_SYMLINKS, or O_NOFOLLOW name by name; [os.Root] on other
//     platforms). Names are bytes. Nothing is opened that could block.
//   - A path shows one whole file or another, never a part of one: content is
//     staged out of sight, made durable, and placed by a rename.
//   - Content that was not expected is never lost: [Tree.Place] and
//     [Tree.Remove] exchange or move first, then look at what came out, and
//     put it back if it is not what the caller knows ([ErrChanged]) or if
//     someone is still writing to it ([ErrBusy]).
//   - An error is never an absence: only [fs.ErrNotExist] says that a path is
//     not there.
//   - A process killed at any instant leaves the old or the new state at each
//     path. What it leaves in kith's own directory names both states, so that
//     the next [Open] discards what was superseded and brings back what was
//     not; the comments of [Tree.Place], [Tree.Remove] and recover.go give the order
//     of steps.
//
// # What remains
//
// Where the kernel gives no better, a window of microseconds is left, and the
// comment at the place says so: a file system without renameat2's flags, a
// writer who puts back the modification time within the exchange, a file
// opened for writing between the last look at it and its removal.
//
// # Concurrency
//
// A Tree may be used by several goroutines. Of two operations on one path
// one sees the other's result, as with another process. [Tree.Close] comes
// after all of them. A [File] and a [Staged] allow parallel reads and writes.
package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/kithmesh/kith/index/entry"
)

// Tree is a folder's root, open.
type Tree struct {
	path string // absolute
	id   entry.FolderID
	root dir
	self identity // of root
	own  identity // of kith's own directory in it
	lock dir      // that directory, locked against a second Tree

	durable durability
	permits permits
	traits  traits

	recovered []entry.Path

	// at is called at named points between system calls. Tests only.
	at func(point string)
}

// permits guards directories that are writable for the moment only.
type permits struct {
	mu sync.Mutex
	// turn is odd while a directory has a mode that is not its own.
	turn atomic.Uint64
}

// Open opens the folder that [Create] marked at root, for this process alone:
// [ErrInUse] if it is open already. It also returns [ErrRootMissing],
// [ErrRootReplaced] if it is no directory, [ErrMarkerMissing] and
// [ErrOtherFolder]; and it puts right what a crash may have left, see
// [Tree.Recovered].
func Open(root string, id entry.FolderID) (*Tree, error) {
	t, err := open(root, id)
	if err != nil {
		return nil, fmt.Errorf("open folder %q: %w", root, err)
	}
	return t, nil
}

func open(path string, id entry.FolderID) (*Tree, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	root, err := openTop(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrRootMissing, err)
	}
	if err != nil {
		if info, serr := os.Stat(path); serr == nil && !info.IsDir() {
			err = fmt.Errorf("%w: %w", ErrRootReplaced, err)
		}
		return nil, err
	}
	t := &Tree{path: path, id: id, root: root, at: func(string) {}}
	if err := t.begin(); err != nil {
		root.close()
		return nil, err
	}
	return t, nil
}

// begin fills in what the open root tells, takes the lock and recovers.
func (t *Tree) begin() (err error) {
	if t.self, err = t.root.identify(); err != nil {
		return err
	}
	if err := checkMarker(t.root, t.id); err != nil {
		return err
	}
	if t.lock, err = t.root.descendToRead(ownDir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			t.lock.close()
		}
	}()
	if t.own, err = t.lock.identify(); err != nil {
		return err
	}
	if err := t.lock.lockAlone(); err != nil {
		return err
	}
	if err := makeOwn(t.lock); err != nil {
		return err
	}
	t.durable.whole = t.root.syncsAll()
	return t.recover()
}

// Close lets go of the root. Staged files stay for the next time.
func (t *Tree) Close() error {
	t.lock.close()
	t.root.close()
	return nil
}

// Recovered lists the files that [Open] brought back: content of the user's
// that was being displaced, unexpectedly, at the very moment of a crash. They
// lie at the folder's root, or beside where they were, under fresh names.
func (t *Tree) Recovered() []entry.Path { return t.recovered }

// Free is how many bytes this user may still write to the folder's file
// system.
func (t *Tree) Free() (uint64, error) {
	n, err := t.root.free()
	if err != nil {
		return 0, fmt.Errorf("free space of %q: %w", t.path, err)
	}
	return n, nil
}

// inOwn opens tmp, aside or notes, and makes it anew if someone has tidied it
// away. If all of kith's own directory is gone, that is [ErrMarkerMissing].
func (t *Tree) inOwn(p entry.Path) (dir, error) {
	d, err := t.root.descend(p)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	own, err := t.root.descend(ownDir)
	if err != nil {
		return dir{}, fmt.Errorf("%w: %v", ErrMarkerMissing, err) //nolint:errorlint // no path of the caller's is missing
	}
	defer own.close()
	if err := makeOwn(own); err != nil {
		return dir{}, err
	}
	return t.root.descend(p)
}

// spot is one name in its open parent directory.
type spot struct {
	dir    dir
	name   string
	path   entry.Path
	parent identity
}

// spot opens the parent of p, each time anew: that costs two microseconds,
// and a descriptor kept would go on naming a directory that was moved or
// deleted meanwhile.
func (t *Tree) spot(p entry.Path) (spot, error) {
	if err := check(p); err != nil {
		return spot{}, err
	}
	if err := t.spelledAll(p.Parent()); err != nil {
		return spot{}, err
	}
	d, err := t.root.descend(p.Parent())
	if err != nil {
		return spot{}, err
	}
	who, err := d.identify()
	if err == nil && who.is(t.own) {
		err = ErrReserved // by another spelling, where case or form is folded
	}
	if err != nil {
		d.close()
		return spot{}, err
	}
	return spot{dir: d, name: p.Name(), path: p, parent: who}, nil
}

func (s spot) close() { s.dir.close() }

// look is what lies at the spot; [ErrReserved] if that is kith's own directory
// by another spelling.
func (t *Tree) look(s spot) (Stat, error) {
	st, err := s.dir.lstat(s.name)
	if err == nil && st.Kind == entry.Directory && st.Disk.Inode != 0 &&
		st.Disk.Inode == t.own.inode && s.parent.is(t.self) {
		return Stat{}, ErrReserved
	}
	if err == nil {
		err = t.spelled(s)
	}
	return st, err
}

// expect looks at the spot and compares: [ErrChanged].
func (t *Tree) expect(s spot, want Stat) error {
	st, err := t.look(s)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return err
	}
	if !st.Same(want) {
		return ErrChanged
	}
	return nil
}
