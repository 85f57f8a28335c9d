package folder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/exchange"
)

// simConn is a connection of two devices: a line each way.
type simConn struct {
	w      *simWorld
	ends   [2]*simDevice
	lives  [2]int // of the devices, when it was made
	lines  [2]*simLine
	closed bool
	// old: another has taken its place, and it only has to end.
	old bool
}

// simLine is what one device tells another, and what that replies: it does
// what package exchange does between a Book and an Ear. To the listener it is
// the member that tells.
type simLine struct {
	conn     *simConn
	from, to *simDevice
	life     [2]int // of from and to
	told     exchange.FolderState
	said     bool // told holds something
	at       *simProgress
	waking   bool
	start    *exchange.Start // to be said by the listener
	ack      *exchange.Ack
	saying   bool
	arrival  [2]int64 // of the last message, there and back
	past     []exchange.Batch
}

// simProgress is how far a line is.
type simProgress struct {
	index   uint64
	through entry.Sequence
}

// connect connects two devices that are up. There may be a connection already:
// its end is noticed later.
func (w *simWorld) connect(a, b *simDevice) {
	if a == b || !a.up() || !b.up() {
		return
	}
	w.note(a.name, "is connected with %s", b.name)
	c := &simConn{w: w, ends: [2]*simDevice{a, b}, lives: [2]int{a.life, b.life}}
	for i, l := range []*simLine{{from: a, to: b}, {from: b, to: a}} {
		l.conn, l.life = c, [2]int{l.from.life, l.to.life}
		c.lines[i] = l
	}
	for _, old := range w.conns {
		if !old.closed && (old.ends == c.ends || old.ends == [2]*simDevice{b, a}) {
			old.old = true
			w.after(w.short(3*time.Second), "superseded", old.close)
		}
	}
	w.conns = append(w.conns, c)
	for _, l := range c.lines {
		l.wake()
	}
}

// close ends a connection. Each end notices in its own time.
func (c *simConn) close() {
	if c.closed {
		return
	}
	c.closed = true
	c.w.note(c.ends[0].name, "is cut off from %s", c.ends[1].name)
	for i, other := range c.w.conns {
		if other == c {
			c.w.conns = append(c.w.conns[:i:i], c.w.conns[i+1:]...)
			break
		}
	}
	for _, l := range c.lines {
		c.w.after(c.w.short(time.Second), "detach", func() {
			if l.to.life == l.life[1] && l.to.up() {
				_ = l.to.folder.DetachIf(context.Background(), l.from.id, func(m Member) bool { return m == Member(l) })
			}
		})
	}
}

// cut ends all connections of two devices.
func (w *simWorld) cut(a, b *simDevice) {
	for _, c := range append([]*simConn(nil), w.conns...) {
		if c.ends == [2]*simDevice{a, b} || c.ends == [2]*simDevice{b, a} {
			c.close()
		}
	}
}

func (w *simWorld) connected(a, b *simDevice) bool {
	for _, c := range w.conns {
		if !c.old && (c.ends == [2]*simDevice{a, b} || c.ends == [2]*simDevice{b, a}) {
			return true
		}
	}
	return false
}

// linked connects a device that has come up, if links are as they should be.
func (w *simWorld) linked(d *simDevice) {
	if !w.calm {
		return
	}
	for _, o := range w.devices {
		if o != d && o.up() && !w.connected(d, o) {
			w.connect(d, o)
		}
	}
}

// unlinked ends all connections of a device that went down.
func (w *simWorld) unlinked(d *simDevice) {
	for _, c := range append([]*simConn(nil), w.conns...) {
		if c.ends[0] == d || c.ends[1] == d {
			c.close()
		}
	}
}

// news has all lines of a device tell what there is to tell.
func (w *simWorld) news(d *simDevice) {
	for _, c := range w.conns {
		for _, l := range c.lines {
			if l.from == d {
				l.wake()
			}
		}
	}
}

// alive tells whether both ends are what they were.
func (l *simLine) alive() bool {
	return !l.conn.closed && l.from.up() && l.to.up() && l.from.life == l.life[0] && l.to.life == l.life[1]
}

// send has something arrive at the other end, in order.
func (l *simLine) send(there bool, what string, about func() string, do func() error) {
	way, i := [2]*simDevice{l.from, l.to}, 0
	if !there {
		way, i = [2]*simDevice{l.to, l.from}, 1
	}
	w := l.conn.w
	arrive := func() {
		if !l.alive() || !there && l.conn.old {
			return
		}
		var err error
		way[1].protect(func() { err = do() })
		if err != nil && l.alive() {
			w.note(way[1].name, "gives up the stream from %s: %v", way[0].name, err)
			l.conn.close()
			w.after(w.short(2*time.Second), "again", func() {
				if !w.connected(l.from, l.to) {
					w.connect(l.from, l.to)
				}
			})
		}
	}
	if *simAll {
		w.note(way[0].name, "    sends %s to %s: %s", what, way[1].name, about())
	}
	deliver := func() {
		l.arrival[i] = max(w.now+int64(w.short(20*time.Millisecond)), l.arrival[i]+1)
		w.after(time.Duration(l.arrival[i]-w.now), what, arrive)
	}
	if w.stalled[way] && !w.calm {
		w.waiting[way] = append(w.waiting[way], deliver)
		return
	}
	deliver()
}

// stall keeps what one device sends another from arriving.
func (w *simWorld) stall(a, b *simDevice) { w.stalled[[2]*simDevice{a, b}] = true }

// flow lets it arrive again.
func (w *simWorld) flow(a, b *simDevice) {
	way := [2]*simDevice{a, b}
	delete(w.stalled, way)
	waiting := w.waiting[way]
	delete(w.waiting, way)
	for _, deliver := range waiting {
		deliver()
	}
}

func (l *simLine) wake() {
	if l.waking {
		return
	}
	l.waking = true
	w := l.conn.w
	w.after(w.short(time.Millisecond), "tell", func() {
		l.waking = false
		if l.alive() && !l.conn.old {
			l.from.protect(l.tell)
		}
	})
}

// tell sends what there is to tell, as a Teller does.
func (l *simLine) tell() {
	now := l.from.folder.State()
	if k := simTold(now); !l.said || k != simTold(l.told) {
		l.told, l.said = now, true
		l.send(true, "folders", func() string { return fmt.Sprint(now.Head) }, func() error {
			if l.conn.old {
				return nil // the other has attached it
			}
			return l.to.folder.Attach(context.Background(), l, now)
		})
	}
	if l.at == nil || l.at.index != now.Index || l.at.through >= now.Head {
		return
	}
	b, err := l.from.folder.Records(context.Background(), l.to.id, l.at.through, l.conn.w.plan.limit())
	if err != nil {
		l.conn.w.fail("records", "%s: %v", l.from.name, err)
		return
	}
	if b.Index != now.Index || b.Through <= l.at.through {
		return
	}
	l.at.through = b.Through
	l.pass(b)
	if b.Through < b.Head {
		l.wake()
	}
}

// simTold is of a state what a listener is told anew if it changes.
func simTold(s exchange.FolderState) exchange.FolderState {
	s.Head = 0
	return s
}

// pass sends a batch, or what a liar makes of it.
func (l *simLine) pass(b exchange.Batch) {
	send := func(b exchange.Batch) {
		l.send(true, "records", func() string { return fmt.Sprintf("%d to %d of %d", b.After, b.Through, b.Head) }, func() error {
			if err := l.to.point("hear", ""); err != nil {
				return nil
			}
			return l.to.folder.Hear(context.Background(), l.from.id, b, nil)
		})
	}
	if l.from.lies() {
		l.lie(b, send)
		return
	}
	send(b)
}

// Device implements [Member], as do the methods below.
func (l *simLine) Device() entry.DeviceID { return l.from.id }

// Start asks the teller for what comes after.
func (l *simLine) Start(s exchange.Start) {
	l.start = &s
	l.say()
}

// Ack tells the teller how far the listener is.
func (l *simLine) Ack(k exchange.Ack) {
	l.ack = &k
	l.say()
}

// say sends what the listener has to say, of which only the last counts.
func (l *simLine) say() {
	if l.saying {
		return
	}
	l.saying = true
	w := l.conn.w
	w.after(w.short(time.Millisecond), "say", func() {
		l.saying = false
		start, ack := l.start, l.ack
		l.start, l.ack = nil, nil
		if !l.alive() {
			return
		}
		if start != nil && l.from.fearless {
			start.Seen, start.After = 0, min(start.After, l.from.folder.State().Head)
		}
		if start != nil {
			l.send(false, "start", func() string { return fmt.Sprintf("%+v", *start) }, func() error {
				if l.said {
					l.at = &simProgress{start.Index, start.After}
				}
				defer l.wake()
				return l.from.folder.Started(context.Background(), l.to.id, *start)
			})
		}
		if ack != nil {
			l.send(false, "ack", func() string { return fmt.Sprintf("%+v", *ack) }, func() error {
				defer l.wake()
				return l.from.folder.Acked(context.Background(), l.to.id, *ack)
			})
		}
	})
}

var errSimCut = errors.New("the connection is gone")

// Fetch gets blocks from the teller. It runs beside the listener's actor.
func (l *simLine) Fetch(ctx context.Context, ids []entry.BlockID, got func(int, []byte) error) (err error) {
	w := l.conn.w
	if err := l.travel(ctx); err != nil {
		return err
	}
	defer func() {
		// The teller may crash where it reads.
		r := recover()
		if c, ok := r.(simCrash); ok && c.d == l.from {
			w.after(0, "reap", l.from.down)
			err = errSimCut
		} else if r != nil {
			panic(r)
		}
	}()
	i := 0
	return l.from.folder.Sealed(ctx, ids, w.chance.IntN(2) == 0, func(sealed []byte) error {
		if w.chance.IntN(4) == 0 {
			if err := l.travel(ctx); err != nil {
				return err
			}
		}
		if !l.alive() {
			return errSimCut
		}
		if l.from.lies() {
			if sealed, err = l.lieAbout(sealed); err != nil {
				return err
			}
		}
		i++
		return got(i-1, sealed)
	})
}

// simPatience is how long a member may leave a request without a block.
const simPatience = 30

// travel takes the time that a request or a block takes.
func (l *simLine) travel(ctx context.Context) error {
	w := l.conn.w
	for range simPatience {
		if !w.hurry {
			w.coro.pause(w.short(10 * time.Millisecond))
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !l.alive():
			return errSimCut
		case w.calm || !w.stalled[[2]*simDevice{l.from, l.to}] && !w.stalled[[2]*simDevice{l.to, l.from}]:
			return nil
		}
		if !w.hurry {
			w.coro.pause(time.Second)
		}
	}
	return errors.New("no block for long")
}
