package rendezvous

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

// Board is this device's node on a DHT.
type Board struct {
	o       Options
	log     *slog.Logger
	key     ed25519.PrivateKey // of the device
	known   *nodes
	reach   *reach
	shelf   *shelf
	courier *courier
	host    host.Host
	swarm   *swarm.Swarm
	dht     *dht.IpfsDHT
	built   atomic.Bool // host and swarm are set

	wake  chan struct{} // something is to be tended
	tasks chan struct{} // has room for those at work
	entry chan struct{} // has room for the one who enters the DHT

	mu     sync.Mutex
	told   []peer.AddrInfo // nodes that were told of and not tried yet
	meet   time.Time       // when such ones may be tried again
	busy   time.Time       // when there was last something to do
	newest map[string]uint64
	health Health
}

// New makes a board and, in private mode, listens, on the default addresses if
// o.Listen is empty. It wraps [ErrMode], [ErrKey] or [ErrNode] if an option is
// none; else it fails if the files cannot be read or written, or if nothing can
// be listened on. It dials nothing: that begins with [Board.Run], or with the
// first thing that is asked of the board.
func New(o Options) (*Board, error) {
	quiet()
	key, err := o.check()
	if err != nil {
		return nil, fmt.Errorf("make the board: %w", err)
	}
	fixed, err := o.bootstrap()
	if err != nil {
		return nil, fmt.Errorf("make the board: %w", err)
	}
	identity, err := o.identity()
	if err != nil {
		return nil, fmt.Errorf("make the board: %w", err)
	}
	dir := o.Dir
	if o.Mode == Public {
		dir = ""
	}
	known, err := newNodes(dir, fixed)
	if err != nil {
		return nil, fmt.Errorf("make the board: %w", err)
	}
	b := &Board{
		o: o, log: o.logger(), key: key, known: known,
		reach:   &reach{mode: o.Mode, known: known, every: o.everywhere},
		shelf:   newShelf(maxShelf),
		courier: newCourier(),
		wake:    make(chan struct{}, 1),
		tasks:   make(chan struct{}, maxTasks),
		entry:   make(chan struct{}, 1),
		newest:  map[string]uint64{},
	}
	b.reach.look()
	if err := b.build(identity); err != nil {
		return nil, err
	}
	if err := b.listen(); err != nil {
		return nil, errors.Join(fmt.Errorf("make the board: %w", err), b.host.Close())
	}
	if err := b.takePart(); err != nil {
		return nil, errors.Join(err, b.host.Close())
	}
	return b, nil
}

// Run keeps this node in the DHT until ctx ends, and returns nil then: it enters
// when it is alone, meets nodes that it is told of, closes connections that are
// not in use, and keeps the nodes it knows. With nothing to do it sleeps.
func (b *Board) Run(ctx context.Context) error {
	retry, next := entryFirst, time.Now()
	for ctx.Err() == nil {
		wait := b.meetTold(ctx, time.Now())
		if quiet := b.thin(time.Now()); quiet >= 0 {
			wait = sooner(wait, quiet)
		}
		switch now := time.Now(); {
		case !b.alone():
			retry, next = entryFirst, now
		case len(b.known.all()) == 0:
		case now.Before(next): // however often something wakes this up
			wait = sooner(wait, next.Sub(now))
		case b.enter(ctx) != nil:
			pause := jittered(retry)
			retry, next = min(2*retry, entryLast), time.Now().Add(pause)
			wait = sooner(wait, pause)
		}
		b.learn()
		if b.settling(time.Now()) {
			wait = sooner(wait, settle) // then there is more to learn
		}
		b.rest(ctx, wait)
	}
	return nil
}

// rest waits for something to tend, at most for wait if that is not negative.
func (b *Board) rest(ctx context.Context, wait time.Duration) {
	var over <-chan time.Time
	if wait >= 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
	case <-b.wake:
	case <-over:
	}
}

// Close leaves the DHT. The board is of no use afterwards. Call it after Run has
// returned.
func (b *Board) Close() error {
	b.learn()
	if err := errors.Join(b.dht.Close(), b.host.Close()); err != nil {
		return fmt.Errorf("close the board: %w", err)
	}
	return nil
}

// Moved says that the network of this device has changed: connections are dead
// or will be, and are not waited for.
func (b *Board) Moved() {
	b.reach.look()
	for _, c := range b.swarm.Conns() {
		_ = c.Close() // it is dead, or made again when needed
	}
	nudge(b.wake)
}

// thin closes connections that nobody uses, and tells how long until it is to
// look again; a negative time has no end. Those that came in are for the other
// side to close, unless there are many.
func (b *Board) thin(now time.Time) time.Duration {
	b.mu.Lock()
	since := now.Sub(b.busy)
	b.mu.Unlock()
	conns := b.swarm.Conns()
	over := 0
	if len(conns) > manyConns {
		over = len(conns) - fewConns
	}
	idle := since >= idleAfter && len(b.tasks) == 0
	left := false
	for _, c := range conns {
		out := c.Stat().Direction == network.DirOutbound
		if len(c.GetStreams()) == 0 && (over > 0 || idle && out) && now.Sub(c.Stat().Opened) > time.Second {
			_ = c.Close()
			over--
			continue
		}
		left = left || out
	}
	if !left {
		return -1
	}
	return max(idleAfter-since, idleAfter/4)
}

// settling tells whether there has been something to do just now.
func (b *Board) settling(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return now.Sub(b.busy) < settle
}

// worked notes that there has been something to do.
func (b *Board) worked() {
	b.mu.Lock()
	b.busy = time.Now()
	b.mu.Unlock()
	nudge(b.wake)
}

// task does one thing with the DHT, when there are not too many at once, within
// a time.
func (b *Board) task(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case b.tasks <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer b.worked()
	defer func() { <-b.tasks }()
	err := b.ready(ctx)
	if err != nil && b.o.Mode == Public {
		return err
	}
	// A private node that can ask no other still has what others, whom it cannot
	// reach, have stored with it, and they find with it what it stores.
	done := do(ctx)
	// On another network, nodes that were known may all be out of reach.
	if err == nil && errors.Is(done, ErrAlone) && b.enter(ctx) == nil {
		done = do(ctx)
	}
	return done
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
