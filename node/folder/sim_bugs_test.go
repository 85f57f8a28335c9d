package folder

import (
	"flag"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree"
)

// simBug is a fault that is planted in the code, to see that it is found.
type simBug struct {
	name    string
	profile string // of the schedules that should find it
	rare    bool   // it takes hundreds of schedules to show
	plant   func(d *simDevice, o *around)
	ground  func(d *simDevice, g *ground)
	commit  func(d *simDevice, tx *index.Tx) error
	forgets bool // the history keeps nothing
}

// simCaughtWithin is how many schedules may pass before a planted fault is
// found.
const simCaughtWithin = 2000

var simCatchAll = flag.Bool("sim-catch", false, "plant the faults that are rarely seen, too")

// TestSimulationCatchesWhatIsBroken plants one fault after the other, and says
// after how many schedules it was found. All of them take some minutes:
//
//	go test ./node/folder -run TestSimulationCatches -sim-catch -v
func TestSimulationCatchesWhatIsBroken(t *testing.T) {
	for _, bug := range simBugs {
		t.Run(bug.name, func(t *testing.T) {
			if bug.rare && !*simCatchAll {
				t.Skip("it takes many schedules: -sim-catch")
			}
			n, err := simCatch(t, &bug)
			if err == nil {
				t.Fatalf("%d schedules of profile %q have not found it", n, bug.profile)
			}
			t.Logf("found after %d schedules of profile %q: %s", n, bug.profile, simFirstLine(err.Error()))
		})
	}
}

// simCatch runs schedules until one fails.
func simCatch(t *testing.T, bug *simBug) (int, *simFailure) {
	var next, least atomic.Int64
	least.Store(simCaughtWithin + 1)
	var mu sync.Mutex
	var failed *simFailure
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		home := simHome(t)
		workers.Go(func() {
			for n := next.Add(1); n < least.Load() && n <= simCaughtWithin; n = next.Add(1) {
				err := newSimWorld(newSimPlan(uint64(n), bug.profile, 0), 0, home, bug, false).play()
				mu.Lock()
				if err != nil && n < least.Load() {
					least.Store(n)
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return int(min(least.Load(), simCaughtWithin)), failed
}

// decides plants a rule of merging.
func decides(rule func(l, r *entry.Entry, living bool) merge.Decision) func(*simDevice, *around) {
	return func(_ *simDevice, o *around) { o.decide = rule }
}

var simBugs = []simBug{
	{name: "the time of the file breaks ties", profile: "ties", plant: decides(func(l, r *entry.Entry, living bool) merge.Decision {
		if l == nil || l.Unknown || l.Version.Compare(r.Version) != version.Concurrent {
			return merge.Decide(l, r, living)
		}
		a, b := *l, *r
		last := max(a.Version.Clock, b.Version.Clock)
		if a.ModTime > b.ModTime {
			a.Version.Clock = last + 1
		} else if b.ModTime > a.ModTime {
			b.Version.Clock = last + 1
		}
		return merge.Decide(&a, &b, living)
	})},
	{name: "a delete wins over an edit", profile: "net", plant: decides(func(l, r *entry.Entry, living bool) merge.Decision {
		d := merge.Decide(l, r, living)
		if d.Action == merge.Revive {
			return merge.Decision{Action: merge.Adopt, Version: d.Version}
		}
		return d
	})},
	{name: "the loser is joined and not kept", profile: "net", plant: decides(func(l, r *entry.Entry, living bool) merge.Decision {
		d := merge.Decide(l, r, living)
		d.Keep = nil
		return d
	})},
	{name: "the winner is joined, so that the loser counts as seen", profile: "net", plant: decides(func(l, r *entry.Entry, living bool) merge.Decision {
		d := merge.Decide(l, r, living)
		if d.Action == merge.Forget && l != nil && !l.Unknown && l.Version.Compare(r.Version) == version.Concurrent {
			return merge.Decision{Action: merge.Join, Version: l.Version.Join(r.Version)}
		}
		return d
	})},
	{name: "the delete of what is not here is forgotten", profile: "net", plant: decides(func(l, r *entry.Entry, living bool) merge.Decision {
		if l == nil && r.Kind == entry.Deleted {
			return merge.Decision{Action: merge.Forget}
		}
		return merge.Decide(l, r, living)
	})},
	{name: "a directory gives way, whatever lives in it", rare: true, profile: "net", plant: decides(func(l, r *entry.Entry, _ bool) merge.Decision {
		return merge.Decide(l, r, false)
	})},
	{name: "what is unknown is overrun", profile: "index", plant: decides(func(l, r *entry.Entry, living bool) merge.Decision {
		d := merge.Decide(l, r, living)
		if l != nil && l.Unknown {
			d.Keep = nil
		}
		return d
	})},
	{name: "the wall clock alone makes the clock of a version", rare: true, profile: "clock", plant: func(_ *simDevice, o *around) {
		o.event = func(x *index.Folder, base version.Version, clock version.Clock) (version.Version, error) {
			v, err := newEvent(x, base, clock)
			v.Clock = clock
			return v, err
		}
	}},
	{name: "two copies may have one name", profile: "net", plant: func(_ *simDevice, o *around) {
		o.copyName = func(e *entry.Entry, _ string, _ int) entry.Path {
			return merge.CopyName(&entry.Entry{Path: e.Path, Kind: entry.File, AuthorName: "someone"}, "", 0)
		}
		o.nameFor = func(a *actor, p entry.Path, lost *entry.Entry) (free, kept bool, err error) {
			free, _, err = nameFor(a, p, lost)
			return free, !free, err
		}
	}},
	{name: "an index that was lost comes back as the same replica", profile: "index", plant: func(d *simDevice, o *around) {
		replica := true // the first of two
		o.random = func() uint64 {
			if replica = !replica; !replica {
				return uint64(d.number)<<32 | 1
			}
			return d.chance.Uint64() | 1
		}
	}},
	{name: "an index that was put back uses its numbers again", profile: "restore", plant: func(d *simDevice, _ *around) {
		d.fearless = true
	}},
	{name: "a commit comes before what it says is durable", profile: "power", ground: func(_ *simDevice, g *ground) {
		g.tree = simHasty{g.tree}
	}},
	{name: "a file is placed before its content is durable", rare: true, profile: "torn", ground: func(d *simDevice, _ *ground) {
		d.disk.Careless = true
	}},
	{name: "what lies at a path is replaced unseen", profile: "users", ground: func(_ *simDevice, g *ground) {
		g.tree = simBlind{g.tree}
	}},
	{name: "what goes from the tree is not kept", profile: "net", forgets: true},
	{name: "an unreadable directory counts as empty", rare: true, profile: "unread", ground: func(_ *simDevice, g *ground) {
		g.look, g.tree = simHopeful{g.look}, simHopefulToo{g.tree}
	}},
	{name: "a file is known by size and time alone", rare: true, profile: "users", ground: func(_ *simDevice, g *ground) {
		g.look = simCoarse{g.look}
	}},
}

// simHasty never waits for the disk.
type simHasty struct{ files }

func (simHasty) Sync() error { return nil }

// simBlind puts things in place whatever lies there.
type simBlind struct{ files }

func (t simBlind) now(p entry.Path, expect *tree.Stat) *tree.Stat {
	st, err := t.Lstat(p)
	if err != nil || st.Kind == entry.Directory {
		return expect
	}
	return &st
}

func (t simBlind) Place(p entry.Path, s gather.Staged, m tree.Meta, expect *tree.Stat) (tree.Stat, error) {
	return t.files.Place(p, s, m, t.now(p, expect))
}

func (t simBlind) Remove(p entry.Path, expect tree.Stat) error {
	return t.files.Remove(p, *t.now(p, &expect))
}

// simHopeful takes what cannot be listed for empty.
type simHopeful struct{ look.Tree }

func (t simHopeful) List(p entry.Path) ([]tree.Child, error) {
	children, err := t.Tree.List(p)
	if err != nil {
		return nil, nil //nolint:nilerr // that is the fault
	}
	return children, nil
}

// simHopefulToo takes what cannot be looked at for missing.
type simHopefulToo struct{ files }

func (t simHopefulToo) Lstat(p entry.Path) (tree.Stat, error) {
	st, err := t.files.Lstat(p)
	if err != nil {
		err = fs.ErrNotExist
	}
	return st, err
}

// simCoarse does not see that a file was replaced by one of the same size and
// time.
type simCoarse struct{ look.Tree }

var simSeen sync.Map

func (t simCoarse) coarse(p entry.Path, st tree.Stat) tree.Stat {
	if st.Kind != entry.File {
		return st
	}
	key := fmt.Sprintf("%p %s %d %d %o", t.Tree, p, st.Size, st.ModTime, st.Mode)
	was, _ := simSeen.LoadOrStore(key, st.Disk)
	st.Disk = was.(entry.Disk)
	return st
}

func (t simCoarse) Lstat(p entry.Path) (tree.Stat, error) {
	st, err := t.Tree.Lstat(p)
	return t.coarse(p, st), err
}

func (t simCoarse) List(p entry.Path) ([]tree.Child, error) {
	children, err := t.Tree.List(p)
	for i := range children {
		children[i].Stat = t.coarse(p.Join(children[i].Name), children[i].Stat)
	}
	return children, err
}
