package gather

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// need is a block that jobs lack.
type need struct {
	id     entry.BlockID
	length uint32
	keys   *seal.Keys
	sinks  []sink
	// refused are the members that were asked for it in vain.
	refused []entry.DeviceID
}

// sink is a place where a block goes.
type sink struct {
	job    *Job
	offset int64
}

func needsOf(j *Job, keys *seal.Keys) []*need {
	out := make([]*need, len(j.Entry.Blocks))
	var at int64
	for i, b := range j.Entry.Blocks {
		out[i] = &need{id: b.ID, length: b.Length, keys: keys, sinks: []sink{{j, at}}}
		at += int64(b.Length)
	}
	return out
}

// merged makes one need of all that are for the same block.
func merged(needs []*need) []*need {
	type key struct {
		id   entry.BlockID
		keys *seal.Keys
	}
	seen := make(map[key]*need, len(needs))
	out := needs[:0]
	for _, n := range needs {
		if first := seen[key{n.id, n.keys}]; first != nil && first.length == n.length {
			first.sinks = append(first.sinks, n.sinks...)
			continue
		}
		seen[key{n.id, n.keys}] = n
		out = append(out, n)
	}
	return out
}

// is tells whether b is the block.
func (n *need) is(b []byte) bool { return len(b) == int(n.length) && n.keys.BlockID(b) == n.id }

// write puts the block where it goes. A job that cannot take it has its error
// then, and the others go on.
func (n *need) write(b []byte) {
	for _, s := range n.sinks {
		if s.job.err() != nil {
			continue
		}
		if _, err := s.job.Staged.WriteAt(b, s.offset); err != nil {
			s.job.fail(fmt.Errorf("write %q: %w", s.job.Entry.Path, err))
		}
	}
}

// idle tells whether nobody waits for the block any more.
func (n *need) idle() bool {
	for _, s := range n.sinks {
		if s.job.err() == nil {
			return false
		}
	}
	return true
}

// resumed drops the needs that an earlier attempt has satisfied: it left had
// bytes, of which any may be wrong.
func resumed(ctx context.Context, needs []*need, had int64) ([]*need, error) {
	if had == 0 || len(needs) == 0 {
		return needs, nil
	}
	var out []*need
	buf := make([]byte, longest(needs))
	for _, n := range needs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := n.sinks[0]
		b := buf[:n.length]
		if s.offset+int64(n.length) > had {
			out = append(out, n)
			continue
		}
		if _, err := s.job.Staged.ReadAt(b, s.offset); err != nil {
			return nil, err
		}
		if !n.is(b) {
			out = append(out, n)
		}
	}
	return out, nil
}

// longest is the length of the longest block among needs.
func longest(needs []*need) (n uint32) {
	for _, w := range needs {
		n = max(n, w.length)
	}
	return n
}

// err and fail guard a job that several workers write to.
func (j *Job) err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Err
}

func (j *Job) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.Err == nil {
		j.Err = err
	}
}

// Here is how many bytes of the content are staged by now. It may be asked while
// others gather.
func (j *Job) Here() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.here + j.Fetched
}

// found notes that all is here but these.
func (j *Job) found(missing []*need) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.here = j.Entry.Size
	for _, n := range missing {
		j.here -= int64(n.length)
	}
}

func (j *Job) count(fetched int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Fetched += fetched
}
