package look

import (
	"slices"
	"sync"
	"time"
)

// A batch is handed on when it has this many findings, or after this time.
const (
	batchFindings = 1000
	batchTime     = 40 * time.Millisecond
)

// batcher gathers findings from several readers and hands them on in batches.
type batcher struct {
	found  func([]Finding) error
	enough func(n int) bool // instead of the two limits, if it is set

	mu      sync.Mutex
	batch   []Finding
	timer   *time.Timer
	stopped bool
	err     error
}

func newBatcher(found func([]Finding) error) *batcher { return &batcher{found: found} }

// add takes a finding; it blocks while a full batch is handed on.
func (b *batcher) add(f Finding) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.batch = append(b.batch, f)
	if b.enough != nil {
		if b.enough(len(b.batch)) {
			return b.flush()
		}
		return nil
	}
	if len(b.batch) >= batchFindings {
		return b.flush()
	}
	if b.timer == nil {
		b.timer = time.AfterFunc(batchTime, b.late)
	}
	return nil
}

// late hands on what has waited long enough.
func (b *batcher) late() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped && b.err == nil {
		_ = b.flush() // kept in b.err for the next add
	}
}

func (b *batcher) flush() error {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	if len(b.batch) == 0 {
		return nil
	}
	batch := b.batch
	b.batch = nil
	b.err = b.found(batch)
	return b.err
}

// finish hands on the rest, and then what is missing, from below.
func (b *batcher) finish(missing []Finding) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	if err := b.flush(); err != nil {
		return err
	}
	slices.SortFunc(missing, func(x, y Finding) int { return y.Path.Compare(x.Path) })
	for chunk := range slices.Chunk(missing, batchFindings) {
		if err := b.found(slices.Clone(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// stop makes a timer that still runs do nothing.
func (b *batcher) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if b.timer != nil {
		b.timer.Stop()
	}
}
