package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/guard"
	"github.com/kithmesh/kith/node/membership"
	"github.com/kithmesh/kith/node/traffic"
	"github.com/kithmesh/kith/protocol"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/exchange"
)

// link is one connected peer: the stream on which this device tells it, the
// one on which it tells this device, and the streams for blocks.
type link struct {
	device *Device
	id     entry.DeviceID
	peer   peer.ID
	teller *exchange.Teller
	blocks *fetcher
	window *traffic.Window // of what it is asked for
	stop   context.CancelFunc
	done   <-chan struct{}

	mu       sync.Mutex
	met      bool                                              // it has answered a hello
	invited  bool                                              // it has said what it offers
	listener *exchange.Listener                                // nil while it does not tell
	turn     chan struct{}                                     // closed when listener has a successor, or the link ends
	retell   context.CancelCauseFunc                           // ends the stream on which it is told
	told     map[entry.FolderID]exchange.FolderState           // what it shares with us
	asks     []exchange.Ask                                    // to be told
	keys     map[entry.FolderID]map[entry.Epoch]membership.Key // of the folders in the last news
	answers  map[uint64]chan exchange.Answer                   // by nonce
	waiting  map[uint64]exchange.Ask                           // what is to be answered, by nonce
	nonce    uint64                                            // of the last ask
	away     time.Duration                                     // its clock, from this one
	contacts []exchange.Contact                                // what it tells of others
	trouble  error                                             // how the last attempt to talk ended, until it answers

	turns guard.Turns // of its vaults to be looked at
}

const (
	blockIdle     = 60 * time.Second
	openTimeout   = 15 * time.Second
	linkWait      = 5 * time.Second
	firstRedial   = 100 * time.Millisecond
	lastRedial    = 10 * time.Second
	clockFar      = 5 * time.Minute
	exchangeSlots = 2 // a stream of the last connection may linger
	blockSlots    = 32
	historySlots  = 8
)

// connect begins to talk with a peer that discovery has connected.
func (d *Device) connect(id peer.ID) {
	l := &link{
		device: d, id: entry.DeviceID(id.String()), peer: id,
		window: traffic.NewWindow(),
		told:   map[entry.FolderID]exchange.FolderState{}, answers: map[uint64]chan exchange.Answer{}, waiting: map[uint64]exchange.Ask{},
	}
	l.teller = exchange.NewTeller(book{l})
	l.blocks = newFetcher(func(ctx context.Context) (blocks.Stream, error) {
		return l.open(ctx, protocol.Blocks, blockIdle)
	})
	l.turn = make(chan struct{})
	d.mu.Lock()
	old := d.links[l.id]
	d.links[l.id] = l
	d.mu.Unlock()
	if old != nil {
		old.end()
	}
	l.stop, l.done = d.tasks.start(l.run)
	d.changed.tell()
}

// disconnect ends what connect began.
func (d *Device) disconnect(id entry.DeviceID) {
	d.mu.Lock()
	l := d.links[id]
	delete(d.links, id)
	d.mu.Unlock()
	if l != nil {
		l.end()
	}
	d.changed.tell()
}

func (d *Device) link(id entry.DeviceID) *link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.links[id]
}

// linkSoon waits a little for a link: a stream may come before discovery has
// reported its connection.
func (d *Device) linkSoon(ctx context.Context, id entry.DeviceID) *link {
	ctx, cancel := context.WithTimeout(ctx, linkWait)
	defer cancel()
	for {
		changed := d.changed.next()
		if l := d.link(id); l != nil {
			return l
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// end stops telling, and detaches the peer from all folders.
func (l *link) end() {
	l.stop()
	<-l.done
	l.blocks.Close()
	l.mu.Lock()
	listener := l.listener
	close(l.turn)
	l.turn = make(chan struct{})
	l.mu.Unlock()
	l.detachAll(listener)
}

// open opens a stream on the connection that discovery keeps.
func (l *link) open(ctx context.Context, id protocol.ID, idle time.Duration) (*traffic.Lane, error) {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "discovery dials"), openTimeout)
	defer cancel()
	raw, err := l.device.net.Host().NewStream(ctx, l.peer, id)
	if err != nil {
		return nil, err
	}
	return l.device.lane(raw.Conn(), l.device.server.Open(raw, idle)), nil
}

// run tells the peer, on one stream after the other for as long as it is
// connected.
func (l *link) run(ctx context.Context) error {
	wait := firstRedial
	for ctx.Err() == nil {
		began := time.Now()
		err := l.tell(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errRerouted) {
			continue
		}
		l.noteTrouble(err)
		if why := protocol.Explain(err); why != "" || errors.Is(err, exchange.ErrProtocol) {
			l.device.Log.Warn("cannot talk with a device", "device", l.id, "reason", why, "error", err)
		} else {
			l.device.Log.Debug("exchange ended", "device", l.id, "error", err)
		}
		if time.Since(began) > lastRedial {
			wait = firstRedial
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRedial)
	}
	l.setMet(false)
	return nil
}

func (l *link) tell(ctx context.Context) error {
	ctx, done := l.telling(ctx)
	defer done()
	s, err := l.open(ctx, protocol.Exchange, 0)
	if err != nil {
		return fmt.Errorf("open exchange: %w", err)
	}
	l.askAgain()
	err = l.teller.Run(ctx, s, l.device.hello())
	if errors.Is(context.Cause(ctx), errRerouted) {
		return errRerouted
	}
	l.setMet(false)
	return err
}

func (l *link) setMet(met bool) {
	l.mu.Lock()
	changed := l.met != met
	l.met = met
	if met {
		l.trouble = nil
	}
	l.mu.Unlock()
	if changed {
		l.device.news() // the others are told who is where
	}
}

// meets tells whether the peer has answered, so that it does count this device
// as paired.
func (l *link) meets() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.met
}

// tells tells whether the peer tells of a folder: it counts itself as a member.
func (l *link) tells(id entry.FolderID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.told[id]
	return ok
}

// clockAway is how far the peer's clock was ahead of this one when it was met.
func (l *link) clockAway() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away
}

// offersHeard tells whether the peer has said what it offers.
func (l *link) offersHeard() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.invited
}

func (d *Device) hello() exchange.Hello {
	return exchange.Hello{Name: d.Name(), Software: d.Software, Clock: version.ClockAt(time.Now())}
}

// listen is the handler of an exchange stream that a peer opened.
func (d *Device) listen(ctx context.Context, id entry.DeviceID, s *traffic.Lane) error {
	l := d.linkSoon(ctx, id)
	if l == nil {
		return protocol.ErrClosing // it tries again
	}
	ear := &ear{link: l, ctx: ctx}
	ear.listener = exchange.NewListener(ear, ear)
	l.hear(ear.listener)
	defer ear.end()
	defer l.awaitHeir(ctx, ear.listener)
	return ear.listener.Run(ctx, s, d.hello())
}

// attach makes a folder listen to the peer, if both have it and this device
// counts the peer as a member.
func (l *link) attach(ctx context.Context, id entry.FolderID) error {
	s := l.device.share(id)
	l.mu.Lock()
	told, ok := l.told[id]
	listener := l.listener
	l.mu.Unlock()
	if s == nil || !ok || listener == nil || l.device.isPausedFolder(id) || s.seeding.Load() {
		return nil
	}
	if _, member := s.member(l.id); !member {
		return nil
	}
	if err := s.attach(ctx, &seat{l, listener, s}, told); err != nil {
		return err
	}
	l.mu.Lock()
	gone := l.listener != listener
	l.mu.Unlock()
	if gone {
		return s.detachIf(ctx, l.id, seatOf(listener))
	}
	return nil
}

// detachAll takes the peer out of all folders that listen to it by this
// listener; nothing if another has taken its place.
func (l *link) detachAll(listener *exchange.Listener) {
	l.mu.Lock()
	if l.listener != listener {
		l.mu.Unlock()
		return
	}
	l.listener = nil
	told := l.told
	l.told = map[entry.FolderID]exchange.FolderState{}
	l.mu.Unlock()
	for id := range told {
		if s := l.device.share(id); s != nil {
			_ = s.detachIf(context.Background(), l.id, seatOf(listener))
		}
	}
}

// seatOf tells the members that are attached by a listener from others.
func seatOf(listener *exchange.Listener) func(*seat) bool {
	return func(s *seat) bool { return s.listener == listener }
}
