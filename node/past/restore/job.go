package restore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past"
	"github.com/kithmesh/kith/node/tree"
)

// job is one file or symlink on its way.
type job struct {
	run    *running
	op     *op
	at     entry.Path
	entry  *entry.Entry
	action Action
	name   string // of the staged file

	remaining atomic.Int64 // blocks that are neither written nor known to be lost

	mu     sync.Mutex
	staged Staged
	lost   error // why a block could not be had
	bad    error // why it could not be written
}

// part is a block at one place of one file.
type part struct {
	job    *job
	off    int64
	length uint32
	next   int32 // in the list: the next part with the same block, or -1
}

// list is a want-list, with what each block is for.
type list struct {
	wants []want
	first []int32 // of each want, its last part
	parts []part
	by    map[entry.BlockID]int32
	bytes int64
}

func newList() *list { return &list{by: map[entry.BlockID]int32{}} }

func (l *list) full() bool {
	return len(l.wants) >= past.MaxAsk || l.bytes >= listBytes || len(l.parts) >= 4*past.MaxAsk
}

func (l *list) add(p part, w want) {
	i, known := l.by[w.id]
	if !known {
		i = int32(len(l.wants)) //nolint:gosec // at most MaxAsk
		l.by[w.id] = i
		l.wants = append(l.wants, w)
		l.first = append(l.first, -1)
		l.bytes += int64(p.length)
	}
	p.next = l.first[i]
	l.first[i] = int32(len(l.parts)) //nolint:gosec // bounded by full
	l.parts = append(l.parts, p)
}

// fetch fetches a list, and writes each block to where it belongs.
func (n *running) fetch(ctx context.Context, l *list) error {
	err := n.fetcher.fetch(ctx, l.wants, func(i int, plain []byte, lost error) error {
		for at := l.first[i]; at >= 0; at = l.parts[at].next {
			p := &l.parts[at]
			if err := p.job.write(ctx, p, plain, lost); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.startWriteback()
	return nil
}

// startWriteback has the system begin to write what a list has brought of long
// files, so that the wait in the end is short.
func (l *list) startWriteback() {
	const long = 4 << 20
	for from := 0; from < len(l.parts); {
		j, to := l.parts[from].job, from+1
		for to < len(l.parts) && l.parts[to].job == j {
			to++
		}
		begin, last := l.parts[from].off, &l.parts[to-1]
		if size := last.off + int64(last.length) - begin; size >= long {
			j.mu.Lock()
			if j.staged != nil && j.remaining.Load() > 0 {
				j.staged.StartWriteback(begin, size)
			}
			j.mu.Unlock()
		}
		from = to
	}
}

// write writes one block of the file, or notes that it is lost. With the last
// one the file is completed.
func (j *job) write(ctx context.Context, p *part, plain []byte, lost error) error {
	if lost == nil {
		lost = j.put(p, plain)
	} else {
		j.mu.Lock()
		j.lost = lost
		j.mu.Unlock()
		lost = nil
	}
	if lost != nil && hopeless(lost) {
		return lost
	}
	if j.remaining.Add(-1) > 0 {
		return nil
	}
	if err := j.complete(ctx, plain); err != nil {
		return j.run.failed(j, err)
	}
	return j.run.send(ctx, j)
}

func (j *job) put(p *part, plain []byte) error {
	s, err := j.stage()
	if err == nil && len(plain) != int(p.length) {
		err = fmt.Errorf("a block of %d bytes where %d were recorded: %w", len(plain), p.length, ErrLost)
	}
	if err == nil {
		_, err = s.WriteAt(plain, p.off)
	}
	j.run.tell(false, func(p *Progress) { p.Bytes += int64(len(plain)) })
	if err != nil {
		j.mu.Lock()
		j.bad = err
		j.mu.Unlock()
	}
	return err
}

// stage is the staged file, made when it is first asked for.
func (j *job) stage() (Staged, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.staged == nil {
		s, err := j.run.Target.Stage(j.name)
		if err != nil {
			return nil, err
		}
		j.hold(s)
	}
	return j.staged, nil
}

// hold remembers what is staged; j.mu is held, or nobody else has the job.
func (j *job) hold(s Staged) {
	j.staged = s
	j.run.mu.Lock()
	j.run.staged[j] = struct{}{}
	j.run.mu.Unlock()
}

func (j *job) symlink() error {
	s, err := j.run.Target.StageSymlink(j.name, j.entry.Target)
	if err == nil {
		j.hold(s)
	}
	return err
}

// complete reads the whole file again and compares it with its blocks; last is
// the one that was written last, if any was. The metadata is set before the file
// is made durable, so that this writes both at once.
func (j *job) complete(ctx context.Context, last []byte) error {
	j.mu.Lock()
	lost := errors.Join(j.lost, j.bad)
	j.mu.Unlock()
	if lost != nil {
		return lost
	}
	s, err := j.stage()
	if err != nil {
		return err
	}
	same := true
	switch blocks := j.entry.Blocks; {
	case len(blocks) == 1: // its bytes are at hand: no need to hash them again
		same, err = begins(s, last)
	case len(blocks) > 1:
		same, err = holds(ctx, s, j.run.fetcher.keys[j.entry.Epoch], blocks)
	}
	if err != nil {
		return err
	}
	if !same {
		return ErrVerify
	}
	return s.Finish(j.meta())
}

func (j *job) meta() tree.Meta { return tree.Meta{Mode: j.entry.Mode, ModTime: j.entry.ModTime} }

// failed gives a job up, and notes why. It returns the error if no other can
// be done either.
func (n *running) failed(j *job, err error) error {
	if hopeless(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%q: %w", j.at, err)
	}
	n.mu.Lock()
	list := &n.result.Failed
	switch {
	case errors.Is(err, errRefused):
		list = &n.result.Skipped
	case errors.Is(err, ErrLost), errors.Is(err, past.ErrNoKey):
		list = &n.result.Lost
	}
	*list = append(*list, Skipped{j.entry.Path, err})
	if j.op != nil && j.op.expect != nil {
		j.op.expect.stays = true
	}
	delete(n.staged, j)
	n.mu.Unlock()
	if j.staged != nil {
		_ = j.staged.Discard(maybeLater(err))
	}
	n.tell(false, func(p *Progress) {
		if j.entry.Kind == entry.File && j.action != SetMeta {
			p.Files++
		}
	})
	return nil
}

// placed counts what is done.
func (n *running) placed(j *job) {
	n.mu.Lock()
	r := &n.result
	switch j.action {
	case Make:
		r.Made++
	case Replace:
		r.Replaced++
		r.Removed += int64(len(j.op.below()))
	case Beside:
		r.Beside++
	case SetMeta:
		r.Meta++
	case Remove:
		r.Removed++
	}
	delete(n.staged, j)
	file := j.entry.Kind == entry.File && j.action != SetMeta
	if file {
		r.Bytes += j.entry.Size
	}
	n.mu.Unlock()
	if file {
		n.tell(false, func(p *Progress) { p.Files++ })
	}
}

// tell updates the progress, and tells of it now and then, or if it must.
func (n *running) tell(must bool, change func(*Progress)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.progress)
	if n.Progress == nil {
		return
	}
	if now := time.Now(); must || now.Sub(n.told) >= report {
		n.told = now
		n.Progress(n.progress)
	}
}

// discard gives up what is staged and was not placed. keep: a later run may make
// use of it.
func (n *running) discard(keep bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for j := range n.staged {
		_ = j.staged.Discard(keep)
	}
	clear(n.staged)
}
