package past

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kithmesh/kith/index/entry"
)

// spool holds block lists: in memory at first, and in a temporary file once
// they are many. Lists are written once, by one goroutine, and then read by any
// number of them.
type spool struct {
	dir    string // where the file is made; empty is the system's
	memory []byte // what lies behind the end of the file
	file   *os.File
	named  bool  // it has a name still: it could not be removed while it is open
	length int64 // of the file
}

// spoolMemory is how many bytes of lists stay in memory.
const spoolMemory = 32 << 20

// add notes a list, and tells where.
func (s *spool) add(blocks []entry.Block) (at uint64, err error) {
	at = uint64(s.length) + uint64(len(s.memory)) //nolint:gosec // never negative
	s.memory = appendBlocks(s.memory, blocks)
	if len(s.memory) < spoolMemory {
		return at, nil
	}
	return at, s.flush()
}

func (s *spool) flush() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "kith-blocks-")
		if err != nil {
			return fmt.Errorf("make a temporary file: %w", err)
		}
		s.file = f
		s.named = os.Remove(f.Name()) != nil // where an open file cannot go, close does it
	}
	if _, err := s.file.WriteAt(s.memory, s.length); err != nil {
		return fmt.Errorf("write a temporary file: %w", err)
	}
	s.length += int64(len(s.memory))
	s.memory = s.memory[:0]
	return nil
}

// get is a list of n blocks.
func (s *spool) get(at, n uint64) ([]entry.Block, error) {
	if at >= uint64(s.length) { //nolint:gosec // never negative
		from := at - uint64(s.length) //nolint:gosec // never negative
		return parseBlocks(s.memory[from : from+n*blockSize]), nil
	}
	b := make([]byte, n*blockSize)
	if _, err := s.file.ReadAt(b, int64(at)); err != nil { //nolint:gosec // within the file
		if errors.Is(err, io.EOF) {
			err = ErrSpool
		}
		return nil, fmt.Errorf("read a temporary file: %w", err)
	}
	return parseBlocks(b), nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.named {
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	s.file = nil
	return err
}
