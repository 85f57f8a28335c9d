package folder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/choice"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/protocol/exchange"
)

// actor owns the state of a running folder. Its parts each have a file: what
// to look at (dirty.go), what is going (going.go), who is connected
// (members.go), what is on its way (wanted.go, pass.go, batch.go).
type actor struct {
	*Folder
	ctx context.Context // of Run; what runs beside ends with it

	disk     *disk // nil while the tree is away
	diskDue  time.Time
	problem  *Problem // why the tree is away, or the folder stopped
	dirty    dirty
	going    going
	arrivals arrivals
	looking  bool
	// lookNumber counts the looks, and targets is what the last one was for.
	lookNumber int
	targets    []look.Target
	scans      scans
	found      chan discovery
	looked     chan error
	next       time.Time // of the next scan of everything

	roll     roll
	acks     map[entry.DeviceID]exchange.Ack // the last of each member
	inflight inflight
	gathered chan *batch
	pass     pass
	fresh    fresh
	role     entry.Role
	choices  choice.Rules
	brake    held
	// fetching: something that was asked for by name may still be wanted.
	fetching bool
	// mustReopen: what a failed step has left aside has to be brought back.
	mustReopen bool
	// reverting are the paths whose local edits a person has given up.
	reverting map[entry.Path]struct{}
	// rereads are files of unknown history that are being read under other keys.
	rereads map[entry.Path]struct{}
	// readFor is for which version of a path that was last done, by its clock:
	// it is done once for each.
	readFor  map[entry.Path]version.Clock
	wordDue  time.Time // when a member that is silent is waited for no longer
	stuck    stuck
	littered bool // staged files may lie about
	ackDue   time.Time
	// progressDue is when the progress of large files is next told.
	progressDue time.Time
	needed      map[entry.Digest]int // how many wanted files have this content
	recount     bool                 // needed may be wrong

	// session names this run of the program; see [index.Folder.BeginSession].
	session uint64
	// interrupted: something was wanted when the program last ended, and may
	// have been placed and not committed. Nothing is heard or planned before
	// the tree was looked at.
	interrupted  bool
	scanned      bool                    // everything was looked at since the start
	settled      bool                    // no history is unknown
	unsettledDue time.Time               // before which it is not tried again to settle that
	copies       map[entry.Path]struct{} // conflict copies that live
	below        []entry.Path            // what the last commit has recorded as gone with a directory
	fenced       bool
	broken       error // of the index: it can no longer be trusted
	published    Status
	stale        bool // the status is not what it was
}

func newActor(f *Folder) *actor {
	return &actor{
		Folder: f, session: f.around.random(), role: f.Role, choices: f.Choices, stale: true,
		found: make(chan discovery), looked: make(chan error, 1), gathered: make(chan *batch, maxBatches+freshBatches),
		dirty: newDirty(), going: newGoing(), arrivals: arrivals{}, inflight: newInflight(), stuck: stuck{}, brake: newHeld(f.Brake),
		roll: roll{}, acks: map[entry.DeviceID]exchange.Ack{},
		reverting: map[entry.Path]struct{}{}, rereads: map[entry.Path]struct{}{}, readFor: map[entry.Path]version.Clock{},
		needed: map[entry.Digest]int{}, copies: map[entry.Path]struct{}{},
	}
}

// stop waits for all that runs beside the actor.
func (a *actor) stop() { a.closeDisk() }

func (a *actor) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	a.ctx = ctx
	if err := a.load(); err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		a.advance()
		if a.broken != nil {
			return fmt.Errorf("folder %s: %w", a.ID, a.broken)
		}
		a.publish()
		timer.Reset(a.wait())
		select {
		case <-ctx.Done():
			return a.rememberPeers()
		case fn := <-a.mail:
			fn(a)
		case <-a.diskReady():
			a.disk.ready = true
		case <-a.diskChanged():
			a.noticed()
		case d := <-a.found:
			d.taken <- a.record(d.findings)
		case err := <-a.looked:
			a.lookEnded(err)
		case b := <-a.gathered:
			a.finish(b)
		case <-timer.C:
		}
	}
}

// load reads from the index what the actor keeps in memory.
func (a *actor) load() error {
	return a.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(a.ID)
		if err != nil {
			return err
		}
		a.settled = x.Joined()
		a.interrupted = x.WantedTotals().Paths > 0
		if seen := x.Seen(x.Replica()); seen > x.Count() {
			a.fence(fmt.Errorf("event %d of %d was seen: %w", seen, x.Count(), index.ErrFenced))
		}
		for row := range x.Light("") {
			a.countCopy(row.Path, row.Kind != entry.Deleted)
		}
		a.recount, a.fetching = true, true
		return nil
	})
}

// advance does and starts whatever can be done now.
func (a *actor) advance() {
	now := a.Clock()
	if a.recount {
		a.countAgain()
	}
	if a.mustReopen && a.inflight.batches == 0 && !a.looking {
		a.mustReopen = false
		a.closeDisk()
		a.diskDue = now
	}
	if a.disk == nil && !now.Before(a.diskDue) {
		a.openDisk(now)
	}
	if a.disk == nil || a.fenced {
		return
	}
	a.commitGoing(now)
	if a.disk == nil {
		return
	}
	a.startLook(now)
	a.settle()
	a.plan(now)
}

// wait is how long until something is due.
func (a *actor) wait() time.Duration {
	if a.planning() {
		return 0
	}
	now := a.Clock()
	due := now.Add(time.Hour)
	soonest := func(t time.Time) {
		if !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	switch {
	case a.disk == nil:
		soonest(a.diskDue)
	case a.fenced: // nothing is due before a person has ended that
	default:
		if !a.looking && a.disk.ready {
			soonest(a.dirty.due())
			soonest(a.next)
		}
		if !a.looking && !a.dirty.fresh() {
			soonest(a.going.due)
		}
		soonest(a.stuck.due())
		soonest(a.unsettledDue)
		soonest(a.wordDue)
		soonest(a.brake.due)
		if len(a.inflight.large) > 0 {
			soonest(a.progressDue)
		}
		if a.published.NeedFiles > 0 && len(a.roll) > 0 {
			soonest(a.ackDue)
		}
	}
	return max(due.Sub(now), 0)
}

// update changes the index, in the session of this run. An error of the index
// itself ends the folder: what it holds could no longer be trusted.
func (a *actor) update(fn func(x *index.Folder) error) error {
	a.stale = true
	err := a.around.update(a.DB, func(tx *index.Tx) error {
		x, err := tx.Folder(a.ID)
		if err != nil {
			return err
		}
		if err := x.BeginSession(a.session); err != nil {
			return err
		}
		if err := fn(x); err != nil {
			return err
		}
		a.state.Store(stateOf(x))
		return nil
	})
	a.judge(err)
	a.edited.committed()
	return err
}

// view reads the index.
func (a *actor) view(fn func(x *index.Folder) error) error {
	err := a.DB.View(func(tx *index.Tx) error {
		x, err := tx.Folder(a.ID)
		if err != nil {
			return err
		}
		return fn(x)
	})
	a.judge(err)
	return err
}

// judge tells an index that is damaged or closed from one that is merely full
// or refuses.
func (a *actor) judge(err error) {
	switch {
	case err == nil:
	case errors.Is(err, index.ErrFenced):
		a.fence(err)
	case errors.Is(err, index.ErrDamaged), errors.Is(err, index.ErrClosed), errors.Is(err, index.ErrNoFolder):
		a.broken = err
	default:
		a.Log.Error("change the index", "error", err)
		a.recount = true // what was counted within the transaction did not happen
	}
}

// countAgain reads anew what is counted beside the index.
func (a *actor) countAgain() {
	a.recount = false
	clear(a.needed)
	a.brake.reset()
	_ = a.view(func(x *index.Folder) error {
		var paths []entry.Path
		for w, err := range x.WantedRange("") {
			if err != nil {
				return err
			}
			a.countNeeded(w, 1)
			paths = append(paths, w[0].Entry.Path)
		}
		for _, p := range paths { // whose content may be needed: that is known now
			w, err := x.Wanted(p)
			if err == nil {
				err = a.countDoomed(x, p, toWants(w))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// fence stops the folder: others remember events of this replica that it does
// not, so that its next ones would be taken for those.
func (a *actor) fence(err error) {
	if a.fenced {
		return
	}
	a.fenced, a.stale = true, true
	a.silent.Store(true)
	a.Log.Error("stopped: the index is older than what other devices remember of it", "error", err)
}

// event makes the version of a new change by this device on top of base.
func (a *actor) event(x *index.Folder, base version.Version) (version.Version, error) {
	return a.around.event(x, base, version.ClockAt(a.Clock()))
}
