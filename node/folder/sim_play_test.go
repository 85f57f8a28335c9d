package folder

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/node/tree/treetest"
)

// play runs the plan, and says what was found wrong.
func (w *simWorld) play() *simFailure {
	for i, d := range w.devices {
		rng := rand.New(rand.NewPCG(w.plan.seed, uint64(i)+1000))
		for range w.plan.setup[i].files {
			w.users.act(d, actWrite, rng)
		}
		w.after(w.plan.setup[i].late, "start", func() {
			d.start()
			if w.plan.linked {
				for _, o := range w.devices {
					w.connect(d, o)
				}
			}
		})
	}
	for _, o := range w.plan.ops {
		w.run(w.now + int64(o.after))
		if w.failed != nil {
			break
		}
		w.do(o)
	}
	w.heal()
	w.settle(nil)
	w.again()
	w.judge()
	for _, c := range w.plan.calms {
		w.peace(c)
	}
	w.run(w.now + int64(2*time.Hour)) // a look at everything has no news
	w.settle(nil)
	w.judge()
	w.end()
	return w.failed
}

// end takes all down.
func (w *simWorld) end() {
	failed := w.failed
	for _, d := range w.devices {
		d.crash()
		_ = os.Remove(d.path)
	}
	if failed != nil {
		w.failed = failed
	}
}

// do does one thing, or has it done at a point within a device's work.
func (w *simWorld) do(o simOp) {
	d := w.devices[o.device]
	w.note(d.name, "* %v", o)
	if o.inside > 0 && d.up() {
		d.inside = append(d.inside, &simInside{points: o.inside, at: o.at, do: func() { w.doInside(o, d) }})
		return
	}
	other := w.devices[o.other]
	switch o.kind {
	case doUser, doOverflow, doFull, doFail, doFailIndex, doUnreadable, doDeaf, doWriteback:
		w.doInside(o, d)
	case doCut:
		w.cut(d, other)
	case doConnect:
		w.connect(d, other)
	case doStall:
		w.stall(d, other)
	case doFlow:
		w.flow(d, other)
	case doKill, doPower, doStop, doLose, doRestore, doClock:
		w.doDown(o, d)
	case doAway:
		d.disk.Away = []error{tree.ErrRootMissing, tree.ErrRootReplaced, tree.ErrMarkerMissing}[o.seed%3]
		w.after(o.lasts, "back", func() { d.disk.Away = nil })
		if o.seed%2 == 0 {
			d.turn("check", func() { d.a.present() })
		}
	case doScan:
		d.turn("scan", func() {
			if d.a.disk != nil {
				d.a.dirty.add("", true, d.a.Clock())
			}
		})
	case doBackup:
		d.backup, _ = os.ReadFile(d.path)
	}
}

// doDown does what a device has to be down for.
func (w *simWorld) doDown(o simOp, d *simDevice) {
	switch o.kind {
	case doKill:
		d.crash()
	case doPower:
		d.losePower()
	case doLose:
		d.loseIndex()
	case doClock:
		d.stop()
		d.skew = []time.Duration{0, time.Hour, -time.Hour, 90_000 * time.Hour, -90_000 * time.Hour, 500 * time.Millisecond}[o.seed%6]
	case doRestore:
		d.crash()
		if d.backup != nil {
			_ = os.WriteFile(d.path, d.backup, 0o600)
			d.strange = true
			w.forgets(d)
		}
	default:
		d.stop()
	}
	w.after(o.lasts, "restart", d.start)
}

// doInside does what may be done within a device's work.
func (w *simWorld) doInside(o simOp, d *simDevice) {
	rng := rand.New(rand.NewPCG(o.seed, 3))
	until := w.now + int64(o.lasts)
	switch o.kind {
	case doUser:
		w.users.act(d, o.act, rng)
	case doKill, doPower:
		w.note(d.name, "  %v", o.kind)
		d.dead, d.dark = true, o.kind == doPower
		w.after(o.lasts, "restart", d.start)
	case doOverflow:
		if d.watch != nil {
			d.watch.overflow()
		}
	case doDeaf:
		if d.watch != nil {
			d.watch.notice("", false)
			d.watch.deaf = "too many directories"
		}
	case doWriteback:
		d.disk.Writeback()
	case doFull:
		d.faults = append(d.faults, &simFault{err: simFull, steps: simTakesRoom, until: until, count: 1 << 30})
		if rng.IntN(2) == 0 {
			d.disk.Room = 1000
			w.after(o.lasts, "room", func() { d.disk.Room = 1 << 40 })
		}
	case doFail:
		d.faults = append(d.faults, &simFault{
			err: simBroken, steps: simCanFail, until: w.now + int64(time.Hour), skip: rng.IntN(1 << rng.IntN(9)), count: 1 + rng.IntN(4),
		})
	case doFailIndex:
		d.faults = append(d.faults, &simFault{
			err: simFull, steps: func(what string) bool { return what == "commit" }, until: until, skip: rng.IntN(4), count: 1 + rng.IntN(10),
		})
	case doUnreadable:
		p := w.users.place(d, rng)
		d.disk.Fail(p, simBroken)
		w.after(o.lasts, "mended", func() { d.disk.Mend() })
	default:
	}
}

// simTakesRoom are the steps that a full disk refuses.
func simTakesRoom(what string) bool {
	return slices.Contains([]string{"stage", "write staged", "truncate staged", "sync staged", "mkdir", "put", "put aside", "sync"}, what)
}

// simCanFail are the steps that a failing disk may refuse. To be called off is
// no fault.
func simCanFail(what string) bool {
	return !slices.Contains([]string{
		"update", "commit", "committed", "hear", "check", "clean",
		"put back", "exchange back", "take back", "keep", "move back", // a second fault in a row
	}, what)
}

// again stops and starts devices that could not clean up after a fault: the next
// start does.
func (w *simWorld) again() {
	for _, d := range w.devices {
		if _, aside := d.disk.Left(); aside > 0 && w.failed == nil {
			d.stop()
			d.start()
		}
	}
	w.settle(nil)
}

// heal ends all accidents.
func (w *simWorld) heal() {
	w.note("all", "* is well now")
	w.calm = true
	w.redeem()
	for _, d := range w.devices {
		d.disk.Away, d.disk.Room, d.faults, d.inside = nil, 1<<40, nil, nil
		d.disk.Mend()
		w.users.closeEdit(d)
		for _, it := range d.disk.Items() {
			if it.Stat.Kind == 0 {
				_ = d.disk.Remove(it.Path)
			}
		}
		d.start()
		if d.watch != nil {
			d.watch.Renew()
		}
	}
	for _, a := range w.devices {
		for _, b := range w.devices {
			w.flow(a, b)
			if !w.connected(a, b) {
				w.connect(a, b)
			}
		}
	}
}

// simRest is how long devices may take to come to rest, once all is well.
const simRest = 3 * time.Hour

// settle lets things happen until all devices but one have come to rest.
func (w *simWorld) settle(but *simDevice) {
	limit := w.now + int64(simRest)
	heads := []entry.Sequence(nil)
	for w.failed == nil {
		w.run(w.now + int64(2*time.Second))
		w.unfence()
		now, quiet := w.quiet(but)
		if quiet && slices.Equal(now, heads) {
			return
		}
		heads = nil
		if quiet {
			heads = now
		}
		if w.now > limit {
			w.fail("no rest", "the devices never come to rest:%s", w.restless(but))
		}
	}
}

// unfence does what a person does to a device whose index is an old one.
func (w *simWorld) unfence() {
	for _, d := range w.devices {
		if !d.up() || !d.a.fenced {
			continue
		}
		w.note(d.name, "* is fenced")
		if w.chance.IntN(2) == 0 {
			d.strange = false
			if err := d.folder.GoOn(context.Background()); err != nil && d.up() {
				w.fail("fenced", "%s cannot go on: %v", d.name, err)
			}
			if d.up() {
				w.claimed[d.folder.State().Replica] = true
			}
			continue
		}
		d.loseIndex()
		d.start()
	}
}

// quiet tells whether all devices but one are at rest, and where they are.
func (w *simWorld) quiet(but *simDevice) (heads []entry.Sequence, quiet bool) {
	for _, d := range w.devices {
		if d == but {
			continue
		}
		if !d.up() || len(d.coros) > 0 && !d.idle() {
			return nil, false
		}
		s := d.a.published
		if !s.Quiet || s.State != InSync {
			return nil, false
		}
		for _, o := range w.devices {
			if o != d && o != but && !s.Members[o.id].Same {
				return nil, false
			}
		}
		heads = append(heads, s.Head)
	}
	return heads, true
}

// idle forgets what ran beside the actor and has ended.
func (d *simDevice) idle() bool {
	d.coros = slices.DeleteFunc(d.coros, func(c *simCoro) bool { return c.done })
	return len(d.coros) == 0
}

// peace is some time in which the people at one device do something and nobody
// else does: all devices must come to have just what that made.
func (w *simWorld) peace(c simCalm) {
	if w.failed != nil {
		return
	}
	w.note("all", "* %v", c)
	var away *simDevice
	if c.away >= 0 {
		away = w.devices[c.away]
		if c.down {
			away.stop()
		} else {
			w.unlinked(away)
		}
	}
	d := w.devices[c.user]
	for _, seed := range c.acts {
		rng := rand.New(rand.NewPCG(seed, 4))
		act := simActs[rng.IntN(len(simActs))]
		w.users.act(d, act, rng)
		w.users.closeEdit(d)
		w.run(w.now + int64(rng.IntN(int(time.Second))))
	}
	made := d.disk.Items()
	w.settle(away)
	if away != nil {
		if c.lose {
			away.loseIndex()
		}
		w.run(w.now + int64(c.lasts))
		away.start()
		for _, o := range w.devices {
			if o != away && !w.connected(away, o) {
				w.connect(away, o)
			}
		}
		w.settle(nil)
	}
	w.judge()
	if w.failed == nil {
		w.asMade(d, made, c.lose)
	}
}

// asMade checks that the tree is what its user made. A device whose index was
// lost may have put more there, that was unknown, even in the place of a file,
// which is beside it then.
func (w *simWorld) asMade(d *simDevice, made []treetest.Item, more bool) {
	now := d.disk.Items()
	if more {
		have := simMarks(now)
		for m := range simMarks(made) {
			if !have[m] {
				w.fail("not as made", "the user of %s made %s, and it is gone", d.name, m)
			}
		}
		return
	}
	if diff := simDiff(made, now); diff != "" {
		w.fail("not as made", "the user of %s made something, and it became something else: %s", d.name, diff)
	}
}
