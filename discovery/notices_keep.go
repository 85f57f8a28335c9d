package discovery

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kithmesh/kith/discovery/rendezvous"
)

// noticer publishes and looks up notices. Its fields belong to one goroutine but
// for those behind the mutex.
type noticer struct {
	n     *Net
	board *rendezvous.Board
	lag   time.Duration
	slots chan struct{} // has room for those at work
	work  sync.WaitGroup

	say    []ma.Multiaddr // what is to be published
	text   string         // the same, to compare
	saidAt time.Time

	mu     sync.Mutex
	books  map[peer.ID]*tidings
	alone  int       // times in a row that no node of the DHT answered
	resume time.Time // nothing is asked of the DHT before
}

// noticesAtOnce bounds what is published and looked for at a time.
const noticesAtOnce = 4

// keepNotices publishes where this device is, for each that it trusts, and
// looks for those that are missing, until ctx ends.
func (n *Net) keepNotices(ctx context.Context, b *rendezvous.Board) {
	k := &noticer{
		n: n, board: b, lag: time.Duration(rand.Int64N(int64(dayLag))),
		slots: make(chan struct{}, noticesAtOnce), books: map[peer.ID]*tidings{},
	}
	defer k.work.Wait()
	for ctx.Err() == nil {
		k.look(time.Now())
		wait := k.start(ctx, time.Now())
		k.rest(ctx, wait)
	}
}

// rest waits for news, at most for wait if that is not negative.
func (k *noticer) rest(ctx context.Context, wait time.Duration) {
	var over <-chan time.Time
	if wait >= 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
	case <-k.n.notices.wake:
	case <-k.n.far.moved:
	case <-over:
	}
}

// look takes in what has changed.
func (k *noticer) look(now time.Time) {
	if k.n.notices.moved.Swap(false) {
		k.board.Moved()
		k.restart(now)
	}
	say := k.n.outside()
	if text := strings.Join(texts(say), " "); text != k.text {
		k.say, k.text, k.saidAt = say, text, now
		k.n.notices.addrsChanged()
	}
	k.n.mu.Lock()
	defer k.n.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, d := range k.n.devices {
		t := k.books[id]
		if t == nil {
			t = &tidings{}
			k.books[id] = t
		}
		t.update(situation{now: now, missing: !d.up && !d.guest})
	}
	for id := range k.books {
		if k.n.devices[id] == nil {
			delete(k.books, id)
		}
	}
}

// restart has everything tried at once that waits after failures.
func (k *noticer) restart(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.alone, k.resume = 0, now
	for _, t := range k.books {
		t.restart(now)
	}
}

// start begins what is due, as far as there is room, and tells how long until
// something else is; a negative time has no end but news.
func (k *noticer) start(ctx context.Context, now time.Time) time.Duration {
	if k.idle() {
		return -1
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	due, next := k.dueLocked(now)
	if len(due) == 0 {
		return next
	}
	if now.Before(k.resume) {
		return k.resume.Sub(now)
	}
	for _, c := range due {
		select {
		case k.slots <- struct{}{}:
		default:
			return -1 // whoever is done wakes this up
		}
		k.beginLocked(ctx, c)
	}
	return next
}

// idle tells whether there is no DHT, and no way into one: then news of nodes
// is waited for.
func (k *noticer) idle() bool {
	h := k.board.Health()
	return h.Nodes == 0 && h.Known == 0
}

// dueLocked are the things to do now, looking before telling, and else how long
// until there is any.
func (k *noticer) dueLocked(now time.Time) (due []chore, next time.Duration) {
	next = -1
	at := func(c chore, when time.Time, ever bool) {
		switch {
		case !ever:
		case !when.After(now):
			due = append(due, c)
		case next < 0 || when.Sub(now) < next:
			next = when.Sub(now)
		}
	}
	for id, t := range k.books {
		when, ever := t.lookDue()
		at(chore{id: id}, when, ever)
		when, ever = t.tellDue(situation{now: now, say: k.text, saidAt: k.saidAt, lag: k.lag})
		at(chore{id: id, tell: true}, when, ever)
	}
	slices.SortStableFunc(due, func(a, b chore) int {
		switch {
		case a.tell == b.tell:
			return strings.Compare(string(a.id), string(b.id))
		case b.tell:
			return -1
		}
		return 1
	})
	return due, next
}

// beginLocked does one thing in a goroutine.
func (k *noticer) beginLocked(ctx context.Context, c chore) {
	t, say, text := k.books[c.id], k.say, k.text
	begun := time.Now()
	if c.tell {
		t.telling = true
	} else {
		t.looking = true
	}
	k.work.Go(func() {
		var err error
		if c.tell {
			err = k.board.Publish(ctx, c.id, say)
		} else {
			_, err = k.n.lookUp(ctx, k.board, c.id)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		now := time.Now()
		if c.tell {
			t.toldIt(text, begun, now, err == nil)
		} else {
			t.looked(now)
		}
		k.endedLocked(err, now)
		<-k.slots
		nudge(k.n.notices.wake)
	})
}

// endedLocked has everything wait for a while if no node of the DHT answers.
func (k *noticer) endedLocked(err error, now time.Time) {
	if !errors.Is(err, ErrAlone) {
		k.alone = 0
		return
	}
	if k.resume.After(now) {
		return // this one had begun before another failed
	}
	k.resume = now.Add(spread(doubling(aloneFirst, aloneLast, k.alone)))
	k.alone++
}

// lookUp looks for a device, has it tried where it is found, and tells at how
// many addresses.
func (n *Net) lookUp(ctx context.Context, b *rendezvous.Board, id peer.ID) (addrs int, err error) {
	err = b.Find(ctx, id, func(at []ma.Multiaddr) {
		addrs = len(at)
		n.learn(id, at)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrNothing) {
		n.log.Debug("device not looked for on the board", "device", id, "error", err)
	}
	return addrs, err
}
