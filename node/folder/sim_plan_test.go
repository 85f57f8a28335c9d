package folder

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/kithmesh/kith/protocol/exchange"
)

// simPlan is a schedule: all that is done to a mesh. What follows from it is
// left to the devices, and to chance.
type simPlan struct {
	seed    uint64
	profile string
	devices int
	setup   []simSetup
	records int // in one batch
	linked  bool
	liesBy  int // the device that lies; -1 for none
	lenient bool
	ops     []simOp
	calms   []simCalm
}

// simSetup is how a device begins.
type simSetup struct {
	skew  time.Duration
	grain time.Duration // of the times of its files
	begin bool          // it has made the folder
	files int           // that lie in its tree when it comes up first
	late  time.Duration // after which it comes up
}

// simOp is one thing that is done to a device, or between two.
type simOp struct {
	after  time.Duration // since the one before
	kind   simKind
	device int
	other  int
	act    simAct
	seed   uint64        // of what chance has to say about it
	inside int           // it happens so many points further within the work of the device; 0: at once
	at     string        // of these, only such points count
	lasts  time.Duration // until it is over, or the device comes back
}

// simCalm is some time after all is well, in which the people at one device do
// something, and another may not be there.
type simCalm struct {
	user, away int
	acts       []uint64 // seeds
	down, lose bool     // the other is down, and loses its index
	lasts      time.Duration
}

type simKind int

const (
	doUser simKind = iota
	doCut
	doConnect
	doStall
	doFlow
	doKill
	doPower
	doStop
	doAway
	doLose
	doBackup
	doRestore
	doFull
	doFail
	doFailIndex
	doUnreadable
	doOverflow
	doDeaf
	doScan
	doWriteback
	doClock
)

var simKinds = [...]string{
	"user", "cut", "connect", "stall", "flow", "kill", "lose power", "stop", "take the tree away", "lose the index", "back up the index",
	"restore the index", "fill the disk", "make steps fail", "make commits fail", "make unreadable", "overflow the watcher", "deafen the watcher",
	"scan", "write back", "set the clock",
}

func (k simKind) String() string { return simKinds[k] }

func (o simOp) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "+%v ", o.after)
	if o.inside > 0 {
		fmt.Fprintf(&b, "(%d points %q later, within its work) ", o.inside, o.at)
	}
	fmt.Fprintf(&b, "%s: %v", simNames[o.device], o.kind)
	switch o.kind {
	case doUser:
		fmt.Fprintf(&b, " %v", o.act)
	case doCut, doConnect, doStall, doFlow:
		fmt.Fprintf(&b, " %s", simNames[o.other])
	default:
		fmt.Fprintf(&b, " for %v", o.lasts)
	}
	return b.String()
}

func (c simCalm) String() string {
	s := fmt.Sprintf("in peace, %s: %d acts", simNames[c.user], len(c.acts))
	if c.away >= 0 {
		s += fmt.Sprintf(", while %s is away (down: %v, loses its index: %v)", simNames[c.away], c.down, c.lose)
	}
	return s
}

func (p *simPlan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d devices, linked %v, %d records in a batch, liar %d\n", p.devices, p.linked, p.records, p.liesBy)
	for i, s := range p.setup {
		fmt.Fprintf(&b, "  %s: %+v\n", simNames[i], s)
	}
	for i, o := range p.ops {
		fmt.Fprintf(&b, "  %2d %v\n", i+1, o)
	}
	for _, c := range p.calms {
		fmt.Fprintf(&b, "  %v\n", c)
	}
	return b.String()
}

func (p *simPlan) limit() exchange.Limit { return exchange.Limit{Records: p.records, Bytes: 1 << 20} }

func (p *simPlan) liar() bool { return p.liesBy >= 0 }

// simFamilies are kinds of accidents that come together, and how often each of
// their kinds comes.
var simFamilies = map[string]map[simKind]int{
	"users":   {doUser: 60, doScan: 1},
	"net":     {doCut: 6, doConnect: 9, doStall: 4, doFlow: 4},
	"crash":   {doKill: 8, doStop: 3},
	"power":   {doPower: 8, doWriteback: 4},
	"watch":   {doOverflow: 3, doDeaf: 1, doAway: 2},
	"full":    {doFull: 4},
	"faults":  {doFail: 6, doFailIndex: 2, doUnreadable: 3},
	"index":   {doLose: 4},
	"clock":   {doClock: 4},
	"restore": {doBackup: 5, doRestore: 4},
	"torn":    {doPower: 40},
	"unread":  {doUnreadable: 20, doOverflow: 10},
}

// simPoints are steps within which it is good to have something happen.
var simPoints = []string{
	"place", "put", "put aside", "exchange", "exchanged", "discard", "placed", "remove", "removed", "move", "moved", "mkdir", "set", "sync",
	"update", "commit", "committed", "lstat", "open", "read", "busy", "list", "hear", "stage", "write staged", "sync staged", "set staged",
}

// simTearing are those after which a file lies at its path and a loss of power
// could tear it.
var simTearing = []string{"exchanged", "discard", "placed", "sync"}

// simProfiles say which families come. In that of no name each comes sometimes.
var simProfiles = map[string][]string{
	"users": {}, "net": {"net"}, "crash": {"crash", "net"}, "power": {"power", "crash", "net"}, "watch": {"watch", "net"},
	"full": {"full", "net"}, "faults": {"faults", "net"}, "index": {"index", "net", "crash"}, "clock": {"clock", "net"},
	"restore": {"restore", "net"}, "torn": {"torn"}, "unread": {"unread"}, "ties": {"net"}, "liar": {"net", "crash"},
	"all": {"net", "crash", "power", "watch", "full", "faults", "index", "clock"},
}

// newSimPlan is the schedule of a seed.
func newSimPlan(seed uint64, profile string, devices int) *simPlan {
	rng := rand.New(rand.NewPCG(seed, 0x6b697468))
	p := &simPlan{seed: seed, profile: profile, devices: devices, liesBy: -1, linked: rng.IntN(4) > 0}
	if p.devices == 0 {
		p.devices = []int{2, 2, 2, 2, 3, 3, 3, 3, 4, 5, 6}[rng.IntN(11)]
	}
	if profile == "restore" {
		p.devices = 2 // a third may be told a number twice before anybody notices
	}
	if profile == "ties" {
		p.devices = max(p.devices, 3)
	}
	if profile == "liar" {
		p.devices = max(p.devices, 3)
		p.liesBy = rng.IntN(p.devices)
	}
	p.records = []int{1, 2, 5, 1000, 1000}[rng.IntN(5)]
	for i := range p.devices {
		p.setup = append(p.setup, simSetup{
			skew:  []time.Duration{0, 0, 0, time.Hour, -time.Hour, 90_000 * time.Hour, -90_000 * time.Hour}[rng.IntN(7)],
			grain: []time.Duration{1, 1, time.Microsecond, 4 * time.Millisecond}[rng.IntN(4)],
			begin: i == 0 || rng.IntN(3) == 0,
			files: []int{0, 0, 1, 3, 5}[rng.IntN(5)],
			late:  []time.Duration{0, 0, 0, time.Second, time.Minute}[rng.IntN(5)],
		})
	}
	kinds := simWeights(rng, profile)
	for range []int{3, 6, 10, 15, 20, 30, 50}[rng.IntN(7)] {
		p.ops = append(p.ops, newSimOp(rng, p, kinds))
	}
	for range rng.IntN(3) {
		p.calms = append(p.calms, newSimCalm(rng, p))
	}
	return p
}

func simWeights(rng *rand.Rand, profile string) (kinds []simKind) {
	names := []string{"users"}
	if fixed, ok := simProfiles[profile]; ok {
		names = append(names, fixed...)
	} else {
		for _, name := range []string{"net", "crash", "power", "watch", "full", "faults", "index", "clock"} {
			if rng.IntN(3) == 0 || name == "net" && rng.IntN(2) == 0 {
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		for kind := simKind(0); int(kind) < len(simKinds); kind++ {
			for range simFamilies[name][kind] {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

func newSimOp(rng *rand.Rand, p *simPlan, kinds []simKind) simOp {
	o := simOp{
		kind: kinds[rng.IntN(len(kinds))], device: rng.IntN(p.devices), other: rng.IntN(p.devices), act: simActs[rng.IntN(len(simActs))],
		seed:  rng.Uint64(),
		after: []time.Duration{0, 0, time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second, 30 * time.Second}[rng.IntN(7)],
		lasts: []time.Duration{time.Millisecond, 500 * time.Millisecond, 5 * time.Second, time.Minute, 10 * time.Minute}[rng.IntN(5)],
	}
	if p.profile == "ties" && rng.IntN(2) == 0 {
		o.act = actTouch
	}
	o.after = o.after * time.Duration(rng.IntN(1000)) / 1000
	if rng.IntN(3) > 0 && slices.Contains([]simKind{doUser, doKill, doPower, doOverflow}, o.kind) {
		o.inside = 1 + rng.IntN(1<<(1+rng.IntN(8)))
		if rng.IntN(2) == 0 {
			o.inside, o.at = 1+rng.IntN(1<<rng.IntN(3)), simPoints[rng.IntN(len(simPoints))]
			if p.profile == "torn" {
				o.inside, o.at = 1+rng.IntN(4), simTearing[rng.IntN(len(simTearing))]
			}
		}
	}
	return o
}

func newSimCalm(rng *rand.Rand, p *simPlan) simCalm {
	c := simCalm{user: rng.IntN(p.devices), away: rng.IntN(p.devices+1) - 1, down: rng.IntN(2) == 0, lasts: time.Minute}
	if c.away == c.user {
		c.away = -1
	}
	c.lose = c.down && rng.IntN(4) == 0
	for range 1 + rng.IntN(5) {
		c.acts = append(c.acts, rng.Uint64())
	}
	return c
}
