package vault

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// found is an entry that a scan has come to.
type found struct {
	head
	at   location
	data []byte // nil where only heads are read; valid until the scan goes on
	// bad: the data are not what the head was made for.
	bad bool
}

// scanner reads the entries of one pack in order.
type scanner struct {
	pack   packID
	r      io.ReaderAt
	size   int64 // of the pack, or as much of it as counts
	off    int64
	in     *bufio.Reader // at off, nil to begin there
	marker marker
	// heads: read no data of blocks.
	heads bool
	buf   []byte
}

// errTorn: the rest of a pack is no entry, or not the whole of one.
var errTorn = fmt.Errorf("%w: no whole entry", errBad)

// next is the next entry, io.EOF behind the last. Where none begins, or the
// last is cut off, its error wraps errTorn, and scanning ends unless resync
// finds more. It wraps ErrStore if that cannot be known.
func (s *scanner) next() (f found, err error) {
	if s.off >= s.size {
		return f, io.EOF
	}
	if s.in == nil {
		s.in = bufio.NewReaderSize(io.NewSectionReader(s.r, s.off, s.size-s.off), 256<<10)
	}
	var b [headSize]byte
	if _, err := io.ReadFull(s.in, b[:]); errors.Is(err, ErrStore) {
		return f, err
	} else if err != nil {
		return f, s.torn(err)
	}
	f.at = location{s.pack, uint32(s.off)}
	if f.head, err = parseHead(b[:], s.marker); err != nil {
		return f, s.torn(err)
	}
	if s.off+f.size() > s.size {
		return f, s.torn(io.ErrUnexpectedEOF)
	}
	s.off += f.size()
	if s.heads && f.kind == kindBlock {
		if int(f.length) < s.in.Buffered() {
			_, err = s.in.Discard(int(f.length))
			return f, err
		}
		s.in = nil
		return f, nil
	}
	if cap(s.buf) < int(f.length) {
		s.buf = make([]byte, f.length)
	}
	f.data = s.buf[:f.length]
	if _, err := io.ReadFull(s.in, f.data); errors.Is(err, ErrStore) {
		return f, err
	} else if err != nil {
		s.in, f.bad = nil, true // what follows may be readable
		return f, nil
	}
	f.bad = !f.holds(f.data)
	return f, nil
}

func (s *scanner) torn(err error) error {
	s.in = nil
	return fmt.Errorf("pack %s at %d: %w: %w", s.pack, s.off, errTorn, err)
}

// resync goes on to the next place behind off where the head of an entry lies,
// and tells whether there is one.
func (s *scanner) resync() (bool, error) {
	s.in = nil
	const window = 1 << 20
	buf := make([]byte, window)
	for at := s.off + 1; at+headSize <= s.size; {
		n, err := s.r.ReadAt(buf[:min(window, s.size-at)], at)
		if errors.Is(err, ErrStore) {
			return false, err
		}
		if n < headSize {
			if err != nil && !errors.Is(err, io.EOF) {
				at += 4096 // what cannot be read is skipped
				continue
			}
			return false, nil
		}
		for i := 0; i+headSize <= n; i++ {
			j := bytes.Index(buf[i:n-headSize+len(s.marker)], s.marker[:])
			if j < 0 {
				break
			}
			i += j
			if h, err := parseHead(buf[i:n], s.marker); err == nil && at+int64(i)+h.size() <= s.size {
				s.off = at + int64(i)
				return true, nil
			}
		}
		at += int64(n - headSize + 1)
	}
	return false, nil
}

// looking is how a pack is gone through.
type looking struct {
	from  int64
	heads bool // read no data of blocks
	found func(found) error
	gap   func(from, to int64) // of what is damaged; may be nil
	// marker is that of the entries; nil is the vault's.
	marker *marker
}

// scanAll is scan that goes on behind what is damaged.
func (v *Vault) scanAll(ctx context.Context, f packFile, look looking) error {
	file, err := v.openPack(ctx, f, readAhead)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	s := scanner{pack: f.id, r: file, size: f.size, off: look.from, marker: v.marker(), heads: look.heads}
	if look.marker != nil {
		s.marker = *look.marker
	}
	for {
		e, err := s.next()
		if errors.Is(err, errTorn) {
			begin := s.off
			more, err := s.resync()
			if err != nil {
				return err
			}
			if !more {
				s.off = s.size
			}
			if look.gap != nil {
				look.gap(begin, s.off)
			}
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = look.found(e)
		}
		if err != nil {
			return err
		}
	}
}
