package vault

import (
	"container/list"
	"errors"
	"fmt"
	"io"
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

// drop closes a file; whoever reads from it meanwhile still can.
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
		return v.openPack(packFile{id: at.pack, class: c, size: length}, readAhead)
	})
}

// entryAt reads one entry and checks it. Its error wraps errBad for damage, a
// pack that is gone or too short included, and ErrStore if it cannot be known.
// The caller holds v.reading.
func (v *Vault) entryAt(c class, at location, length uint32) (h head, data []byte, err error) {
	buf := make([]byte, headSize+int(length))
	f, err := v.packOf(c, at)
	if err == nil {
		_, err = f.ReadAt(buf, int64(at.offset))
	}
	switch {
	case errors.Is(err, ErrStore):
		return h, nil, fmt.Errorf("read entry %s: %w", at, err)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
		fallthrough
	case err != nil:
		return h, nil, fmt.Errorf("read entry %s: %w: %w", at, errBad, err)
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
