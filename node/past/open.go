package past

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/history"
)

// openBatch is how many records one worker opens at a time.
const openBatch = 256

// ask is one question to a source.
type ask func(ctx context.Context, s Source, each func(history.Held) error) error

// opening puts a question to all sources at once, opens what they answer on all
// processors, and hands it on, one at a time and in no order. It fails only if
// ctx ends or no source could be asked; what else goes wrong are gaps.
func (p *Past) opening(ctx context.Context, q ask, took func(history.Held, *entry.Entry)) (Gaps, error) {
	o := opener{past: p, took: took, work: make(chan []history.Held)}
	var workers, asking errgroup.Group
	for range runtime.GOMAXPROCS(0) {
		workers.Go(o.run)
	}
	for _, s := range p.Sources {
		asking.Go(func() error {
			o.failed(o.feed(ctx, s, q))
			return nil
		})
	}
	_ = asking.Wait()
	close(o.work)
	_ = workers.Wait()
	if err := ctx.Err(); err != nil {
		return o.gaps, err
	}
	if n := len(p.Sources); n == 0 || len(o.gaps.Failed) == n {
		return o.gaps, errors.Join(append([]error{ErrNoSource}, o.gaps.Failed...)...)
	}
	return o.gaps, nil
}

type opener struct {
	past *Past
	work chan []history.Held

	mu   sync.Mutex
	took func(history.Held, *entry.Entry)
	gaps Gaps
}

// feed hands the answers of one source to the workers.
func (o *opener) feed(ctx context.Context, s Source, q ask) error {
	batch := make([]history.Held, 0, openBatch)
	flush := func() error {
		select {
		case o.work <- batch:
			batch = make([]history.Held, 0, openBatch)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := q(ctx, s, func(h history.Held) error {
		if h.Record == nil {
			return nil
		}
		if batch = append(batch, h); len(batch) == openBatch {
			return flush()
		}
		return nil
	})
	return errors.Join(err, flush())
}

func (o *opener) failed(err error) {
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.gaps.Failed = append(o.gaps.Failed, err)
	}
}

func (o *opener) run() error {
	for batch := range o.work {
		entries := make([]entry.Entry, len(batch))
		errs := make([]error, len(batch))
		for i := range batch {
			entries[i], errs[i] = o.past.open(&batch[i])
		}
		o.mu.Lock()
		for i := range batch {
			if errs[i] != nil {
				o.gaps.unopened(batch[i].Record.ID, errs[i])
			} else {
				o.took(batch[i], &entries[i])
			}
		}
		o.mu.Unlock()
	}
	return nil
}

// open opens one version with the keys of its epoch.
func (p *Past) open(h *history.Held) (entry.Entry, error) {
	k := p.Keys[h.Record.Epoch]
	if k == nil {
		return entry.Entry{}, fmt.Errorf("open record %s of epoch %d: %w", h.Record.ID, h.Record.Epoch, ErrNoKey)
	}
	e, err := k.OpenRecord(h.Record)
	if err != nil {
		return entry.Entry{}, fmt.Errorf("open record %s: %w", h.Record.ID, err)
	}
	return e, nil
}
