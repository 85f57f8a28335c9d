package discovery

import (
	"slices"
	"time"
)

const (
	// stagger is how long the device with the larger ID waits before it
	// dials, so that two that learn of each other at once make one connection.
	stagger = 150 * time.Millisecond

	firstRetry = 250 * time.Millisecond
	nearRetry  = 3 * time.Second  // the longest pause while somebody may be back any moment
	farRetry   = 30 * time.Second // the longest pause ever

	// lasted is how long a connection has to live to be no failure: one that
	// the other side refuses is made and dies a moment later.
	lasted = 10 * time.Second

	// burst is how far apart connections can be that were dialled at the same
	// time. Nobody dials while connected, so one that is older still than
	// another is dead, and the other side knows.
	burst = 5 * time.Second

	grace      = 200 * time.Millisecond // before a superfluous connection is closed
	confirmBy  = 6 * time.Second        // when an open connection counts though identify said nothing
	pulseEvery = 4 * time.Second        // on QUIC
	pulseWait  = 10 * time.Second       // for the answer
	doubtWait  = 2 * time.Second        // for it where there is much reason for doubt

	// What goes on beside a relayed connection, for a direct one.
	calmFirst  = time.Second
	calmLast   = 5 * time.Minute
	drainEvery = 250 * time.Millisecond // how often it is looked whether a relay is needed still
	drainFor   = time.Minute            // and when that no longer matters

	tcpProof   = 2 * time.Second  // for TCP to show that it works where QUIC does
	tcpInsists = 30 * time.Second // between two times that QUIC is turned down for it

	spreadStep = 250 * time.Millisecond // for eight devices more to be dialled at once

	newsPause = time.Second // between two resets of the back-off by the local network
)

// move is what a keeper does next.
type move uint8

const (
	rest    move = iota // wait for news
	dial                // try to connect
	confirm             // count unconfirmed connections as good
	prune               // close superfluous connections
	punch               // open a way through NATs, together with the other side
	drain               // close relayed connections that nobody uses any more
	pulse               // ask for a sign of life
)

// position is all that the decision of a keeper rests on.
type position struct {
	now      time.Time
	links    []*link
	known    bool      // there are addresses to try
	judge    bool      // this side closes superfluous connections
	nextDial time.Time // no earlier
	crowded  time.Time // since when there is more than one link
	yield    bool      // somebody else is to dial
	punches  bool      // this side begins to open a way through NATs
	punch    time.Time // and no earlier than this
}

// decide says what to do now, or else how long to rest; a negative rest has no
// end but news.
func decide(p position) (move, time.Duration) {
	wait := time.Duration(-1)
	due := func(at time.Time) bool {
		d := at.Sub(p.now)
		if d <= 0 {
			return true
		}
		if wait < 0 || d < wait {
			wait = d
		}
		return false
	}
	direct := slices.ContainsFunc(p.links, func(l *link) bool { return l.via != ViaRelay })
	if !direct && p.known && !p.yield && due(p.nextDial) {
		return dial, 0
	}
	if len(p.links) == 0 {
		return rest, wait
	}
	for _, l := range p.links {
		if !l.confirmed && due(l.opened.Add(confirmBy)) {
			return confirm, 0
		}
	}
	if len(superfluous(p.links, p.judge)) > 0 && due(p.crowded.Add(grace)) {
		return prune, 0
	}
	if p.punches && !p.yield && punchable(p.links) && due(p.punch) {
		return punch, 0
	}
	for _, l := range p.links {
		if !l.spent.IsZero() && due(l.asked.Add(drainEvery)) {
			return drain, 0
		}
	}
	for _, l := range p.links {
		if l.transport == QUIC && l.via != ViaRelay && due(l.asked.Add(pulseEvery)) {
			return pulse, 0
		}
	}
	return rest, wait
}

// pause is how long to wait after so many failures in a row, of a device that
// has been gone for a time: 0.25 s and then twice as long each time, but no
// longer than a twentieth of its absence, within 3 and 30 s. random, within 0
// and 1, spreads it by a quarter either way.
func pause(failures int, gone time.Duration, random float64) time.Duration {
	limit := min(max(gone/20, nearRetry), farRetry)
	d := limit
	if failures < 16 {
		d = min(limit, firstRetry<<max(0, failures-1))
	}
	return time.Duration(float64(d) * (0.75 + random/2))
}

// calmPause is how long to wait after so many failures to find something better
// than the relay that serves meanwhile: 1 s and then twice as long each time,
// up to 5 min, spread by a quarter either way.
func calmPause(failures int, random float64) time.Duration {
	d := calmLast
	if failures < 16 {
		d = min(calmLast, calmFirst<<max(0, failures-1))
	}
	return time.Duration(float64(d) * (0.75 + random/2))
}

// punchable tells whether there are good connections, all by relays.
func punchable(links []*link) bool {
	good := false
	for _, l := range links {
		if l.via != ViaRelay {
			return false
		}
		good = good || l.confirmed
	}
	return good
}

// superfluous picks the connections to close. Direct ones and relayed ones are
// seen apart: while there is a direct one, the relayed ones are drained instead.
func superfluous(links []*link, judge bool) []*link {
	var direct, relayed []*link
	good := false
	for _, l := range links {
		if l.via == ViaRelay {
			relayed = append(relayed, l)
			continue
		}
		direct = append(direct, l)
		good = good || l.confirmed
	}
	out := doubled(direct, judge)
	if !good {
		out = append(out, doubled(relayed, judge)...)
	}
	return out
}

// doubled picks the connections to close of one kind. What has been replaced is closed
// by either side; of those that were dialled at once, one side closes, the
// judge, so that the two cannot each close what the other keeps.
func doubled(links []*link, judge bool) []*link {
	if len(links) < 2 {
		return nil
	}
	var newest time.Time
	for _, l := range links {
		if l.confirmed && l.opened.After(newest) {
			newest = l.opened
		}
	}
	var out, rest []*link
	for _, l := range links {
		if l.opened.Before(newest.Add(-burst)) {
			out = append(out, l)
		} else {
			rest = append(rest, l)
		}
	}
	if keep := best(unreplaced(rest)); judge {
		for _, l := range rest {
			if l != keep {
				out = append(out, l)
			}
		}
	}
	return out
}

// unreplaced leaves out those in whose place the same side has made another that
// is good: it does not dial while it has one.
func unreplaced(links []*link) []*link {
	var out []*link
	for _, l := range links {
		if !slices.ContainsFunc(links, func(o *link) bool {
			return o.confirmed && o.bySmaller == l.bySmaller && o.opened.After(l.opened)
		}) {
			out = append(out, l)
		}
	}
	return out
}

// better tells whether a is to be kept rather than b, of two that were dialled
// at the same time: a direct one rather than a relayed one, TCP rather than QUIC, the local network rather than others,
// what the device with the smaller ID dialled, and then the older.
func better(a, b *link) bool {
	if (a.via == ViaRelay) != (b.via == ViaRelay) {
		return b.via == ViaRelay
	}
	if a.transport != b.transport {
		return a.transport == TCP
	}
	if a.via != b.via {
		return a.via == ViaLAN
	}
	if a.bySmaller != b.bySmaller {
		return a.bySmaller
	}
	return a.opened.Before(b.opened)
}

// best is the connection to keep, nil if there is none. One that has answered
// comes before one that has not.
func best(links []*link) *link {
	var out *link
	for _, l := range links {
		switch {
		case out == nil, l.confirmed && !out.confirmed:
			out = l
		case l.confirmed == out.confirmed && better(l, out):
			out = l
		}
	}
	return out
}
