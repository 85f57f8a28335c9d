package folder_test

import (
	"context"
	"errors"
	"sync"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/exchange"
)

// line is one direction of a connection: what one device tells another, and
// what that one replies. It does what package exchange does between a Book and
// an Ear, with the same batches and in the same order.
type line struct {
	from, to *device
	news     chan struct{}
	done     chan struct{}
	cancel   context.CancelFunc

	mu      sync.Mutex
	gone    bool
	replies []any // exchange.Start and exchange.Ack, in order
}

// link connects two devices both ways.
func (w *world) link(a, b *device) {
	w.t.Helper()
	for _, pair := range [][2]*device{{a, b}, {b, a}} {
		if w.lines[pair] != nil {
			w.t.Fatalf("%s and %s are linked already", a.name, b.name)
		}
		l := &line{from: pair[0], to: pair[1], news: make(chan struct{}, 1), done: make(chan struct{})}
		w.lines[pair] = l
		ctx, cancel := context.WithCancel(context.Background())
		l.cancel = cancel
		l.from.mu.Lock()
		l.from.news[l.news] = struct{}{}
		l.from.mu.Unlock()
		go func() {
			defer close(l.done)
			if err := l.run(ctx); err != nil && ctx.Err() == nil {
				w.t.Errorf("what %s tells %s: %v", l.from.name, l.to.name, err)
			}
		}()
	}
}

// cut ends a connection, as a network does: at any moment.
func (w *world) cut(a, b *device) {
	var lines []*line
	for _, pair := range [][2]*device{{a, b}, {b, a}} {
		if l := w.lines[pair]; l != nil {
			lines = append(lines, l)
			delete(w.lines, pair)
		}
	}
	for _, l := range lines {
		l.mu.Lock()
		l.gone = true
		l.mu.Unlock()
		l.cancel()
		l.from.mu.Lock()
		delete(l.from.news, l.news)
		l.from.mu.Unlock()
	}
	for _, l := range lines {
		<-l.done
		ctx, cancel := bounded()
		if err := l.to.folder.Detach(ctx, l.from.id); err != nil {
			w.t.Errorf("detach %s from %s: %v", l.from.name, l.to.name, err)
		}
		cancel()
	}
}

// linkAll connects all devices with each other.
func (w *world) linkAll() {
	for i, a := range w.all {
		for _, b := range w.all[:i] {
			if w.lines[[2]*device{a, b}] == nil {
				w.link(a, b)
			}
		}
	}
}

// run tells until the connection ends.
func (l *line) run(ctx context.Context) error {
	var told exchange.FolderState
	var at *exchange.Start // where the listener is
	for {
		if err := l.reply(ctx, &at); err != nil {
			return err
		}
		now := l.from.folder.State()
		if told.Index != now.Index || told.Replica != now.Replica || told.Settled != now.Settled {
			told = now
			if err := l.to.folder.Attach(ctx, l, now); err != nil {
				return err
			}
			continue // it has replied
		}
		if at != nil && at.Index == now.Index && at.After < now.Head {
			b, err := l.from.folder.Records(ctx, l.to.id, at.After, l.from.w.limit)
			if err != nil {
				return err
			}
			if b.Index == now.Index && b.Through > at.After {
				if err := l.to.folder.Hear(ctx, l.from.id, b, nil); err != nil {
					return err
				}
				at.After = b.Through
				continue
			}
		}
		select {
		case <-l.news:
		case <-ctx.Done():
			return nil
		}
	}
}

// reply takes to the teller what the listener has said.
func (l *line) reply(ctx context.Context, at **exchange.Start) error {
	l.mu.Lock()
	replies := l.replies
	l.replies = nil
	l.mu.Unlock()
	for _, r := range replies {
		switch r := r.(type) {
		case exchange.Start:
			*at = &r
			if err := l.from.folder.Started(ctx, l.to.id, r); err != nil {
				return err
			}
		case exchange.Ack:
			if err := l.from.folder.Acked(ctx, l.to.id, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *line) say(r any) {
	l.mu.Lock()
	l.replies = append(l.replies, r)
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// Device implements [folder.Member], as do the methods below: to the listener
// a line is the member that tells.
func (l *line) Device() entry.DeviceID { return l.from.id }

func (l *line) Start(s exchange.Start) { l.say(s) }

func (l *line) Ack(k exchange.Ack) { l.say(k) }

var errCut = errors.New("the connection is gone")

func (l *line) Fetch(ctx context.Context, ids []entry.BlockID, got func(i int, sealed []byte) error) error {
	i := 0
	err := l.from.folder.Sealed(ctx, ids, true, func(sealed []byte) error {
		l.mu.Lock()
		gone := l.gone
		l.mu.Unlock()
		if gone {
			return errCut
		}
		if sealed != nil {
			l.from.mu.Lock()
			l.from.sealed++
			l.from.mu.Unlock()
		}
		i++
		return got(i-1, sealed)
	})
	return err
}
