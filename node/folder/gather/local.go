package gather

import (
	"context"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

// local fills what other files of the folder hold: the version that is to be
// replaced first, since most edits leave most of it. It returns what is left.
func (g *Gatherer) local(ctx context.Context, j *Job, needs []*need) ([]*need, error) {
	if len(needs) == 0 {
		return nil, nil
	}
	l := &finder{Gatherer: g, buf: make([]byte, longest(needs))}
	defer l.close()
	if err := l.remember(j.Entry.Path); err != nil {
		return nil, err
	}
	var left []*need
	for _, n := range needs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := l.find(n)
		if err != nil {
			return nil, err
		}
		if b == nil {
			left = append(left, n)
			continue
		}
		n.write(b)
	}
	return left, j.err()
}

// finder reads blocks out of files of the folder. It remembers the one in
// which it last found something, as blocks come in runs.
type finder struct {
	*Gatherer
	buf   []byte
	path  entry.Path
	known map[entry.BlockID]int64 // offsets in path
	file  File                    // at path, once it was needed
	bad   bool                    // path cannot be opened
	tried int                     // look-ups that found nothing, in a row
}

// hopeless is after how many blocks that are nowhere the index is asked only
// now and then: content that is all new has no need of a look-up for each.
const hopeless = 64

func (l *finder) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}

// remember makes the file at p, if the index has one, the first to be tried.
func (l *finder) remember(p entry.Path) error {
	return l.DB.View(func(tx *index.Tx) error {
		f, err := tx.Folder(l.Folder)
		if err != nil {
			return err
		}
		e, err := f.Get(p)
		if err == nil && e != nil && e.Kind == entry.File {
			l.hold(e)
		}
		return err
	})
}

func (l *finder) hold(e *entry.Entry) {
	l.close()
	l.file, l.bad, l.path = nil, false, e.Path
	l.known = make(map[entry.BlockID]int64, len(e.Blocks))
	var at int64
	for _, b := range e.Blocks {
		l.known[b.ID] = at
		at += int64(b.Length)
	}
}

// find returns the block if some file of the folder has it, else nil.
func (l *finder) find(n *need) ([]byte, error) {
	if at, ok := l.known[n.id]; ok {
		if b := l.read(n, at); b != nil {
			return b, nil
		}
	}
	if l.tried++; l.tried > hopeless && l.tried%hopeless != 0 {
		return nil, nil
	}
	candidates, err := l.lookUp(n)
	if err != nil {
		return nil, err
	}
	for _, e := range candidates {
		l.hold(e)
		if b := l.read(n, l.known[n.id]); b != nil {
			l.tried = 0
			return b, nil
		}
	}
	return nil, nil
}

// maxCandidates is how many files are tried for one block.
const maxCandidates = 3

func (l *finder) lookUp(n *need) (out []*entry.Entry, err error) {
	err = l.DB.View(func(tx *index.Tx) error {
		f, err := tx.Folder(l.Folder)
		if err != nil {
			return err
		}
		for e := range f.FindBlock(n.id) {
			if e.Path != l.path {
				out = append(out, e)
			}
			if len(out) == maxCandidates {
				break
			}
		}
		return nil
	})
	return out, err
}

// read returns the bytes at an offset of the current file if they are the
// block; a file that has changed, or cannot be read, has nothing to give.
func (l *finder) read(n *need, at int64) []byte {
	if l.file == nil && !l.bad {
		f, err := l.Tree.OpenFile(l.path)
		l.file, l.bad = f, err != nil
	}
	if l.bad {
		return nil
	}
	b := l.buf[:n.length]
	if _, err := l.file.ReadAt(b, at); err != nil || !n.is(b) {
		return nil
	}
	return b
}
