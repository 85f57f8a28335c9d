package discovery

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	msmux "github.com/multiformats/go-multistream"
)

// How long an examination waits.
const (
	tryFor    = 5 * time.Second         // for an answer at one address
	listenFor = 2500 * time.Millisecond // for answers on the local network: two questions and the time to answer them
	rttFor    = 2 * time.Second         // for a sign of life that is measured
)

// Place is where an address lies, seen from this machine.
type Place string

// The places.
const (
	PlaceHere   Place = "here"   // on this machine
	PlaceNear   Place = "near"   // on a network of this machine
	PlaceAway   Place = "away"   // a private address of some network of which this machine is no part
	PlacePublic Place = "public" // anywhere
	PlaceRelay  Place = "relay"  // behind another device
)

// Attempt is one address of a device, and what came of it.
type Attempt struct {
	Addr      string // a multiaddr
	Transport Transport
	Place     Place
	Relay     peer.ID // with PlaceRelay
	Outcome   Outcome
	Other     peer.ID // who answers instead, with OtherDevice
	Took      time.Duration
}

// Whereabouts is what this device knows of where another one is.
type Whereabouts struct {
	Lasting   []string  // addresses that it is known by
	Heard     []string  // those that the local network told of lately
	LastHeard time.Time // by the local network; zero for not lately

	Relay  peer.ID // whose relay its last connection came by, since this device runs; empty if none did, or while it is connected
	Relays bool    // and that one relays for this device now
}

// Whereabouts tells what is known of where a trusted device is.
func (n *Net) Whereabouts(id peer.ID) Whereabouts {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.devices[id]
	if d == nil {
		return Whereabouts{}
	}
	w := Whereabouts{Lasting: texts(d.book.lasting())}
	if !d.up && d.lastBy != "" {
		relay := n.devices[d.lastBy]
		w.Relay, w.Relays = d.lastBy, relay != nil && relay.hops && relay.berthConn() != nil
	}
	now := time.Now()
	for _, h := range d.book.lan {
		if h.until.Before(now) {
			continue
		}
		w.Heard = append(w.Heard, h.addr.String())
		if at := h.until.Add(-heardFor); at.After(w.LastHeard) {
			w.LastHeard = at
		}
	}
	return w
}

// TryEach tries each address of a trusted device once, and each relay that may
// lead to it, all at the same time, and tells of each as soon as it is known, one at a time. It takes 5 seconds
// at most. It makes no connection that stays; where the device answered, one is
// made soon after. What the settings forbid to dial is not dialled.
func (n *Net) TryEach(ctx context.Context, id peer.ID, tell func(Attempt)) {
	n.mu.Lock()
	d := n.devices[id]
	if d == nil {
		n.mu.Unlock()
		return
	}
	addrs := ma.Unique(append(d.book.all(time.Now()), n.gate.askedOf(id)...))
	if n.gate.beyond.Load() {
		for _, relay := range n.relaysLocked(id) {
			addrs = append(addrs, circuit(relay))
		}
	}
	d.calm++ // QUIC is to be told of though TCP works too
	n.mu.Unlock()
	results := make(chan Attempt, len(addrs))
	for _, a := range addrs {
		go func() { results <- n.tryAddr(ctx, id, a) }()
	}
	answered := false
	for range addrs {
		a := <-results
		answered = answered || a.Outcome == Answers
		tell(a)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	d.calm--
	if answered {
		d.news(time.Now())
	}
}

// tryAddr tries one address.
func (n *Net) tryAddr(ctx context.Context, id peer.ID, addr ma.Multiaddr) Attempt {
	out := n.attemptAt(addr)
	t := n.swarm.TransportForDialing(addr)
	if t == nil || !n.gate.InterceptAddrDial(id, addr) {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	began := time.Now()
	c, err := t.Dial(ctx, addr, id)
	if err != nil {
		out.Outcome, out.Other = outcomeOf(err)
		if out.Relay != "" {
			out.Outcome = relayed(err)
		}
	} else {
		out.Outcome = reception(ctx, c)
		_ = c.Close()
	}
	out.Took = time.Since(began)
	return out
}

func (n *Net) attemptAt(addr ma.Multiaddr) Attempt {
	out := Attempt{Addr: addr.String(), Transport: QUIC, Place: n.place(addr), Outcome: NotTried}
	if isTCP(addr) {
		out.Transport = TCP
	}
	out.Relay, _ = relayOf(addr)
	return out
}

// reception tells whether the device at the other end of a new connection takes
// this one in. One that does not closes it, which is not known before the first
// word, or lets it in as a stranger, who may not ask for a sign of life.
func reception(ctx context.Context, c transport.CapableConn) Outcome {
	s, err := c.OpenStream(ctx)
	if err != nil {
		return TurnedAway
	}
	defer func() { _ = s.Reset() }()
	if until, ok := ctx.Deadline(); ok {
		_ = s.SetDeadline(until)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	switch err := msmux.SelectProtoOrFail(pulseID, s); {
	case err == nil:
		return Answers
	case timedOut(err) || ctx.Err() != nil:
		return TimedOut
	}
	return TurnedAway
}

// place tells where an address lies.
func (n *Net) place(a ma.Multiaddr) Place {
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return PlaceRelay
	}
	ip, ok := ipOf(a)
	here := n.here.Load()
	for _, own := range here.addrs {
		if mine, is := ipOf(own); is && ok && mine == ip {
			return PlaceHere
		}
	}
	switch distance(a, here.prefixes) {
	case 0:
		return PlaceHere
	case 1:
		return PlaceNear
	}
	if n.onLink(a) {
		return PlaceNear
	}
	if manet.IsPrivateAddr(a) {
		return PlaceAway
	}
	return PlacePublic
}

// LAN is how this machine stands in its local networks.
type LAN struct {
	Networks []netip.Prefix // of which it is a part, without loopback
	MDNS     bool           // it looks for devices there
	Joined   bool           // it can speak to all on some network
	Failure  error          // why it cannot; nil for having no such network
	Own      int            // packets of its own that it heard
	Others   []netip.Addr   // other machines that it heard, 64 at most
}

// Networks are those of which this machine is a part now, without loopback.
func (n *Net) Networks() (out []netip.Prefix) {
	n.look()
	for _, p := range n.here.Load().prefixes {
		if !p.Addr().IsLoopback() {
			out = append(out, p)
		}
	}
	return out
}

// ExamineLAN asks everybody on the local network to say something and listens
// for 2.5 seconds, or until enough tells it that it knows what it wants to. It
// works while [Net.Run] runs.
func (n *Net) ExamineLAN(ctx context.Context, enough func(LAN) bool) LAN {
	out := LAN{Networks: n.Networks()}
	if n.speech == nil {
		return out
	}
	out.MDNS = true
	ear := n.speech.Overhear(service)
	defer ear.Stop()
	n.seek()
	over := time.NewTimer(listenFor)
	defer over.Stop()
	for {
		h := ear.Heard()
		out.Joined, out.Failure, out.Own, out.Others = h.Joined, h.Failure, h.Own, h.Others
		if enough(out) {
			return out
		}
		select {
		case <-ear.News():
		case <-over.C:
			return out
		case <-ctx.Done():
			return out
		}
	}
}

// RoundTrips measures the way there and back to all connected devices, at the
// same time; those that do not answer within 2 seconds are left out.
func (n *Net) RoundTrips(ctx context.Context) map[peer.ID]time.Duration {
	conns := map[peer.ID]network.Conn{}
	n.mu.Lock()
	for id, d := range n.devices {
		if l := best(d.links); l != nil && d.up {
			conns[id] = l.conn
		}
	}
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, rttFor)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	out := map[peer.ID]time.Duration{}
	for id, c := range conns {
		all.Go(func() {
			began := time.Now()
			if !alive(ctx, c) {
				return
			}
			took := time.Since(began)
			mu.Lock()
			out[id] = took
			mu.Unlock()
		})
	}
	all.Wait()
	return out
}
