package folder

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"syscall"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder/gather"
	"github.com/kithmesh/kith/node/folder/look"
	"github.com/kithmesh/kith/node/tree/treetest"
)

// around is what the actor of a device stands on: all of it in the hands of
// the simulation.
func (d *simDevice) around() around {
	o := world()
	o.open = d.open
	o.update = d.update
	o.random = func() uint64 { return d.chance.Uint64() | 1 }
	o.beside = func(_ *disk, fn func()) { d.spawn(fn) }
	o.join = func(*disk) { d.join() }
	o.alone = func(n int) bool { return n > 20 || d.w.chance.IntN(3) == 0 }
	o.offer = d.offer
	o.post = d.post
	if d.w.bug != nil && d.w.bug.plant != nil {
		d.w.bug.plant(d, &o)
	}
	return o
}

func (d *simDevice) open(*actor) (ground, error) {
	t, err := d.disk.Open()
	if err != nil {
		return ground{}, err
	}
	g := ground{
		tree: simFiles{t, d}, look: simLook{t}, gather: simGather{t},
		local: func() ([]byte, error) { return nil, fs.ErrNotExist },
		watch: func(func(entry.Path) bool) watcher {
			d.watch = newSimWatcher(d)
			return d.watch
		},
	}
	if d.w.bug != nil && d.w.bug.ground != nil {
		d.w.bug.ground(d, &g)
	}
	return g, nil
}

// simLook and simGather are a tree in memory as those beside the actor see it.
type simLook struct{ *treetest.Tree }

func (t simLook) OpenFile(p entry.Path) (look.File, error) {
	f, err := t.Tree.OpenFile(p)
	if err != nil {
		return nil, err
	}
	return f, nil
}

type simGather struct{ *treetest.Tree }

func (t simGather) OpenFile(p entry.Path) (gather.File, error) {
	f, err := t.Tree.OpenFile(p)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (t simGather) Stage(name string) (gather.Staged, error) {
	s, err := t.Tree.Stage(name)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (t simGather) StageSymlink(name, target string) (gather.Staged, error) {
	s, err := t.Tree.StageSymlink(name, target)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// update commits to the index. The device may crash before it and after.
func (d *simDevice) update(db *index.DB, fn func(*index.Tx) error) error {
	if d.dead {
		panic(simCrash{d})
	}
	if err := d.point("update", ""); err != nil {
		return err
	}
	err := db.Update(func(tx *index.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if d.w.bug != nil && d.w.bug.commit != nil {
			if err := d.w.bug.commit(d, tx); err != nil {
				return err
			}
		}
		if d.dead { // and something in between has hidden it
			panic(simCrash{d})
		}
		return d.point("commit", "")
	})
	if err == nil {
		d.w.committed(d)
		_ = d.point("committed", "")
	}
	return err
}

// simCoro is something that runs beside an actor: it runs when it is resumed,
// until it has to wait.
type simCoro struct {
	d     *simDevice
	next  func() (time.Duration, bool)
	stop  func()
	yield func(time.Duration) bool
	done  bool
}

// simGone ends what ran beside an actor that is no more.
type simGone struct{}

// forOffer is the pause of one who waits for the actor.
const forOffer = time.Duration(-1)

func (d *simDevice) spawn(fn func()) {
	c := &simCoro{d: d}
	c.next, c.stop = iter.Pull(func(yield func(time.Duration) bool) {
		c.yield = yield
		fn()
	})
	d.coros = append(d.coros, c)
	d.w.after(d.w.short(time.Millisecond), "begin", c.resume)
}

// resume lets it run until it waits again.
func (c *simCoro) resume() {
	d := c.d
	if c.done || !d.up() || d.w.failed != nil {
		return
	}
	d.protect(func() {
		if pause := c.run(); !c.done && pause != forOffer {
			d.w.after(pause, "resume", c.resume)
		}
	})
	if c.done && d.up() {
		d.kick()
	}
}

func (c *simCoro) run() time.Duration {
	w := c.d.w
	before := w.coro
	w.coro = c
	defer func() { w.coro = before }()
	pause, on := c.next()
	c.done = !on
	return pause
}

// abandon ends it where it is.
func (c *simCoro) abandon() {
	if c.done {
		return
	}
	c.done = true
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(simGone); !ok {
				c.d.w.fail("panic", "%s: %v", c.d.name, r)
			}
		}
	}()
	c.stop()
}

// pause lets others run, if that is possible now.
func (c *simCoro) pause(delay time.Duration) {
	if c.d.w.hurry {
		return
	}
	if !c.yield(delay) {
		panic(simGone{})
	}
}

// join waits for all that runs beside the actor.
func (d *simDevice) join() {
	before := d.w.hurry
	d.w.hurry = true
	defer func() { d.w.hurry = before }()
	for _, c := range d.coros {
		for !c.done {
			c.run()
		}
	}
	d.coros = nil
}

// offer hands findings to the actor and waits until they are recorded.
func (d *simDevice) offer(ctx context.Context, a *actor, f []look.Finding) error {
	c := d.w.coro
	found := discovery{f, make(chan error, 1)}
	given := false
	life := d.life
	d.w.after(d.w.short(time.Millisecond), "found", func() {
		if given || d.life != life || ctx.Err() != nil {
			return
		}
		d.turn("found", func() { found.taken <- a.record(found.findings) })
		c.resume()
	})
	for ctx.Err() == nil && len(found.taken) == 0 {
		c.pause(forOffer)
	}
	given = true
	if len(found.taken) > 0 {
		return <-found.taken
	}
	return ctx.Err()
}

// post has the actor call fn in a turn of its own.
func (d *simDevice) post(_ context.Context, f *Folder, fn func(*actor)) error {
	if !d.up() || d.folder != f {
		return ErrStopped
	}
	d.turn("call", func() { fn(d.a) })
	if d.folder != f {
		return ErrStopped
	}
	return nil
}

// point is a step of the device's work, within which something may happen: a
// person may act, the device may crash, the step may fail, others may run.
func (d *simDevice) point(what string, p entry.Path) error {
	w := d.w
	if d.dead {
		return fs.ErrClosed
	}
	w.now += 1000 + int64(w.chance.IntN(20_000))
	w.mark(what)
	w.mark(string(p))
	d.happen(what, p)
	for _, f := range d.faults {
		if err := f.strike(w, what, p); err != nil {
			w.note(d.name, "    %s %q: %v", what, p, err)
			return err
		}
	}
	if w.coro != nil && w.coro.d == d && !w.hurry && w.chance.IntN(4) == 0 {
		w.coro.pause(w.short(2 * time.Millisecond))
	}
	return nil
}

// simInside is something that is to happen at a point within a device's work.
type simInside struct {
	points int    // still to pass
	at     string // only such points count; empty: all
	do     func()
}

func (d *simDevice) happen(what string, p entry.Path) {
	for i := 0; i < len(d.inside); {
		in := d.inside[i]
		if in.at == "" || in.at == what {
			in.points--
		}
		if in.points > 0 {
			i++
			continue
		}
		d.inside = append(d.inside[:i:i], d.inside[i+1:]...)
		d.w.note(d.name, "  at %s %q:", what, p)
		in.do()
		if d.dead {
			panic(simCrash{d})
		}
	}
}

// simFault makes steps of a device's work fail.
type simFault struct {
	err   error
	steps func(what string) bool
	until int64 // of virtual time
	skip  int   // so many are spared
	count int   // so many fail
}

func (f *simFault) strike(w *simWorld, what string, p entry.Path) error {
	if w.calm || w.now > f.until || f.count == 0 || !f.steps(what) {
		return nil
	}
	if f.skip > 0 {
		f.skip--
		return nil
	}
	f.count--
	return fmt.Errorf("%s %q: %w", what, p, f.err)
}

var (
	simFull   = syscall.ENOSPC
	simBroken = syscall.EIO
)
