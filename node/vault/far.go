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

// openPack opens a pack where it lies: in the directory, or else in the store,
// whose reads end with ctx. ahead is how many bytes of one in the store are had
// at least, if there are as many.
func (v *Vault) openPack(ctx context.Context, f packFile, ahead int) (packReader, error) {
	stowed := f.far || v.isStowed(f.id)
	if !f.far {
		file, err := os.Open(packPath(v.packDir, f.id, f.class))
		if err == nil && stowed && !holdsAll(file, f.size) {
			err = errors.Join(fs.ErrNotExist, file.Close())
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	switch {
	case v.place() != nil:
		return &farPack{v: v, ctx: ctx, name: packName(f.id, f.class), size: f.size, ahead: ahead}, nil
	case stowed:
		return nil, fmt.Errorf("pack %s: %w: it is not known which", f.id, ErrStore)
	}
	return nil, fmt.Errorf("pack %s: %w", f.id, fs.ErrNotExist)
}

// holdsAll tells whether a file is not cut off.
func holdsAll(f *os.File, size int64) bool {
	info, err := f.Stat()
	return err == nil && info.Size() >= size
}

// place is the store; nil if there is none.
func (v *Vault) place() Store {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.store
}

// isStowed tells whether a pack lies in the store.
func (v *Vault) isStowed(id packID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.packs[id].stowed
}

// isFar tells whether a pack lies in the store alone, but for a while.
func (v *Vault) isFar(id packID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.packs[id]
	return p.stowed && p.class == classBlocks
}

// farPack is a pack, or another file, that lies in the store.
type farPack struct {
	v     *Vault
	ctx   context.Context // of who reads
	name  string
	size  int64 // of it, or as much of it as counts
	ahead int
	fresh bool // nothing comes from memory
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

// maxPiece is how many bytes are asked for at once, so that who gives up is
// heard between.
const maxPiece = 4 << 20

func (f *farPack) read(p []byte, off int64) error {
	for len(p) > maxPiece {
		if err := f.piece(p[:maxPiece], off); err != nil {
			return err
		}
		p, off = p[maxPiece:], off+maxPiece
	}
	return f.piece(p, off)
}

func (f *farPack) piece(p []byte, off int64) error {
	seen := &f.v.segments
	if !f.fresh && seen.fill(f.name, p, off) {
		return nil
	}
	buf := p
	if n := min(int64(f.ahead), f.size-off); n > int64(len(p)) {
		buf = make([]byte, n)
	}
	err := f.ask(buf, off)
	if errors.Is(err, io.ErrUnexpectedEOF) && len(buf) > len(p) {
		buf = p // it was cut off further on
		err = f.ask(buf, off)
	}
	if err != nil {
		return err
	}
	if len(buf) > len(p) {
		copy(p, buf)
		seen.add(segment{f.name, off, buf})
	}
	return nil
}

// ask asks the store. What is missing there is damage, unless the store has gone
// on without this index, and all else is [ErrStore].
func (f *farPack) ask(p []byte, off int64) error {
	place := f.v.place()
	if place == nil {
		return fmt.Errorf("read %s: %w: there is none", f.name, ErrStore)
	}
	ctx, cancel := f.v.bound(f.ctx)
	defer cancel()
	err := place.ReadAt(ctx, f.name, p, off)
	switch {
	case err == nil:
		return nil
	case f.ctx.Err() != nil:
		return fmt.Errorf("read %s: %w: %w", f.name, ErrStore, f.ctx.Err())
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF):
		if err := f.v.agree(ctx); err != nil {
			return err
		}
		return fmt.Errorf("read %s in the store: %w", f.name, err)
	}
	return fmt.Errorf("read %s: %w: %w", f.name, ErrStore, err)
}

// bound is a context that ends with the vault, too.
func (v *Vault) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(v.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// Interrupt ends what waits for the store, now and from now on: the vault is
// about to be closed.
func (v *Vault) Interrupt() { v.die() }

// errAhead: the store has packs that the index does not know. A rebuild takes
// them in.
var errAhead = fmt.Errorf("%w: it has gone on without this index: %w", ErrStore, fs.ErrExist)

// agree finds out, once since the vault was opened, whether the store has packs
// that the index does not know: then the directory was set back.
func (v *Vault) agree(ctx context.Context) error {
	v.mu.Lock()
	agreed := v.agreed
	v.mu.Unlock()
	if agreed {
		return nil
	}
	far, _, err := v.farFiles(ctx)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for id := range far {
		if _, known := v.packs[id]; !known {
			return fmt.Errorf("pack %s: %w", id, errAhead)
		}
	}
	v.agreed = true
	return nil
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
	place := v.place()
	if place == nil {
		return packs, sizes, nil
	}
	ctx, cancel := v.bound(ctx)
	defer cancel()
	err = place.List(ctx, func(name string, size int64) error {
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
