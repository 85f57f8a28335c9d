package vault

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// handles keeps packs open for reading, those used last.
type handles struct {
	mu   sync.Mutex
	open map[packID]*list.Element
	used list.List // of *handle, the last used in front
}

type handle struct {
	id   packID
	file packReader
}

// get opens a pack, or finds it open.
func (h *handles) get(id packID, open func() (packReader, error)) (packReader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.open[id]; ok {
		h.used.MoveToFront(e)
		return e.Value.(*handle).file, nil
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	if h.open == nil {
		h.open = map[packID]*list.Element{}
	}
	h.open[id] = h.used.PushFront(&handle{id, f})
	if h.used.Len() > openPacks {
		h.drop(h.used.Back())
	}
	return f, nil
}

// drop closes a file; see opened for who is about to read from it.
func (h *handles) drop(e *list.Element) {
	one := h.used.Remove(e).(*handle)
	delete(h.open, one.id)
	_ = one.file.Close() // only read
}

// forget closes a pack, which is about to be removed.
func (h *handles) forget(id packID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e, ok := h.open[id]; ok {
		h.drop(e)
	}
}

func (h *handles) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for e := h.used.Front(); e != nil; e = h.used.Front() {
		h.drop(e)
	}
}

// packOf is the pack that a location lies in, open.
func (v *Vault) packOf(c class, at location) (packReader, error) {
	return v.handles.get(at.pack, func() (packReader, error) {
		v.mu.Lock()
		length := v.packs[at.pack].length
		v.mu.Unlock()
		return v.openPack(v.life, packFile{id: at.pack, class: c, size: length}, readAhead)
	})
}

// opened is a pack that is opened again where another has closed it meanwhile.
type opened struct {
	v    *Vault
	c    class
	at   location
	file packReader
}

// ReadAt implements [io.ReaderAt].
func (o *opened) ReadAt(p []byte, off int64) (n int, err error) {
	for {
		if o.file, err = o.v.packOf(o.c, o.at); err != nil {
			return 0, err
		}
		if n, err = o.file.ReadAt(p, off); !errors.Is(err, fs.ErrClosed) {
			return n, err
		}
	}
}

// entryAt reads one entry and checks it. Its error wraps errBad for damage, a
// pack that is gone or too short included, and ErrStore if it cannot be known.
// The caller holds v.reading.
func (v *Vault) entryAt(c class, at location, length uint32) (h head, data []byte, err error) {
	o := opened{v: v, c: c, at: at}
	h, data, err = v.readEntry(&o, at, length)
	if !errors.Is(err, errBad) {
		return h, data, err
	}
	if far, is := o.file.(*farPack); is {
		return v.readEntry(far.again(), at, length)
	}
	if v.isStowed(at.pack) { // there is another copy of it
		return v.farEntry(v.life, c, at, length)
	}
	return h, data, err
}

// farEntry is entryAt for a pack that lies in the store. It holds no lock: the
// pack may be gone meanwhile.
func (v *Vault) farEntry(ctx context.Context, c class, at location, length uint32) (h head, data []byte, err error) {
	v.mu.Lock()
	size := v.packs[at.pack].length
	v.mu.Unlock()
	f := &farPack{v: v, ctx: ctx, name: packName(at.pack, c), size: size, ahead: readAhead}
	if h, data, err = v.readEntry(f, at, length); errors.Is(err, errBad) {
		return v.readEntry(f.again(), at, length)
	}
	return h, data, err
}

// again is the pack as the store gives it once more: what was wrong may have
// been so on its way.
func (f *farPack) again() *farPack {
	f.v.segments.forget(f.name)
	g := *f
	g.fresh, g.ahead = true, 0
	return &g
}

func (v *Vault) readEntry(f io.ReaderAt, at location, length uint32) (h head, data []byte, err error) {
	buf := make([]byte, headSize+int(length))
	if _, err := f.ReadAt(buf, int64(at.offset)); err != nil {
		return h, nil, notRead(at, err)
	}
	if h, err = parseHead(buf, v.marker()); err != nil {
		return h, nil, fmt.Errorf("read entry %s: %w", at, err)
	}
	data = buf[headSize:]
	if !h.holds(data) {
		return h, nil, fmt.Errorf("read entry %s: %w: %s %x fails its checksum", at, errBad, h.kind, h.name)
	}
	return h, data, nil
}

// notRead is damage, unless it is the store's.
func notRead(at location, err error) error {
	switch {
	case errors.Is(err, ErrStore):
		return fmt.Errorf("read entry %s: %w", at, err)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read entry %s: %w: %w", at, errBad, err)
}
