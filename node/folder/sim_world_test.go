package folder

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

// simWorld is a mesh of devices in one goroutine and in virtual time: the
// actor, the index and the sealing are real, and disks, links and clocks are
// not. All that happens follows from a plan and a seed for what the plan
// leaves to chance, so that it can be had again.
type simWorld struct {
	plan    *simPlan
	chance  *rand.Rand
	home    string // of the indexes
	bug     *simBug
	now     int64 // nanoseconds since the beginning
	events  simEvents
	serial  uint64
	turns   int
	devices []*simDevice
	conns   []*simConn
	stalled map[[2]*simDevice]bool
	waiting map[[2]*simDevice][]func()

	coro    *simCoro // that runs now
	hurry   bool     // nothing that runs beside waits for anything
	calm    bool     // no accidents any more
	claimed map[version.ReplicaID]bool

	users  simUsers
	judged map[simState]simSign
	known  map[simState]uint64 // by which devices, as bits
	hash   uint64
	story  *strings.Builder // nil: not told
	failed *simFailure
}

// simFailure is what was found wrong.
type simFailure struct {
	kind string // for telling one fault from another
	text string
}

func (f *simFailure) Error() string { return f.kind + ": " + f.text }

// simStart is when all schedules begin.
var simStart = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var (
	simID  = entry.FolderID{7, 7, 7}
	simKey = seal.FolderKey{1, 2, 3}
)

func newSimWorld(p *simPlan, noise uint64, home string, bug *simBug, tell bool) *simWorld {
	w := &simWorld{
		plan: p, chance: rand.New(rand.NewPCG(p.seed, noise)), home: home, bug: bug,
		stalled: map[[2]*simDevice]bool{}, waiting: map[[2]*simDevice][]func(){},
		claimed: map[version.ReplicaID]bool{}, judged: map[simState]simSign{}, known: map[simState]uint64{},
	}
	if tell {
		w.story = &strings.Builder{}
	}
	w.users.begin(w)
	for i := range p.devices {
		w.devices = append(w.devices, newSimDevice(w, i))
	}
	return w
}

// simEvent is something that is to happen at a time.
type simEvent struct {
	at     int64
	serial uint64
	what   string
	do     func()
}

type simEvents []simEvent

func (e simEvents) Len() int      { return len(e) }
func (e simEvents) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e simEvents) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), cmp.Compare(e[i].serial, e[j].serial)) < 0
}
func (e *simEvents) Push(x any) { *e = append(*e, x.(simEvent)) }
func (e *simEvents) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = simEvent{}
	*e = (*e)[:last]
	return x
}

// after has something happen after a delay.
func (w *simWorld) after(delay time.Duration, what string, do func()) {
	w.serial++
	heap.Push(&w.events, simEvent{w.now + max(int64(delay), 0), w.serial, what, do})
}

// step has the next thing happen; false if nothing is to happen before limit.
func (w *simWorld) step(limit int64) bool {
	if len(w.events) == 0 || w.events[0].at > limit {
		return false
	}
	e := heap.Pop(&w.events).(simEvent)
	w.now = max(w.now, e.at)
	w.turns++
	w.mark(e.what)
	e.do()
	return true
}

// run lets things happen until a time, unless something is found wrong.
func (w *simWorld) run(until int64) {
	for w.failed == nil && w.step(until) {
		if w.turns > simMaxTurns {
			w.fail("no rest", "%d turns and no end", w.turns)
		}
	}
	if w.failed == nil {
		w.now = max(w.now, until)
	}
}

// simMaxTurns is how many events a schedule may take.
const simMaxTurns = 100_000

func (w *simWorld) time() time.Time { return simStart.Add(time.Duration(w.now)) }

// short is a delay of up to some time, mostly much less.
func (w *simWorld) short(most time.Duration) time.Duration {
	return most >> w.chance.IntN(8) * time.Duration(w.chance.IntN(1000)) / 1000
}

func (w *simWorld) fail(kind, format string, args ...any) {
	if w.failed == nil {
		w.failed = &simFailure{kind, fmt.Sprintf(format, args...)}
		w.note("FAILED", "%v", w.failed)
	}
}

// note adds to the story.
func (w *simWorld) note(who, format string, args ...any) {
	if w.story != nil {
		fmt.Fprintf(w.story, "%14v %s: %s\n", time.Duration(w.now), who, fmt.Sprintf(format, args...))
	}
}

// mark adds to the hash of all that has happened, by FNV-1a.
func (w *simWorld) mark(what string) {
	h := w.hash ^ uint64(w.now)
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 1099511628211
	}
	w.hash = h * 1099511628211
}
