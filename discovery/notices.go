package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kithmesh/kith/discovery/rendezvous"
)

// BoardMode is which DHT the board is on.
type BoardMode = rendezvous.Mode

// The values of [BoardMode].
const (
	BoardPrivate = rendezvous.Private
	BoardPublic  = rendezvous.Public
)

// BoardHealth is how the board is.
type BoardHealth = rendezvous.Health

// BoardOptions say on which DHT paired devices are found; see
// [rendezvous.Options] for what each field means.
type BoardOptions struct {
	Mode      BoardMode
	Dir       string
	Bootstrap []string
	Listen    []string
}

// Errors of the board, for those who do not import package rendezvous.
var (
	ErrAlone   = rendezvous.ErrAlone
	ErrNothing = rendezvous.ErrNothing

	// ErrNoBoard is wrapped when the board is asked for and there is none: it
	// is not wanted, or could not be made.
	ErrNoBoard = errors.New("there is no board")
)

// notices are what this device tells of itself on the board, and reads there of
// others: what is published and looked up when. Without a board nothing is.
type notices struct {
	wake  chan struct{} // devices, addresses or nodes have changed
	met   chan struct{} // devices have come or gone
	moved atomic.Bool   // the network of this machine has changed
	made  chan struct{} // closed when there is a board, or never will be one

	mu    sync.Mutex
	board *rendezvous.Board
	err   error         // why there is none, though it was asked for
	fresh chan struct{} // closed when the own addresses have changed
}

func newNotices() *notices {
	return &notices{wake: make(chan struct{}, 1), met: make(chan struct{}, 1), made: make(chan struct{}), fresh: make(chan struct{})}
}

// keepBoard has a board and runs it, once and if that is wanted, until ctx ends.
// That it cannot be had is logged and told, and no reason to end.
func (n *Net) keepBoard(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-n.far.widened:
	}
	n.far.mu.Lock()
	wide := *n.far.wide
	n.far.mu.Unlock()
	if wide.Board == nil {
		n.notices.set(nil, nil)
		return nil
	}
	b, err := rendezvous.New(rendezvous.Options{
		Key: n.host.Peerstore().PrivKey(n.ID()), Mode: wide.Board.Mode, Dir: wide.Board.Dir,
		Bootstrap: wide.Board.Bootstrap, Listen: wide.Board.Listen, PortMapping: wide.PortMapping, Log: n.log,
	})
	n.notices.set(b, err)
	if err != nil {
		n.log.Warn("no board: devices are not found beyond the local network", "error", err)
		return nil
	}
	return n.runBoard(ctx, b)
}

func (n *Net) runBoard(ctx context.Context, b *rendezvous.Board) error {
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { n.serveTelling(ctx, b) })
	parts.Go(func() { n.keepNotices(ctx, b) })
	err := b.Run(ctx)
	cancel()
	parts.Wait()
	n.notices.retire()
	if err := errors.Join(err, b.Close()); err != nil {
		return fmt.Errorf("keep the board: %w", err)
	}
	return nil
}

func (s *notices) set(b *rendezvous.Board, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.board, s.err = b, err
	close(s.made)
}

// retire takes the board out of use, before it is closed.
func (s *notices) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.board, s.err = nil, ErrNoBoard
}

// board waits until it is known whether there is one. It wraps [ErrNoBoard] if
// there is none.
func (n *Net) useBoard(ctx context.Context) (*rendezvous.Board, error) {
	select {
	case <-n.far.widened:
	default:
		return nil, ErrNoBoard
	}
	select {
	case <-n.notices.made:
	case <-ctx.Done():
		return nil, fmt.Errorf("use the board: %w", ctx.Err())
	}
	n.notices.mu.Lock()
	defer n.notices.mu.Unlock()
	if n.notices.board == nil {
		return nil, errors.Join(ErrNoBoard, n.notices.err)
	}
	return n.notices.board, nil
}

// Board tells how the board is, and whether there is one.
func (n *Net) Board() (BoardHealth, bool) {
	n.notices.mu.Lock()
	b, err := n.notices.board, n.notices.err
	n.notices.mu.Unlock()
	if b == nil {
		if err != nil {
			return BoardHealth{Bootstrap: err.Error()}, false
		}
		return BoardHealth{}, false
	}
	return b.Health(), true
}

// LookUp looks for a trusted device on the board now, and has it tried at the
// addresses that it finds, of which it tells the number. With none there is no
// error. It wraps [ErrNoBoard] without a board, [ErrAlone] if no node of the DHT
// answers.
func (n *Net) LookUp(ctx context.Context, id peer.ID) (addrs int, err error) {
	b, err := n.useBoard(ctx)
	if err != nil {
		return 0, err
	}
	addrs, err = n.lookUp(ctx, b, id)
	if errors.Is(err, ErrNothing) && !errors.Is(err, ErrAlone) {
		err = nil
	}
	return addrs, err
}

// AnnouncePlate tells on the board, to all who know a number, that this device
// waits there and where it is, until ctx ends: again when it is elsewhere, and
// every half minute. It calls published when that has gone well, each time. It
// gives nil if it went well the last time, or why not: [ErrNoBoard], at once,
// [ErrAlone] if no node of the DHT answered.
func (n *Net) AnnouncePlate(ctx context.Context, plate uint32, published func()) error {
	b, err := n.useBoard(ctx)
	if err != nil {
		return err
	}
	for first := true; ; first = false {
		fresh := n.notices.elsewhere()
		again := plateEvery
		told := b.PublishPlate(ctx, plate, peer.AddrInfo{ID: n.ID(), Addrs: n.plateAddrs(b)})
		if told == nil {
			published()
			err = nil
		} else {
			again = plateRetry
			if first || ctx.Err() == nil {
				err = told
			}
		}
		t := time.NewTimer(again)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-fresh:
		case <-t.C:
		}
		t.Stop()
	}
}

// plateAddrs are the addresses on a plate: to a DHT of everybody's, nothing is
// told of the local network, as numbers can be guessed.
func (n *Net) plateAddrs(b *rendezvous.Board) []ma.Multiaddr {
	all := n.outside()
	if b.Health().Mode == BoardPublic {
		all = ma.FilterAddrs(all, func(a ma.Multiaddr) bool { return isCircuit(a) || manet.IsPublicAddr(a) })
	}
	return all
}

// FindPlate looks once for who waits at a number, and calls found for each: they
// have yet to prove who they are. It wraps [ErrNoBoard], [ErrAlone], or
// [ErrNothing] if nobody does.
func (n *Net) FindPlate(ctx context.Context, plate uint32, found func(peer.AddrInfo)) error {
	b, err := n.useBoard(ctx)
	if err != nil {
		return err
	}
	return b.FindPlate(ctx, plate, found)
}

// elsewhere gives a channel that is closed when the own addresses change.
func (s *notices) elsewhere() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fresh
}

func (s *notices) addrsChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.fresh)
	s.fresh = make(chan struct{})
}

const (
	plateEvery = 30 * time.Second // whoever overwrites a plate hides nobody for longer
	plateRetry = 3 * time.Second
)

// spread is a time within a quarter of d either way.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2))
}
