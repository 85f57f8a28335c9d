package vault

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Store is a place beside the vault's directory where packs can lie, such as a
// bucket: files with names, which are put once, whole, and never changed. It
// belongs to this vault alone. What it says of content is not relied on: each
// entry is compared with its sum when it is read.
//
// An error that does not wrap [fs.ErrNotExist] or [io.ErrUnexpectedEOF] says
// nothing of what lies there, only that it cannot be had now. A method gives up
// by itself when nothing comes for long.
type Store interface {
	// List tells of all files, with their sizes in bytes, in any order.
	List(ctx context.Context, each func(name string, size int64) error) error
	// ReadAt fills p from an offset on. It wraps [fs.ErrNotExist] if there is
	// no such file, and [io.ErrUnexpectedEOF] if it ends before.
	ReadAt(ctx context.Context, name string, p []byte, off int64) error
	// Put stores a file. When it has returned nil, the file is durable, and none
	// of it is there otherwise. A file of that name stays: Put returns nil if it
	// has the same bytes, and else wraps [fs.ErrExist].
	Put(ctx context.Context, name string, content io.ReaderAt, size int64) error
	// Remove removes a file; one that is not there is removed already.
	Remove(ctx context.Context, name string) error
}

// packReader reads from one pack.
type packReader interface {
	io.ReaderAt
	io.Closer
}

// openPack opens a pack where it lies: in the directory, or else in the store.
// ahead is how many bytes of one in the store are had at least, if there are as
// many.
func (v *Vault) openPack(f packFile, ahead int) (packReader, error) {
	file, err := os.Open(packPath(v.packDir, f.id, f.class))
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	switch {
	case v.store != nil:
		return &farPack{store: v.store, name: packName(f.id, f.class), size: f.size, ahead: ahead, seen: &v.segments}, nil
	case v.isStowed(f.id):
		return nil, fmt.Errorf("pack %s: %w: it is not known which", f.id, ErrStore)
	}
	return nil, err
}

// isStowed tells whether a pack lies in the store.
func (v *Vault) isStowed(id packID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.packs[id].stowed
}

// farPack is a pack, or another file, that lies in the store.
type farPack struct {
	store Store
	name  string
	size  int64 // of it, or as much of it as counts
	ahead int
	seen  *segments // may be nil
}

// Close does nothing: nothing is open.
func (f *farPack) Close() error { return nil }

// ReadAt implements [io.ReaderAt]. Its error wraps [ErrStore] where the store
// cannot be read, which says nothing of the pack.
func (f *farPack) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size {
		return 0, io.EOF
	}
	want := p
	if left := f.size - off; int64(len(p)) > left {
		want = p[:left]
	}
	if err := f.read(want, off); err != nil {
		return 0, err
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(p), nil
}

func (f *farPack) read(p []byte, off int64) error {
	if f.seen.fill(f.name, p, off) {
		return nil
	}
	buf := p
	if n := min(int64(f.ahead), f.size-off); f.seen != nil && n > int64(len(p)) {
		buf = make([]byte, n)
	}
	// Who reads a pack waits for it as for a disk; the store gives up by itself.
	err := f.store.ReadAt(context.Background(), f.name, buf, off)
	if errors.Is(err, io.ErrUnexpectedEOF) && len(buf) > len(p) {
		buf = p // it was cut off further on
		err = f.store.ReadAt(context.Background(), f.name, buf, off)
	}
	if err != nil {
		return storeError(f.name, err)
	}
	if len(buf) > len(p) {
		copy(p, buf)
		f.seen.add(segment{f.name, off, buf})
	}
	return nil
}

// storeError is one of the store's: what is missing there is damage, and all
// else is [ErrStore].
func storeError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read %s in the store: %w", name, err)
	}
	return fmt.Errorf("read %s: %w: %w", name, ErrStore, err)
}

// segments are parts of packs that were read from the store last, as what lies
// behind one block is mostly wanted next.
type segments struct {
	mu   sync.Mutex
	used list.List // of segment, the last used in front
	size int
}

type segment struct {
	name string
	off  int64
	data []byte
}

// fill copies what is asked for, if all of it is known.
func (s *segments) fill(name string, p []byte, off int64) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.used.Front(); e != nil; e = e.Next() {
		one := e.Value.(segment)
		if one.name == name && off >= one.off && off+int64(len(p)) <= one.off+int64(len(one.data)) {
			copy(p, one.data[off-one.off:])
			s.used.MoveToFront(e)
			return true
		}
	}
	return false
}

func (s *segments) add(one segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used.PushFront(one)
	s.size += len(one.data)
	for s.size > maxSegments {
		s.size -= len(s.used.Remove(s.used.Back()).(segment).data)
	}
}

// forget drops what is known of a file.
func (s *segments) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.used.Front(); e != nil; {
		next := e.Next()
		if e.Value.(segment).name == name {
			s.size -= len(s.used.Remove(e).(segment).data)
		}
		e = next
	}
}

// farFiles are the packs that lie in the store, and the sizes of all files there.
func (v *Vault) farFiles(ctx context.Context) (packs map[packID]packFile, sizes map[string]int64, err error) {
	packs, sizes = map[packID]packFile{}, map[string]int64{}
	if v.store == nil {
		return packs, sizes, nil
	}
	err = v.store.List(ctx, func(name string, size int64) error {
		sizes[name] = size
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list the packs: %w: %w", ErrStore, err)
	}
	for name, size := range sizes {
		if id, c, ok := parsePackName(name); ok {
			packs[id] = packFile{id: id, class: c, size: size, stowed: true, heads: sizes[headsName(id)]}
		}
	}
	return packs, sizes, nil
}

// headsName is the file of the store that has the heads of a pack of blocks.
func headsName(id packID) string { return id.String() + headsSuffix }

const headsSuffix = ".heads"

func packName(id packID, c class) string { return id.String() + c.suffix() }

// parsePackName reads what packName wrote.
func parsePackName(name string) (id packID, c class, ok bool) {
	base, suffix, _ := strings.Cut(name, ".")
	n, err := strconv.ParseUint(base, 16, 32)
	c = classBlocks
	if "."+suffix == classRecords.suffix() {
		c = classRecords
	}
	return packID(n), c, err == nil && n != 0 && name == packName(packID(n), c)
}
