package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/protocol/pair"
)

// How a device that shows a code is searched for.
const (
	searchTime    = 20 * time.Second // on the local network
	farSearchTime = 90 * time.Second // beyond it too: a DHT is slow
	lanFirst      = 2 * time.Second  // before the DHT is asked
	lookAgain     = 3 * time.Second  // between two looks at the DHT
	reachedAtOnce = 4                // devices that are being connected with
	maxCandidates = 16               // devices tried of what one search finds
	maxTold       = 8                // addresses tried of what is told of one
)

// search is a place to look for devices that show a code.
type search struct {
	after time.Duration // so long after the others
	// find tells of what it finds until ctx ends, or there is nothing more to
	// be found. None of it is verified.
	find func(ctx context.Context, found func(peer.AddrInfo)) error
	// believes tells which addresses are worth a try.
	believes func(multiaddr.Multiaddr) bool
}

// enterFound finds the device that shows a code: on the local network, and for
// a long number beyond it, if that is allowed.
func (d *Device) enterFound(ctx context.Context, c pair.Code) (control.Paired, error) {
	mode := d.discovery()
	t := newTrial(d, c.Secret(), searchTime)
	searches := []search{d.searchLAN(c.Plate())}
	if c.Plate().Reach() == pair.Far && mode != config.DiscoveryOff {
		searches = append(searches, d.searchBoard(c.Plate(), mode))
		t.lasting = farSearchTime
	}
	p, err := t.run(ctx, searches)
	if errors.Is(err, errNobody) {
		err = offSearch(c.Plate(), mode, t)
	}
	return p, err
}

func (d *Device) searchLAN(plate pair.Plate) search {
	return search{
		find: func(ctx context.Context, found func(peer.AddrInfo)) error {
			return d.net.FindPairing(ctx, int(plate), found)
		},
		believes: func(multiaddr.Multiaddr) bool { return true }, // discovery has seen to it
	}
}

// searchBoard looks on the DHT, where anybody can write: on the public one only
// public addresses count, or else strangers could have this device knock at
// doors in its own network.
func (d *Device) searchBoard(plate pair.Plate, mode config.Discovery) search {
	return search{
		after: lanFirst,
		find: func(ctx context.Context, found func(peer.AddrInfo)) error {
			return again(ctx, func() error { return d.net.FindPlate(ctx, uint32(plate), found) })
		},
		believes: func(a multiaddr.Multiaddr) bool { return mode == config.DiscoveryPrivate || isRelayed(a) || !local(a) },
	}
}

// again looks again and again until ctx ends: what is looked for may only just
// be coming. It returns how the last look ended.
func again(ctx context.Context, look func() error) error {
	for {
		err := look()
		pause := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
			pause.Stop()
			return err
		case <-pause.C:
		}
	}
}

// trial tries one secret on the devices that searches find. Several are
// connected with at a time, but only one is spoken to: a device that shows a
// code spends it when it is spoken to, and the secret can be proven once.
type trial struct {
	device   *Device
	secret   *pair.Secret
	lasting  time.Duration
	asking   time.Duration // for a device to get to the proof
	reaching chan struct{}
	talking  sync.Mutex

	mu     sync.Mutex
	seen   map[string]bool
	turns  map[peer.ID]chan struct{} // one attempt at a device at a time
	tried  []error                   // what came of each device that was tried
	ended  []error                   // how the searches ended
	paired control.Paired
	done   bool
	wrong  error // of the one proof, if it did not hold
}

func newTrial(d *Device, s *pair.Secret, lasting time.Duration) *trial {
	return &trial{
		device: d, secret: s, reaching: make(chan struct{}, reachedAtOnce), lasting: lasting, asking: askingWait,
		seen: map[string]bool{}, turns: map[peer.ID]chan struct{}{},
	}
}

// run searches until one device has taken the secret or the secret is spent.
func (t *trial) run(ctx context.Context, searches []search) (control.Paired, error) {
	stop, over := t.device.tasks.start(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, t.lasting)
		defer cancel()
		var all sync.WaitGroup
		for _, s := range searches {
			all.Go(func() { t.search(ctx, cancel, s, &all) })
		}
		all.Wait()
		return nil
	})
	unhook := context.AfterFunc(ctx, stop)
	defer unhook()
	<-over
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.done:
		return t.paired, nil
	case t.wrong != nil:
		return control.Paired{}, t.wrong
	case ctx.Err() != nil:
		return control.Paired{}, ctx.Err()
	}
	return control.Paired{}, errNobody
}

func (t *trial) search(ctx context.Context, stop func(), s search, all *sync.WaitGroup) {
	head := time.NewTimer(s.after)
	defer head.Stop()
	select {
	case <-head.C:
	case <-ctx.Done():
		return
	}
	candidates := 0
	err := s.find(ctx, func(i peer.AddrInfo) {
		k := known{id: i.ID}
		for _, a := range i.Addrs {
			if bare := placeOf(a); bare != nil && s.believes(bare) && len(k.addrs) < maxTold {
				k.addrs = append(k.addrs, bare)
			}
		}
		t.mu.Lock()
		isNew := len(k.addrs) > 0 && candidates < maxCandidates && t.isNew(k)
		if isNew {
			candidates++
		}
		t.mu.Unlock()
		if isNew && ctx.Err() == nil {
			all.Go(func() { t.try(ctx, stop, k) })
		}
	})
	if err != nil {
		t.mu.Lock()
		t.ended = append(t.ended, err)
		t.mu.Unlock()
	}
}

// isNew tells whether nothing of the kind has been tried.
func (t *trial) isNew(k known) bool {
	key := string(k.id) + fmt.Sprint(k.texts())
	if t.seen[key] {
		return false
	}
	t.seen[key] = true
	return true
}

// turn is held while a device is tried.
func (t *trial) turn(id peer.ID) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turns[id] == nil {
		t.turns[id] = make(chan struct{}, 1)
	}
	return t.turns[id]
}

// taken takes a place if there is one before ctx ends.
func taken(ctx context.Context, places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// try connects with a device, and asks it when it is its turn.
func (t *trial) try(ctx context.Context, stop func(), k known) {
	turn := t.turn(k.id)
	if !taken(ctx, turn) {
		return
	}
	defer func() { <-turn }()
	if !taken(ctx, t.reaching) {
		return
	}
	s, release, err := t.device.approach(ctx, k)
	<-t.reaching
	if err != nil {
		t.note(ctx, err)
		return
	}
	defer release()
	t.talking.Lock()
	defer t.talking.Unlock()
	if ctx.Err() != nil {
		_ = s.Reset()
		return
	}
	idle := time.AfterFunc(t.asking, func() {
		if !t.secret.Spent() {
			_ = s.Reset()
		}
	})
	defer idle.Stop()
	// What is begun is brought to its end: stop is for the others.
	p, err := t.device.converse(context.WithoutCancel(ctx), s, t.secret, k)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.paired, t.done = p, true
	case t.secret.Spent():
		t.wrong = err
	default:
		t.tried = append(t.tried, err)
		return
	}
	stop()
}

func (t *trial) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tried = append(t.tried, err)
}
