package discovery

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// device is a trusted device and the state of its connections. Its fields are
// guarded by the mutex of the [Net], but for the channels.
type device struct {
	id     peer.ID
	larger bool          // than the ID of this device
	wake   chan struct{} // something has changed
	gone   chan struct{} // closed when it is no longer trusted
	kept   bool          // a keeper has been started for it
	guest  bool          // not looked for, and forgotten where it was; see Net.Admit

	book  book
	links []*link
	up    bool // reported as connected

	failures int
	nextDial time.Time
	lostAt   time.Time // when it was last connected, or first trusted
	newsAt   time.Time // when the local network last reset the back-off
	fresh    bool      // there are new addresses since the dial began
	tcpOnly  bool      // the next dial leaves QUIC out
	insisted time.Time // when tcpOnly was last set
	crowded  time.Time
	shown    *link   // whose route was last reported
	lastBy   peer.ID // whose relay was in between on the connection that went last, if any

	hops      bool          // it relays for others
	serves    bool          // and is connected directly, so that it does for this device
	line      chan struct{} // held by who dials it
	yield     int           // who wants the line: a dial that goes on ends
	calm      int           // dials for which QUIC is wanted; see Net.insistOnTCP
	far       bool          // it was last connected by a relay, or punched
	punching  int           // connections that are made now are punched
	punches   int           // in a row that led to nothing
	punchErr  error         // of the last
	nextPunch time.Time

	calledAt  time.Time // when it was last called back
	dialledAt time.Time // when this device last sent anything there of itself

	failure  error // of the last dial that failed, until one is good
	failedAt time.Time
}

// link is one connection with a trusted device.
type link struct {
	conn      network.Conn
	transport Transport
	via       Via
	bySmaller bool // the device with the smaller ID dialled
	opened    time.Time
	confirmed bool      // the other side has answered on it
	asked     time.Time // when a sign of life was last asked for
	relay     peer.ID   // in between, if any
	punched   bool
	spent     time.Time // since when a direct one has taken its place
}

func newDevice(id peer.ID, now time.Time, larger bool) *device {
	d := &device{id: id, larger: larger, wake: make(chan struct{}, 1), gone: make(chan struct{}), line: make(chan struct{}, 1), lostAt: now}
	d.dialSoon(now)
	return d
}

func newLink(c network.Conn, now time.Time, local func(ma.Multiaddr) bool) *link {
	l := &link{conn: c, transport: QUIC, via: ViaDirect, opened: now, asked: now}
	if isTCP(c.RemoteMultiaddr()) {
		l.transport = TCP
	}
	relay, relayed := relayOf(c.RemoteMultiaddr())
	switch {
	case relayed:
		l.via, l.relay = ViaRelay, relay
	case local(c.RemoteMultiaddr()):
		l.via = ViaLAN
	}
	inbound := c.Stat().Direction == network.DirInbound
	l.bySmaller = (c.LocalPeer() < c.RemotePeer()) != inbound
	return l
}

func (l *link) route() Route {
	return Route{
		Via:       l.via,
		Transport: l.transport,
		Addr:      l.conn.RemoteMultiaddr().String(),
		Relay:     l.relay,
		Punched:   l.punched,
		Inbound:   l.conn.Stat().Direction == network.DirInbound,
		Since:     l.opened,
	}
}

// dialSoon plans a dial for now, or for a moment later if the other side is the
// one to go first.
func (d *device) dialSoon(now time.Time) {
	d.failures = 0
	d.nextDial = now
	if !d.larger {
		d.nextDial = now.Add(stagger)
	}
	nudge(d.wake)
}

// failed plans the next dial after one that led to nothing.
func (d *device) failed(now time.Time) {
	d.failures++
	wait := pause(d.failures, now.Sub(d.lostAt), rand.Float64())
	if len(d.links) > 0 {
		wait = calmPause(d.failures, rand.Float64())
	}
	d.nextDial = now.Add(wait)
}

// news is told when there are addresses that have not been tried.
func (d *device) news(now time.Time) {
	d.fresh = true
	if !d.direct() {
		d.dialSoon(now)
	}
}

// heard is a sign of the device on the local network, maybe with new addresses.
// Anybody can make one, so it counts once a second at most.
func (d *device) heard(now time.Time, fresh bool) {
	if d.direct() || now.Sub(d.newsAt) < newsPause {
		return
	}
	d.newsAt = now
	if fresh {
		d.news(now)
		return
	}
	d.dialSoon(now) // but leave an attempt alone that is under way
}

// attach takes in a new connection.
func (d *device) attach(l *link, now time.Time) {
	d.links = append(d.links, l)
	if len(d.links) == 1 {
		d.nextPunch = now
		if !d.far {
			d.nextPunch = now.Add(punchAfter) // it may be next door
		}
	}
	if len(d.links) > 1 {
		d.crowded = now
	}
	nudge(d.wake)
}

// detach drops a connection that is closed, and tells whether it was the last
// of a device that had been reported.
func (d *device) detach(c network.Conn, now time.Time) (down bool) {
	for i, l := range d.links {
		if l.conn != c {
			continue
		}
		d.links = append(d.links[:i:i], d.links[i+1:]...)
		if l.confirmed && !d.guest {
			d.lastBy = l.relay
		}
		if d.direct() || len(d.links) > 0 && l.via == ViaRelay {
			return false
		}
		d.far = l.via == ViaRelay || l.punched
		if len(d.links) == 0 && d.guest && l.confirmed {
			d.book = book{}
		}
		if l.confirmed && now.Sub(l.opened) >= lasted {
			d.lostAt = now
			d.dialSoon(now)
		} else {
			d.failed(now)
			if !l.confirmed && c.Stat().Direction == network.DirOutbound {
				d.failure, d.failedAt = errTurnedAway, now
			}
		}
		nudge(d.wake)
		if len(d.links) > 0 {
			return false // by a relay, meanwhile
		}
		down, d.up = d.up, false
		return down
	}
	return false
}

// confirm notes that a connection is good, and tells whether the device is now
// to be reported.
func (d *device) confirm(c network.Conn) (up bool) {
	for _, l := range d.links {
		if l.conn == c {
			l.confirmed = true
			up, d.up = !d.up, true
			d.failure = nil
		}
	}
	return up
}

// direct tells whether there is a connection with nobody in between.
func (d *device) direct() bool {
	return slices.ContainsFunc(d.links, func(l *link) bool { return l.via != ViaRelay })
}

// punchedAt tells whether a connection has been punched through NATs.
func (d *device) punchedAt(c network.Conn) bool {
	return slices.ContainsFunc(d.links, func(l *link) bool { return l.conn == c && l.punched })
}

// position is what decides the next move.
func (d *device) position(now time.Time) position {
	return position{
		now:      now,
		links:    d.links,
		known:    len(d.book.all(now)) > 0,
		judge:    d.larger,
		nextDial: d.nextDial,
		crowded:  d.crowded,
		yield:    d.yield > 0,
		punch:    d.nextPunch,
	}
}
