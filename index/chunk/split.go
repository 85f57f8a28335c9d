package chunk

import (
	"errors"
	"fmt"
	"io"
)

// Split reads a file of size bytes from r to its end and calls fn with each
// of its blocks, in order. The block is fn's only until fn returns. An empty
// file has no blocks.
//
// It takes as much memory as the file, or, for bigger ones, five times the
// average block and at least 1 MiB: up to 10 MiB below 205 GiB of file, 20 MiB
// from there on.
//
// It wraps [ErrChanged] if r does not have exactly size bytes, which may show
// after blocks have been handed out; otherwise it returns what r returned,
// wrapped, or what fn returned, as it is.
func (c *Chunker) Split(r io.Reader, size int64, fn func(block []byte) error) error {
	if size < 0 {
		return fmt.Errorf("split a file of %d bytes: %w", size, ErrChanged)
	}
	rule := ruleFor(size)
	return withBuffer(size, rule, func(b *buffer) error {
		s := splitter{chunker: c, rule: rule, buffer: b, source: r, size: size, left: size, fn: fn}
		return s.run()
	})
}

// splitter is one run of Split. All its offsets count from the front of the
// buffer.
type splitter struct {
	*buffer
	chunker *Chunker
	rule    rule
	source  io.Reader
	size    int64
	left    int64 // bytes of the file not yet read
	fn      func(block []byte) error

	open    []candidate // found and not yet looked at, ascending
	start   int         // of the block in the making
	scanned int         // where the next step begins, unless the block in the making is still too short
	end     int         // of what has been read
}

func (s *splitter) run() error {
	if s.size == 0 {
		return s.expectEnd()
	}
	for s.left > 0 || s.start < s.end {
		n, err := s.next()
		if err != nil {
			return err
		}
		block := s.bytes[s.start : s.start+n : s.start+n]
		s.start += n
		if err := s.fn(block); err != nil {
			return err
		}
	}
	return nil
}

// next finds the length of the block that begins at start, reading and
// scanning as far as that takes.
func (s *splitter) next() (int, error) {
	for {
		if n, ok := s.cut(); ok {
			return n, nil
		}
		// A hash matters from the first byte that may end this block on.
		from := max(s.scanned, s.start+s.rule.min-1)
		switch {
		case from < s.end:
			s.step(from, min(from+stepSize, s.end))
		case s.left > 0:
			if err := s.fill(); err != nil {
				return 0, err
			}
		default:
			return s.end - s.start, nil
		}
	}
}

// cut looks for the end of the block in what has been scanned. Candidates that
// this block passes over are of no use to a later one.
func (s *splitter) cut() (int, bool) {
	for len(s.open) > 0 {
		c := s.open[0]
		n := c.end - s.start
		if n > s.rule.max {
			break
		}
		s.open = s.open[1:]
		if n >= s.rule.min && c.hash < uint64(n)*s.rule.slope {
			return n, true
		}
	}
	if s.scanned-s.start >= s.rule.max {
		return s.rule.max, true
	}
	return 0, false
}

// step scans buf[from:to]. No open candidates are left when it is called: a
// block that found no end among them has passed over them all.
func (s *splitter) step(from, to int) {
	s.chunker.gear.scan(s.bytes, from, to, s.rule.limit, &s.lanes)
	s.found = s.found[:0]
	for _, lane := range s.lanes {
		s.found = append(s.found, lane...)
	}
	s.open = s.found
	s.scanned = to
}

// fill moves the block in the making to the front of the buffer and reads as
// much behind it as there is room for.
func (s *splitter) fill() error {
	s.end = copy(s.bytes, s.bytes[s.start:s.end])
	s.scanned = max(0, s.scanned-s.start)
	s.start = 0
	want := int(min(s.left, int64(len(s.bytes)-s.end)))
	n, err := io.ReadFull(s.source, s.bytes[s.end:s.end+want])
	s.end += n
	s.left -= int64(n)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("read %d bytes: %w: %d are missing", s.size, ErrChanged, s.left)
	case err != nil:
		return fmt.Errorf("read block: %w", err)
	case s.left == 0:
		return s.expectEnd()
	}
	return nil
}

func (s *splitter) expectEnd() error {
	switch _, err := io.ReadFull(s.source, s.probe[:]); {
	case err == nil:
		return fmt.Errorf("read %d bytes: %w: there are more", s.size, ErrChanged)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read block: %w", err)
	}
	return nil
}
