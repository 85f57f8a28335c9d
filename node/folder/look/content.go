package look

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/kithmesh/kith/index/chunk"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
)

const (
	// tick is the longest time within which a file system may give two writes
	// the same time. What was read within a tick of a change could change
	// again unseen.
	tick = 10 * time.Millisecond
	// openQuiet is how long a file that someone keeps open for writing must
	// have been left alone to be taken as it is: a disk image, a log.
	openQuiet = 8 * time.Second
	// closedQuiet is the same where nobody can say whether it is open.
	closedQuiet = 300 * time.Millisecond
)

// content reads the blocks of a file that differs from the index, and names
// them under the newest keys, or under those under which the same is known.
func (l *Looker) content(ctx context.Context, f Finding) Finding {
	known, err := l.known(f)
	for _, e := range known.epochs {
		if err != nil {
			break
		}
		var blocks []entry.Block
		var st tree.Stat
		if blocks, st, err = l.blocks(ctx, f.Path, e); err == nil && known.has(e, blocks) {
			f.Blocks, f.Stat, f.Epoch = blocks, st, e
			return f
		}
	}
	f.Epoch = l.newest()
	var blocks []entry.Block
	var st tree.Stat
	if err == nil {
		blocks, st, err = l.blocks(ctx, f.Path, f.Epoch)
	}
	switch {
	case err == nil:
		f.Blocks, f.Stat = blocks, st
	case errors.Is(err, errUnsteady):
		f.Unsteady = true
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, tree.ErrNotRegular):
		f.Unsteady = true // gone, or something else by now
	default:
		f.Err = err
	}
	return f
}

// errUnsteady: the file is being written.
var errUnsteady = errors.New("being written")

func (l *Looker) blocks(ctx context.Context, p entry.Path, epoch entry.Epoch) ([]entry.Block, tree.Stat, error) {
	file, err := l.Tree.OpenFile(p)
	if err != nil {
		return nil, tree.Stat{}, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, st, err
	}
	if !l.quiet(file, st) {
		return nil, st, errUnsteady
	}
	keys := l.Keys(epoch)
	var blocks []entry.Block
	err = l.chunker(epoch, keys).Split(&reader{ctx, file}, st.Size, func(b []byte) error {
		blocks = append(blocks, entry.Block{ID: keys.BlockID(b), Length: uint32(len(b))})
		return nil
	})
	if errors.Is(err, chunk.ErrChanged) {
		return nil, st, errUnsteady
	}
	if err != nil {
		return nil, st, err
	}
	after, err := file.Stat()
	if err != nil {
		return nil, st, err
	}
	if !after.Same(st) {
		return nil, st, errUnsteady
	}
	return blocks, st, nil
}

// quiet tells whether nobody is writing the file. A change time in the future
// comes of a clock that was put back, and tells nothing.
func (l *Looker) quiet(file File, st tree.Stat) bool {
	left := l.Now().Sub(time.Unix(0, st.Disk.ChangeTime))
	if left >= 0 && left < tick {
		return false
	}
	busy, err := file.Busy()
	switch {
	case err != nil:
		return left >= closedQuiet || left < 0
	case busy:
		return left >= openQuiet
	}
	return true
}

// reader reads a file until the context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
