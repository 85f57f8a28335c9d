package gather

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/seal"
)

const (
	// perSource is how many requests one member is sent at a time, and
	// requestBytes how much each asks for: together what is on its way.
	perSource    = 4
	requestBytes = 4 << 20
	requestIDs   = 1024
	// patience is how long a member may leave a request without a block, and
	// slowest how many bytes of one a second must bring beyond that.
	patience = 30 * time.Second
	slowest  = 2 << 10
	// brokenTries is how often a member is asked again whose stream has broken,
	// with nothing brought in between, and brokenPause how long the first pause
	// is; each next is four times as long, so all of them take two seconds. Its
	// connection may have been replaced by another.
	brokenTries = 4
	brokenPause = 25 * time.Millisecond
	// smallWork is up to how many bytes go ahead of what is under way.
	smallWork = 256 << 10
)

// patienceFor is how long a block may take to come.
func patienceFor(n *need) time.Duration {
	return patience + time.Duration(n.length)*time.Second/slowest
}

// fetch asks the members for the needs, each for what it announced, and all
// of them at once. A member that fails, lies or lacks what it announced gets
// no more of this work, or of that block; the others take it over.
func (g *Gatherer) fetch(ctx context.Context, needs []*need, sources []Source) {
	q := newQueue(needs, sources)
	if g.Alone {
		g.workAlone(ctx, q, sources)
	} else {
		g.workTogether(ctx, q, sources)
	}
	for _, n := range q.rest() {
		err := ErrUnavailable
		if e := ctx.Err(); e != nil {
			err = e
		}
		for _, s := range n.sinks {
			s.job.fail(err)
		}
	}
}

func (g *Gatherer) workTogether(ctx context.Context, q *queue, sources []Source) {
	stop := context.AfterFunc(ctx, q.wake)
	defer stop()
	var wg sync.WaitGroup
	for _, s := range sources {
		for range perSource {
			wg.Go(func() { g.work(ctx, q, s) })
		}
	}
	wg.Wait()
}

// workAlone goes round as often as there are sources: what the last of them
// could not give, each of those before it may yet.
func (g *Gatherer) workAlone(ctx context.Context, q *queue, sources []Source) {
	for range sources {
		for _, s := range sources {
			g.work(ctx, q, s)
		}
	}
}

// work takes requests off the queue for one member until there is nothing
// left that it could give.
func (g *Gatherer) work(ctx context.Context, q *queue, s Source) {
	w := &worker{Gatherer: g, source: s}
	broken := 0
	for q.await(ctx, s) {
		leave, err := w.pace(ctx, q.small)
		if err != nil {
			return
		}
		part := q.take(s, leave.Bytes())
		if len(part) == 0 {
			leave.Done(0) // another worker was faster
			continue
		}
		w.leave = leave
		missing, failed, err := w.request(ctx, part)
		leave.Done(w.came)
		if w.came > 0 {
			broken = 0
		}
		again := err != nil && broken < brokenTries && w.maybeElse(err)
		if again {
			g.Log.Debug("fetch blocks once more", "device", s.Device(), "error", err)
			pause(ctx, brokenPause<<(2*broken)) // the request is still out, so that nobody gives up
			broken++
		}
		q.done(s.Device(), missing, failed, err != nil && !again)
		if err != nil && !again {
			if ctx.Err() == nil {
				g.Log.Warn("fetch blocks", "device", s.Device(), "error", err)
			}
			return
		}
	}
}

// maybeElse tells whether the same request may fare better on another stream: the
// last one has broken, and the member has neither lied nor refused.
func (w *worker) maybeElse(err error) bool {
	if w.Alone || w.lied {
		return false
	}
	for _, final := range []error{errSlow, errShort, blocks.ErrRefused, blocks.ErrNotHeld, blocks.ErrRequest, blocks.ErrAnswer} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// worker fetches from one member, one request at a time.
type worker struct {
	*Gatherer
	source Source
	plain  []byte
	leave  Leave // for the last request
	came   int   // bytes of it
	lied   bool  // it brought a block that is none
}

// pace waits until the member may be asked for something.
func (w *worker) pace(ctx context.Context, small bool) (Leave, error) {
	p, ok := w.source.(Pacer)
	if !ok {
		return anyTime{}, nil
	}
	if small {
		return p.Pace(ctx, smallWork, true)
	}
	return p.Pace(ctx, requestBytes, false)
}

// request fetches a list of blocks. It returns those that the member does not
// hold, and, with an error that ends its part in this work, those that are
// still to be fetched.
func (w *worker) request(ctx context.Context, part []*need) (missing, left []*need, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(patienceFor(part[0]), func() { cancel(errSlow) })
	defer watch.Stop()
	w.came = 0
	ids := make([]entry.BlockID, len(part))
	for i, n := range part {
		ids[i] = n.id
	}
	got := 0
	err = w.source.Fetch(ctx, ids, func(i int, sealed []byte) error {
		if i+1 < len(part) {
			watch.Reset(patienceFor(part[i+1]))
		}
		if w.came == 0 {
			w.leave.First()
		}
		w.came += len(sealed)
		if sealed == nil {
			missing = append(missing, part[i])
			got = i + 1
			return nil
		}
		if err := w.open(part[i], sealed); err != nil {
			w.lied = true
			return err
		}
		got = i + 1
		return nil
	})
	if cause := context.Cause(ctx); errors.Is(cause, errSlow) {
		err = errSlow
	}
	writeback(part)
	if err == nil && got < len(part) {
		err = errShort
	}
	if err != nil {
		return missing, part[got:], err
	}
	return missing, nil, nil
}

var errShort = errors.New("fewer blocks than were asked for, and no reason")

var errSlow = fmt.Errorf("no block within %v and a second for each %d bytes", patience, slowest)

// open unseals and verifies one block and writes it where it goes.
func (w *worker) open(n *need, sealed []byte) error {
	plain, err := n.keys.OpenBlock(w.plain[:0], n.id, sealed)
	if err != nil {
		return fmt.Errorf("block %s: %w", n.id, err)
	}
	if len(plain) != int(n.length) {
		return fmt.Errorf("block %s: %d bytes where %d were announced: %w", n.id, len(plain), n.length, seal.ErrTampered)
	}
	w.plain = plain
	n.write(plain)
	for _, s := range n.sinks {
		s.job.count(int64(n.length))
	}
	return nil
}

// writeback has the system begin to write what a request brought, so that the
// sync at the end has little left to wait for.
func writeback(part []*need) {
	from, to := int64(math.MaxInt64), int64(0)
	for _, n := range part {
		s := n.sinks[0]
		if s.job != part[0].sinks[0].job {
			return // many small files
		}
		from, to = min(from, s.offset), max(to, s.offset+int64(n.length))
	}
	if s := part[0].sinks[0].job.Staged; to-from >= 1<<20 {
		s.StartWriteback(from, to-from)
	}
}

// LogValue keeps lists of blocks out of logs.
func (n *need) LogValue() slog.Value { return slog.StringValue(n.id.String()) }
