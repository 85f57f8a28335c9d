// Package gather brings together the content of files that are about to be
// written, block by block: what an earlier attempt left, what other files of
// the folder hold, and the rest from members, several at once.
//
// It fills staged files and places none. Every block is verified by its name
// before it counts, wherever it came from, so that a staged file is whole or
// the job has an error. What was staged stays for the next attempt.
//
// A Gatherer may be used by several goroutines at once, for different files.
package gather

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

var (
	// ErrUnavailable: no member that is connected could give a block.
	ErrUnavailable = errors.New("no connected device has all of it")
	// ErrSpace: the disk would be too full.
	ErrSpace = errors.New("not enough space on the disk")
	// ErrEpoch: this device was never given the key that seals the content.
	ErrEpoch = errors.New("no key for it")
)

// Source is a member that can be asked for blocks.
type Source interface {
	Device() entry.DeviceID
	// Fetch calls got for each block in order with its sealed bytes, valid
	// only during the call, or nil where the member does not hold it.
	Fetch(ctx context.Context, ids []entry.BlockID, got func(i int, sealed []byte) error) error
}

// Pacer is a Source that bounds how much is asked of it at a time, by all who
// ask.
type Pacer interface {
	// Pace waits until something may be asked for, up to most bytes. With ahead
	// it does not wait.
	Pace(ctx context.Context, most int, ahead bool) (Leave, error)
}

// Leave is the right to ask for something.
type Leave interface {
	// Bytes is up to how many may be asked for; one block may be more.
	Bytes() int
	// First is called when the first of them have come, Done in the end, with
	// how many did, or zero.
	First()
	Done(bytes int)
}

// anyTime is leave for a whole request, of a source that is no Pacer.
type anyTime struct{}

func (anyTime) Bytes() int { return requestBytes }
func (anyTime) First()     {}
func (anyTime) Done(int)   {}

// Chooser is a Source that may not be asked for some files for now, though it
// has them.
type Chooser interface {
	// Gives tells whether it may be asked for content of a file of a size.
	Gives(size int64) bool
}

// Gives tells whether a source may be asked for content of a file of a size.
func Gives(s Source, size int64) bool {
	c, ok := s.(Chooser)
	return !ok || c.Gives(size)
}

// Job is one file to stage, and what became of it.
type Job struct {
	Entry *entry.Entry // a file or a symlink
	Name  string       // of the staged file
	// Holders are the members that announced just this version.
	Holders map[entry.DeviceID]entry.Sequence

	// Staged is the whole content, durable, if Err is nil.
	Staged Staged
	Err    error
	// Fetched counts the bytes of plaintext that came from members.
	Fetched int64

	mu   sync.Mutex // of the other fields and those below, while workers run
	here int64      // bytes that had not to be fetched
}

// Gatherer gathers for one folder.
type Gatherer struct {
	Tree   Tree
	DB     *index.DB
	Folder entry.FolderID
	// Keys are those of an epoch, nil if this device has none of it.
	Keys func(entry.Epoch) *seal.Keys
	Log  *slog.Logger
	// Reserve is how many bytes must stay free on the disk.
	Reserve uint64
	// Alone: members are asked one after the other, in the caller's goroutine,
	// so that a run can be repeated exactly.
	Alone bool
}

// manySmall is from how many files on one sync of the file system costs less
// than one for each file.
const manySmall = 8

// Gather works on all jobs together and returns when each has its content or
// an error.
func (g *Gatherer) Gather(ctx context.Context, jobs []*Job, sources []Source) {
	room := g.room()
	var needs []*need
	for _, j := range jobs {
		if err := ctx.Err(); err != nil {
			j.Err = err
			continue
		}
		missing, err := g.begin(ctx, j, room)
		if err != nil {
			j.Err = fmt.Errorf("stage %q: %w", j.Entry.Path, err)
			continue
		}
		needs = append(needs, missing...)
	}
	if len(needs) > 0 {
		g.fetch(ctx, merged(needs), sources)
	}
	g.sync(jobs)
	for _, j := range jobs {
		if j.Err != nil && j.Staged != nil {
			_ = j.Staged.Close() // kept for the next attempt
			j.Staged = nil
		}
	}
}

// room is what the disk has left for one call of Gather.
type room struct {
	left    uint64
	known   bool // else writing will tell
	reserve uint64
}

func (g *Gatherer) room() *room {
	free, err := g.Tree.Free()
	return &room{left: free, known: err == nil, reserve: g.Reserve}
}

// take refuses a file that would fill the disk. What an earlier attempt has
// written of it is there already.
func (r *room) take(s Staged, size int64) error {
	had, err := s.Allocated()
	if err != nil {
		return err
	}
	need := uint64(max(size-had, 0))
	if !r.known || need == 0 {
		return nil
	}
	if r.left < need+r.reserve {
		return fmt.Errorf("%w: %d bytes are free, %d are needed and %d are kept free", ErrSpace, r.left, need, r.reserve)
	}
	r.left -= need
	return nil
}

// begin stages a job with what is here already, and returns what is not.
func (g *Gatherer) begin(ctx context.Context, j *Job, room *room) ([]*need, error) {
	if j.Entry.Kind == entry.Symlink {
		s, err := g.Tree.StageSymlink(j.Name, j.Entry.Target)
		j.Staged = s
		return nil, err
	}
	keys := g.Keys(j.Entry.Epoch)
	if keys == nil && len(j.Entry.Blocks) > 0 {
		return nil, fmt.Errorf("epoch %d: %w", j.Entry.Epoch, ErrEpoch)
	}
	s, err := g.Tree.Stage(j.Name)
	if err != nil {
		return nil, err
	}
	j.Staged = s
	if err := room.take(s, j.Entry.Size); err != nil {
		return nil, err
	}
	had, err := s.Size()
	if err != nil {
		return nil, err
	}
	if had != j.Entry.Size {
		if err := s.Truncate(j.Entry.Size); err != nil {
			return nil, err
		}
	}
	needs := needsOf(j, keys)
	if needs, err = resumed(ctx, needs, min(had, j.Entry.Size)); err != nil {
		return nil, err
	}
	if needs, err = g.local(ctx, j, needs); err != nil {
		return nil, err
	}
	j.found(needs)
	return needs, nil
}

// sync makes durable what was gathered.
func (g *Gatherer) sync(jobs []*Job) {
	n := 0
	for _, j := range jobs {
		if j.Err == nil && j.Entry.Kind == entry.File {
			n++
		}
	}
	if n >= manySmall {
		if err := g.Tree.Sync(); err != nil {
			for _, j := range jobs {
				j.Err = errors.Join(j.Err, err)
			}
		}
		return
	}
	for _, j := range jobs {
		if j.Err == nil && j.Entry.Kind == entry.File {
			j.Err = j.Staged.Sync()
		}
	}
}

// Full tells whether an error says that the disk is full.
func Full(err error) bool {
	return errors.Is(err, ErrSpace) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
