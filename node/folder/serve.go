package folder

import (
	"context"
	"errors"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/protocol/seal"
)

// Sealed gives a member blocks of this folder, as they lie in its files now:
// send is called for each in order, with nil where it is not to be had. A file
// that has changed since it was looked at gives nothing, and is looked at.
func (f *Folder) Sealed(ctx context.Context, ids []entry.BlockID, compress bool, send func([]byte) error) error {
	s := &server{Folder: f, encoding: seal.Raw}
	if compress {
		s.encoding = seal.Auto
	}
	defer s.close()
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		sealed, err := s.block(id)
		if err != nil {
			return err
		}
		if err := send(sealed); err != nil {
			return err
		}
	}
	return nil
}

// server reads blocks for one request. Blocks come in runs of one file, so it
// keeps that file open, with where its blocks are.
type server struct {
	*Folder
	encoding seal.Encoding
	at       *entry.Entry
	offsets  map[entry.BlockID]span
	file     gather.File
	seen     map[entry.BlockID]struct{}     // that were read from it
	last     entry.BlockID                  // that was found
	ahead    map[entry.BlockID]*entry.Entry // files that may be asked for next, by their blocks
	window   int                            // how many of them were looked up together
	hits     int                            // how often that was right
	plain    []byte
	sealed   []byte
}

type span struct {
	offset int64
	length uint32
}

func (s *server) close() {
	if s.file == nil {
		return
	}
	// The tree waits for its users before it closes, but a file may outlive it.
	_ = s.file.Close()
	s.file = nil
}

// block is one sealed block, nil if no file has it.
func (s *server) block(id entry.BlockID) ([]byte, error) {
	if b := s.read(id); b != nil {
		s.last = id
		return b, nil
	}
	if e := s.next(id); e != nil {
		s.open(e)
		if b := s.read(id); b != nil {
			s.last = id
			return b, nil
		}
	}
	for _, e := range s.holders(id, maxHolders) {
		s.open(e)
		if b := s.read(id); b != nil {
			s.last = id
			return b, nil
		}
		s.suspect(e.Path)
	}
	if s.holdsFile(id) {
		return id[:], nil
	}
	return nil, nil
}

// holdsFile tells whether an ID is that of a file which ends with the last
// block that was found, and all of which lies at its path. See [FileID].
func (s *server) holdsFile(id entry.BlockID) bool {
	for _, e := range s.holders(s.last, maxSameFiles) {
		if e.Blocks[len(e.Blocks)-1].ID != s.last || FileID(e) != id {
			continue
		}
		if s.at == nil || s.at.Path != e.Path {
			s.open(e)
		}
		for _, b := range e.Blocks {
			if _, ok := s.seen[b.ID]; !ok && s.read(b.ID) == nil {
				s.suspect(e.Path)
				return false
			}
		}
		return true
	}
	return false
}

// Bounds of what is looked up ahead: files, and blocks of these.
const (
	leastAhead  = 4
	mostAhead   = 256
	aheadBlocks = 4096
)

// next is a file with a block, nil if none is known. Members mostly ask for
// files in the order in which these were changed, which is how they heard of
// them: so some that were changed after one are looked up together with it, the
// more the better that proves right.
func (s *server) next(id entry.BlockID) *entry.Entry {
	if e := s.ahead[id]; e != nil {
		s.hits++
		return e
	}
	if s.hits < s.window/2 {
		s.window = leastAhead
	} else {
		s.window = min(max(leastAhead, 4*s.window), mostAhead)
	}
	s.hits, s.ahead = 0, map[entry.BlockID]*entry.Entry{}
	_ = s.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(s.ID)
		if err != nil {
			return err
		}
		for first := range x.FindBlock(id) {
			s.lookAhead(x, first)
			s.ahead[id] = first
			break
		}
		return nil
	})
	return s.ahead[id]
}

// lookAhead notes files that were changed after another.
func (s *server) lookAhead(x *index.Folder, first *entry.Entry) {
	files, refs := 0, 0
	for e, err := range x.Since(first.Sequence) {
		if err != nil {
			return
		}
		files, refs = files+1, refs+len(e.Blocks)
		if files > s.window || refs > aheadBlocks {
			return
		}
		if e.Absent || !merge.HoldsContent(e) {
			continue
		}
		for _, b := range e.Blocks {
			s.ahead[b.ID] = e
		}
	}
}

// maxHolders is how many files are tried for one block.
const maxHolders = 4

func (s *server) holders(id entry.BlockID, most int) (out []*entry.Entry) {
	_ = s.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(s.ID)
		if err != nil {
			return err
		}
		for e := range x.FindBlock(id) {
			if out = append(out, e); len(out) == most {
				break
			}
		}
		return nil
	})
	return out
}

// open makes e the file to read from.
func (s *server) open(e *entry.Entry) {
	s.close()
	s.at, s.offsets, s.seen = e, make(map[entry.BlockID]span, len(e.Blocks)), map[entry.BlockID]struct{}{}
	var at int64
	for _, b := range e.Blocks {
		s.offsets[b.ID] = span{at, b.Length}
		at += int64(b.Length)
	}
	if f, err := s.openFile(e.Path); err == nil {
		s.file = f
	}
}

// read seals the block out of the current file, if it is there.
func (s *server) read(id entry.BlockID) []byte {
	where, ok := s.offsets[id]
	if !ok || s.file == nil {
		return nil
	}
	if cap(s.plain) < int(where.length) {
		s.plain = make([]byte, where.length)
	}
	b := s.plain[:where.length]
	if _, err := s.file.ReadAt(b, where.offset); err != nil {
		return nil
	}
	k := s.key(s.at.Epoch)
	if k == nil {
		return nil
	}
	sealed, err := k.SealBlock(s.sealed[:0], id, b, s.encoding)
	if err != nil {
		if !errors.Is(err, seal.ErrNotBlock) {
			s.Log.Error("seal a block", "path", string(s.at.Path), "error", err)
		}
		return nil
	}
	s.sealed = sealed
	s.seen[id] = struct{}{}
	return sealed
}

// suspect has a file looked at that does not hold what the index says.
func (s *server) suspect(p entry.Path) {
	select {
	case s.mail <- func(a *actor) { a.recheck(p, false) }:
	case <-s.ended:
	default: // the actor is busy; the next look finds it
	}
}
