package traffic

import (
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

const (
	// ahead is how much unused time a bucket saves up.
	ahead = 100 * time.Millisecond
	// leastPiece and mostPiece bound what is granted at once; in between it is
	// what a rate lets through in pieceTime.
	leastPiece = 1 << 10
	mostPiece  = 64 << 10
	pieceTime  = 10 * time.Millisecond
	// firstBytes go before all bulk, of a stream that has been silent.
	firstBytes = 32 << 10
	// lead is how much more than others a party may have had by first bytes.
	lead = 2 * firstBytes
	// silence is how long a stream has to pass nothing to count as begun anew.
	silence = 250 * time.Millisecond
)

// bucket holds one rate: it lets pass while it is above zero, into debt.
type bucket struct {
	rate   Rate // zero or below: no limit
	tokens float64
	at     time.Time
}

func (b *bucket) fill(now time.Time) {
	if b.rate <= 0 {
		return
	}
	if b.tokens += now.Sub(b.at).Seconds() * float64(b.rate); b.tokens > ahead.Seconds()*float64(b.rate) {
		b.tokens = ahead.Seconds() * float64(b.rate)
	}
	b.at = now
}

// set changes the rate. Debts of the old one are forgiven, savings lost.
func (b *bucket) set(r Rate, now time.Time) {
	if b.rate != r {
		*b = bucket{rate: r, at: now, tokens: 1}
	}
}

// wait is how long until it lets something pass.
func (b *bucket) wait() time.Duration {
	if b.rate <= 0 || b.tokens > 0 {
		return 0
	}
	return time.Duration((1 - b.tokens) / float64(b.rate) * float64(time.Second))
}

// gate lets bytes of one direction pass. What has been silent goes first with
// its first bytes; then the parties come in fair turns, and the flows of one in
// the order in which they began to wait.
type gate struct {
	mu      sync.Mutex
	all     bucket
	lan     bucket
	per     map[entry.DeviceID]*bucket
	waiting []*flow // in the order in which they began to
	turns   turns[Party]
	timer   *time.Timer // of the next turn; nil if none is set
}

// flow is one direction of a stream.
type flow struct {
	origin Origin
	name   Party
	credit int           // first bytes that it has left
	last   time.Time     // it was last let pass
	wants  int           // bytes that wait; zero for none
	pass   chan struct{} // closed when they may go
}

// limits are the buckets that hold for a flow.
func (g *gate) limits(f *flow) (out [2]*bucket) {
	if f.origin.LAN {
		return [2]*bucket{&g.lan}
	}
	return [2]*bucket{&g.all, g.per[f.origin.Device]}
}

// piece is how many bytes may be asked for at once; zero for any number, since
// no limit holds. The caller holds the lock.
func (g *gate) piece(f *flow) int {
	least := Rate(0)
	for _, b := range g.limits(f) {
		if b != nil && b.rate > 0 && (least == 0 || b.rate < least) {
			least = b.rate
		}
	}
	if least == 0 {
		return 0
	}
	return int(min(max(int64(least)*int64(pieceTime)/int64(time.Second), leastPiece), mostPiece))
}

// enter has a flow wait for its turn with n bytes. What it returns is closed
// when they may pass.
func (g *gate) enter(f *flow, n int) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Sub(f.last) >= silence {
		f.credit = firstBytes
	}
	pass := make(chan struct{})
	f.wants, f.pass = n, pass
	g.turns.come(f.name, len(g.waiting) == 0)
	g.waiting = append(g.waiting, f)
	g.turn(now)
	return pass
}

// leave takes back what a flow wanted.
func (g *gate) leave(f *flow) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := slices.Index(g.waiting, f); at >= 0 {
		g.waiting = slices.Delete(g.waiting, at, at+1)
	}
}

// turn lets pass whatever may, and sets the timer for what may later. The
// caller holds the lock.
func (g *gate) turn(now time.Time) {
	g.all.fill(now)
	g.lan.fill(now)
	for _, b := range g.per {
		b.fill(now)
	}
	for {
		at, due := g.next()
		if at < 0 {
			break
		}
		f := g.waiting[at]
		g.waiting = slices.Delete(g.waiting, at, at+1)
		for _, b := range g.limits(f) {
			if b != nil && b.rate > 0 {
				b.tokens -= float64(f.wants)
			}
		}
		f.credit, f.last = f.credit-f.wants, now
		g.turns.serve(f.name, due, f.wants)
		close(f.pass)
	}
	g.wake()
}

// next is the place of the flow whose turn it is, -1 if none may pass now, and the
// party that has had least of those that may. First bytes go before, while their party is not ahead of who has had least by more
// than the lead: who begins one stream after the other would take all.
func (g *gate) next() (at int, due Party) {
	best, fresh := -1, -1
	for i, f := range g.waiting {
		if g.wait(f) > 0 {
			continue
		}
		if best < 0 || g.turns.before(f.name, g.waiting[best].name) {
			best = i
		}
		if f.credit > 0 && (fresh < 0 || g.turns.before(f.name, g.waiting[fresh].name)) {
			fresh = i
		}
	}
	if best < 0 {
		return -1, due
	}
	due = g.waiting[best].name
	if fresh >= 0 && g.turns.ahead(g.waiting[fresh].name, due) <= lead {
		return fresh, due
	}
	return best, due
}

// wait is how long until the limits let a flow pass.
func (g *gate) wait(f *flow) (d time.Duration) {
	for _, b := range g.limits(f) {
		if b != nil {
			d = max(d, b.wait())
		}
	}
	return d
}

// wake sets the timer to the first moment at which anything may pass.
func (g *gate) wake() {
	first := time.Duration(-1)
	for _, f := range g.waiting {
		if d := g.wait(f); first < 0 || d < first {
			first = d
		}
	}
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
	if first >= 0 {
		g.timer = time.AfterFunc(max(first, time.Millisecond), func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.turn(time.Now())
		})
	}
}

// set makes rates hold at once.
func (g *gate) set(all, lan Rate, per map[entry.DeviceID]Rate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.all.set(all, now)
	g.lan.set(lan, now)
	for d := range g.per {
		if per[d] <= 0 {
			delete(g.per, d)
		}
	}
	for d, r := range per {
		if r <= 0 {
			continue
		}
		if g.per[d] == nil {
			g.per[d] = &bucket{}
		}
		g.per[d].set(r, now)
	}
	g.turn(now)
}
