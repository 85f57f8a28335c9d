package vault

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/durable"
)

// class is what a pack holds.
type class uint8

const (
	classBlocks  class = 1
	classRecords class = 2 // and all else
)

func (c class) suffix() string {
	if c == classBlocks {
		return ".blocks"
	}
	return ".records"
}

const (
	packFormat = 1
	// packHeader is how many bytes of a pack come before its first entry.
	packHeader = 84
	// flagCopy marks a pack that was made of others by compaction.
	flagCopy = 1
)

var packMagic = [8]byte{'k', 'i', 't', 'h', 'p', 'a', 'c', 'k'}

// ID names one vault: 16 random bytes that it was given when it was made.
type ID [16]byte

// header is what a pack begins with.
type header struct {
	class   class
	copied  bool
	number  packID
	folder  entry.FolderID
	vault   ID
	head    uint64 // what the vault knew when the pack was begun
	moment  moment
	thinned moment
	marker  marker
}

func (h *header) append(dst []byte) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = append(dst, packMagic[:]...)
	dst = le.AppendUint16(dst, packFormat)
	dst = append(dst, byte(h.class), 0)
	if h.copied {
		dst[len(dst)-1] = flagCopy
	}
	dst = le.AppendUint32(dst, uint32(h.number))
	dst = append(dst, h.folder[:]...)
	dst = append(dst, h.vault[:]...)
	dst = le.AppendUint64(dst, h.head)
	dst = le.AppendUint64(dst, uint64(h.moment))
	dst = le.AppendUint64(dst, uint64(h.thinned))
	dst = append(dst, h.marker[:]...)
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// parseHeader wraps errBad for what append did not write, and ErrVersion for
// what a newer one did.
func parseHeader(b []byte) (h header, err error) {
	le := binary.LittleEndian
	switch {
	case len(b) < packHeader || [8]byte(b[:8]) != packMagic:
		return h, fmt.Errorf("%w: not a pack", errBad)
	case crc32.Checksum(b[:packHeader-4], castagnoli) != le.Uint32(b[packHeader-4:]):
		return h, fmt.Errorf("%w: the header of a pack fails its checksum", errBad)
	case le.Uint16(b[8:]) > packFormat:
		return h, fmt.Errorf("a pack of format %d: %w", le.Uint16(b[8:]), ErrVersion)
	}
	h = header{
		class: class(b[10]), copied: b[11]&flagCopy != 0, number: packID(le.Uint32(b[12:])),
		folder: entry.FolderID(b[16:]), vault: ID(b[32:]),
		head: le.Uint64(b[48:]), moment: moment(le.Uint64(b[56:])), thinned: moment(le.Uint64(b[64:])),
		marker: marker(b[72:]),
	}
	if h.class != classBlocks && h.class != classRecords {
		return h, fmt.Errorf("%w: a pack of class %d", errBad, h.class)
	}
	return h, nil
}

func packPath(dir string, id packID, c class) string {
	return filepath.Join(dir, packName(id, c))
}

// packFile is a pack as it lies in the directory, or in the store.
type packFile struct {
	id     packID
	class  class
	size   int64
	stowed bool  // it lies in the store, whether or not in the directory too
	heads  int64 // bytes of its heads there, 0 if there are none
	here   bool  // it lies in the directory, whether or not in the store too
	far    bool  // what lies in the store counts, whatever lies here
}

// listPacks finds the packs of a directory, by number. What has another name is
// not the vault's.
func listPacks(dir string) ([]packFile, error) {
	names, err := os.ReadDir(dir) // sorted, and so by number
	if err != nil {
		return nil, err
	}
	var out []packFile
	for _, e := range names {
		id, c, ok := parsePackName(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("pack %q is not a file", e.Name())
		}
		out = append(out, packFile{id: id, class: c, size: info.Size(), here: true})
	}
	return out, nil
}

// writer appends entries to one pack.
type writer struct {
	id     packID
	class  class
	file   *os.File
	length int64 // with what is in buf
	buf    *bufio.Writer
	dirty  bool
	noSync bool
	marker marker
	named  map[giver]bool // by an entry of this pack since it was opened
}

// createPack makes a pack with its header alone, durably.
func createPack(dir string, h *header) (*writer, error) {
	path := packPath(dir, h.number, h.class)
	if err := durable.Create(path, h.append(nil), 0o600); err != nil {
		return nil, fmt.Errorf("create pack %s: %w", h.number, err)
	}
	return openWriter(dir, packFile{id: h.number, class: h.class, size: packHeader}, h.marker)
}

// openWriter goes on with a pack behind its first p.size bytes.
func openWriter(dir string, p packFile, m marker) (*writer, error) {
	f, err := os.OpenFile(packPath(dir, p.id, p.class), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open pack %s: %w", p.id, err)
	}
	w := &writer{id: p.id, class: p.class, file: f, length: p.size, marker: m, named: map[giver]bool{}}
	w.buf = bufio.NewWriterSize(io.NewOffsetWriter(f, p.size), 256<<10)
	return w, nil
}

// append writes an entry, which is durable after sync, and tells where it is.
func (w *writer) append(h *head, data []byte) (location, error) {
	at := location{w.id, uint32(w.length)}
	w.dirty = true
	if _, err := w.buf.Write(h.append(nil, w.marker)); err != nil {
		return at, fmt.Errorf("append to pack %s: %w", w.id, err)
	}
	if _, err := w.buf.Write(data); err != nil {
		return at, fmt.Errorf("append to pack %s: %w", w.id, err)
	}
	w.length += h.size()
	return at, nil
}

func (w *writer) sync() error {
	if !w.dirty {
		return nil
	}
	err := w.buf.Flush()
	if err == nil && !w.noSync {
		err = w.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write pack %s: %w", w.id, err)
	}
	w.dirty = false
	return nil
}

// cut takes back all behind the first length bytes.
func (w *writer) cut(length int64) error {
	w.buf.Reset(io.NewOffsetWriter(w.file, length))
	w.length, w.dirty = length, false
	clear(w.named)
	if err := w.file.Truncate(length); err != nil {
		return fmt.Errorf("cut pack %s: %w", w.id, err)
	}
	return nil
}

func (w *writer) close() error { return w.file.Close() }
