package backup

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/backup/schedule"
	"github.com/kithmesh/kith/protocol/exchange"
)

// errNotAttached: what a member told is lost, so it has to begin again.
var errNotAttached = errors.New("the member is not attached to the folder")

// actor owns the state of a running keeper.
type actor struct {
	*Keeper
	ctx  context.Context // of Run; jobs end with it
	jobs sync.WaitGroup
	done chan *job

	roll   map[entry.DeviceID]*member
	acks   map[entry.DeviceID]exchange.Ack // the last of each member
	under  map[versionKey][]*item          // versions that jobs are about, and who waits for them
	claims claims
	ackDue time.Time
	noted  bool // the notes on disk are as those in memory

	full    error     // why nothing more is taken
	fullDue time.Time // when it is tried again
	broken  error     // the vault does not work
	runs    runs
	chores  chores
}

// Run takes in what members tell until ctx ends; it may be called once.
func (k *Keeper) Run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	a := &actor{
		Keeper: k, ctx: ctx, done: make(chan *job), roll: map[entry.DeviceID]*member{}, acks: map[entry.DeviceID]exchange.Ack{},
		under: map[versionKey][]*item{}, claims: claims{of: map[entry.BlockID]chan struct{}{}}, noted: true,
	}
	defer func() {
		cancel()
		a.vault.Interrupt() // nobody waits for a store any more
		a.jobs.Wait()
		close(k.gone)
	}()
	a.loadSchedule()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next := a.advance(a.Clock())
		a.publish()
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return a.leave()
		case fn := <-a.mail:
			fn(a)
		case j := <-a.done:
			a.finish(j)
		case <-timer.C:
		}
	}
}

// leave notes how far the members were heard that are connected.
func (a *actor) leave() error {
	go func() { a.jobs.Wait(); close(a.done) }()
	for j := range a.done {
		a.finish(j)
	}
	for d, m := range a.roll {
		a.note(d, m)
	}
	a.noted = false
	return a.writeNotes()
}

func (a *actor) writeNotes() error {
	if a.noted {
		return nil
	}
	a.noted = true
	return a.notes.write(a.vault.Head())
}

// How often the actor looks at what time brings.
const idleEvery = 30 * time.Second

// advance starts whatever can be done now, and tells when there may be more.
func (a *actor) advance(now time.Time) (next time.Duration) {
	next = idleEvery
	if due, is := a.runs.begin(now); is {
		next = min(next, due)
	}
	busy := false
	for _, m := range a.roll {
		if !m.asked && a.runs.open && a.full == nil && len(m.open) <= maxQueue/4 && m.bytes <= maxQueueBytes/4 && !now.Before(m.barren) {
			a.ask(m)
		}
		busy = a.start(m, now) || busy
	}
	if a.full != nil && !now.Before(a.fullDue) {
		a.full, a.broken = nil, nil
		return 0
	}
	a.endRun(now)
	next = min(next, a.sendAcks(now))
	if err := a.writeNotes(); err != nil {
		a.log().Warn("keep the past", "folder", a.ID, "error", err)
	}
	next = min(next, a.chore(now))
	if busy {
		return min(next, ackEvery)
	}
	return min(next, a.nextRetry(now))
}

// nextRetry is how long until something that could not be had is tried again.
func (a *actor) nextRetry(now time.Time) time.Duration {
	if a.full != nil {
		return min(idleEvery, max(0, a.fullDue.Sub(now)))
	}
	next := time.Duration(idleEvery)
	for _, m := range a.roll {
		if now.Before(m.barren) {
			next = min(next, m.barren.Sub(now))
			continue
		}
		for _, waiting := range m.again {
			for _, it := range waiting {
				next = min(next, max(0, it.due.Sub(now)))
			}
		}
	}
	return next
}

// start starts jobs for a member. It tells whether there are any.
func (a *actor) start(m *member, now time.Time) bool {
	for m.jobs < memberJobs && a.full == nil && !now.Before(m.barren) {
		if age := now.Sub(m.began); m.jobs > 0 && age >= 0 && age < gatherTime && !m.plenty() {
			break
		}
		items := a.take(m, now)
		if len(items) == 0 {
			break
		}
		m.jobs++
		m.began = now
		j := &job{member: m, link: m.Member, items: items}
		a.jobs.Go(func() {
			j.run(a.ctx, a.vault, &a.claims)
			select {
			case a.done <- j:
			case <-a.gone: // nobody is there any more; cannot be, as leave waits
			}
		})
	}
	return m.jobs > 0
}

// finish takes what a job has come to.
func (a *actor) finish(j *job) {
	now := a.Clock()
	j.member.jobs--
	for i, it := range j.items {
		a.settleItem(it, j.outcomes[i], now)
	}
	for _, m := range a.roll {
		// One that cannot be had must not make the queue grow for ever.
		if len(m.open) > maxQueue/8 {
			m.open = slices.DeleteFunc(m.open, func(it *item) bool { return it.done })
		}
	}
	switch {
	case errors.Is(j.err, errFull):
		a.full, a.fullDue = j.err, now.Add(fullWait)
		a.log().Warn("the vault takes nothing more", "folder", a.ID, "error", j.err)
	case errors.Is(j.err, errVault):
		a.full, a.fullDue, a.broken = j.err, now.Add(fullWait), j.err
		a.log().Error("the vault cannot be written", "folder", a.ID, "error", j.err)
	case j.err != nil && a.ctx.Err() == nil:
		j.member.barren = now.Add(barrenWait)
		a.log().Info("a member could not be asked for blocks", "folder", a.ID, "device", j.member.Device(), "error", j.err)
	}
	if a.notes.Settled || !j.member.told.Settled || !j.member.caughtUp() {
		return
	}
	a.settle()
}

// settleItem takes what a job has come to with one version, and what others
// told of the same one.
func (a *actor) settleItem(it *item, o outcome, now time.Time) {
	switch {
	case o == stored || o == useless:
		it.finish()
	case it.absent:
		it.finish() // somebody else may tell it who has it
	default:
		a.later(it, now)
	}
	key := it.key()
	followers := a.under[key]
	delete(a.under, key)
	for _, f := range followers {
		if o == stored {
			f.finish()
			continue
		}
		a.later(f, now)
		f.due = now
	}
	if o != stored {
		return
	}
	for _, m := range a.roll {
		for _, w := range m.again[it.record.ID] {
			if w.key() == key {
				w.due = now // it is there by now
			}
		}
	}
}

// settle: the vault has all of a member that knows the history of its files.
func (a *actor) settle() {
	a.notes.Settled, a.noted = true, false
	a.settled.Store(true)
}

const (
	fullWait   = time.Minute
	barrenWait = 5 * time.Second
)

// path is a file in the keeper's directory.
func (k *Keeper) path(name string) string { return filepath.Join(k.Dir, name) }

// runs are when the members are asked for what is new.
type runs struct {
	plan schedule.Schedule
	open bool // members are asked now
	// began is when the run began, and last when the last one was complete.
	began, last time.Time
	forced      bool // a person has asked for it
	wrote       time.Time
}

func (a *actor) loadSchedule() {
	plan, err := schedule.Parse(a.settings.Load().Schedule)
	if err != nil {
		a.log().Error("a schedule that cannot be read; going on without", "folder", a.ID, "error", err)
	}
	a.runs.plan, a.runs.last = plan, a.notes.LastRun
	a.runs.open = plan.Continuous()
}

// begin begins a run that is due, and tells in how long the next one is, if
// there is one to wait for.
func (r *runs) begin(now time.Time) (time.Duration, bool) {
	if r.plan.Continuous() {
		r.open = true
		return 0, false
	}
	due := r.plan.Next(r.last)
	if !r.open && (r.forced || !now.Before(due)) {
		r.open, r.began, r.forced = true, now, false
	}
	if r.open {
		return 0, false
	}
	return due.Sub(now), true
}

// endRun ends a run when all that was there to be told is in the vault.
func (a *actor) endRun(now time.Time) {
	if !a.runs.open || len(a.roll) == 0 {
		return
	}
	for _, m := range a.roll {
		if !m.asked || !m.caughtUp() {
			return
		}
	}
	if !a.notes.Settled {
		for _, m := range a.roll {
			if m.told.Settled {
				a.settle()
			}
		}
	}
	if a.runs.plan.Continuous() {
		// Told at once, and written when something else is, or once an hour: the
		// disk of an idle backup may sleep.
		if now.Sub(a.runs.wrote) >= time.Hour {
			a.runs.wrote, a.noted = now, false
		}
		a.notes.LastRun = now
		return
	}
	a.runs.open, a.runs.last = false, now
	a.notes.LastRun, a.noted = now, false
	for _, m := range a.roll {
		m.asked = false
	}
}
