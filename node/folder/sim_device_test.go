package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/folder/merge"
	"github.com/kithmesh/kith/node/tree/treetest"
	"github.com/kithmesh/kith/protocol/seal"
)

// simDevice is one device of a mesh, and what it stands on.
type simDevice struct {
	w      *simWorld
	number int
	name   string
	id     entry.DeviceID
	disk   *treetest.Disk
	chance *rand.Rand
	skew   time.Duration
	begin  bool            // it has made the folder
	path   string          // of the index
	past   map[string]bool // contents in its history

	// The rest ends with a crash.
	life   int // counts its starts and ends
	dead   bool
	dark   bool      // it ends by a loss of power
	db     *index.DB // nil while it is down
	folder *Folder
	a      *actor
	cancel context.CancelFunc
	coros  []*simCoro
	timer  int // counts the times that it was set
	kicked bool
	watch  *simWatcher

	inside  []*simInside // what is to happen at a point within its work
	faults  []*simFault
	counted entry.Sequence // up to which its index was judged
	backup  []byte         // of its index
	strange bool           // its index is an old one, and it may use numbers again
	// fearless: nobody tells it that its index is an old one: a fault to be
	// found.
	fearless bool
}

func newSimDevice(w *simWorld, n int) *simDevice {
	d := &simDevice{
		w: w, number: n, name: simNames[n], id: entry.DeviceID("device-" + simNames[n]),
		chance: rand.New(rand.NewPCG(w.plan.seed, uint64(n)+100)), path: filepath.Join(w.home, fmt.Sprint("index", n)), past: map[string]bool{},
		skew: w.plan.setup[n].skew, begin: w.plan.setup[n].begin,
	}
	d.disk = treetest.New(simID, d.chance)
	d.disk.Clock = func() int64 { return w.time().Add(d.skew).UnixNano() }
	d.disk.Grain = int64(w.plan.setup[n].grain)
	d.disk.Hook = d.point
	d.disk.Noticed = func(p entry.Path, below bool) {
		if d.watch != nil {
			d.watch.notice(p, below)
		}
	}
	d.disk.Placed = func(p entry.Path, body []byte) {
		w.users.placed(d, p, body)
		if merge.IsCopy(p) {
			d.past[string(body)] = true // whoever takes it away from there is a person here
		}
	}
	return d
}

var simNames = []string{"anna", "ben", "carla", "dora", "emil", "fred"}

func (d *simDevice) up() bool { return d.db != nil && !d.dead }

// simCrash ends a device where it is thrown.
type simCrash struct{ d *simDevice }

// start brings the device up, from what is durable.
func (d *simDevice) start() {
	if d.db != nil {
		return
	}
	d.w.note(d.name, "starts")
	d.life++
	d.dead, d.kicked = false, false
	db, err := index.Open(d.path)
	if err != nil {
		d.w.fail("index", "%s: %v", d.name, err)
		return
	}
	d.db, d.counted = db, 0
	d.protect(func() {
		f, err := newFolder(Options{
			ID: simID, Root: "/" + d.name, Name: d.name, Keys: map[entry.Epoch]seal.FolderKey{1: simKey}, DB: db,
			Log: d.log(), Clock: d.clock, Device: d.id, Begin: d.begin,
			Alone:   func() bool { return len(d.w.devices) == 1 },
			Claimed: func(r version.ReplicaID) bool { return d.w.claimed[r] },
			Changed: d.changed, History: simHistory{d},
		}, d.around())
		if err != nil {
			d.w.note(d.name, "does not come up: %v", err)
			panic(simCrash{d})
		}
		f.mail = make(chan func(*actor), 1)
		d.folder, d.a = f, newActor(f)
		d.w.claimed[f.State().Replica] = true
		d.a.ctx, d.cancel = context.WithCancel(context.Background())
		if err := d.a.load(); err != nil {
			d.w.fail("index", "%s: load: %v", d.name, err)
		}
	})
	if d.db == nil { // it went down at once
		return
	}
	d.turn("start", nil)
	d.w.linked(d)
}

func (d *simDevice) clock() time.Time { return d.w.time().Add(d.skew) }

// log is where the folder logs to: the story.
func (d *simDevice) log() *slog.Logger {
	if d.w.story == nil {
		return simSilence
	}
	return slog.New(slog.NewTextHandler(simTeller{d}, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "folder" || a.Key == slog.LevelKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

var simSilence = slog.New(slog.DiscardHandler)

type simTeller struct{ d *simDevice }

func (t simTeller) Write(line []byte) (int, error) {
	t.d.w.note(t.d.name, "    %s", line[:len(line)-1])
	return len(line), nil
}

var _ io.Writer = simTeller{}

// protect calls fn, and takes the device down if it crashed in it.
func (d *simDevice) protect(fn func()) {
	defer func() {
		if r := recover(); r != nil {
			d.recovered(r)
		}
		if d.dead {
			d.down()
		}
	}()
	fn()
}

func (d *simDevice) recovered(r any) {
	if c, ok := r.(simCrash); !ok || c.d != d {
		d.w.fail("panic", "%s: %v\n%s", d.name, r, debug.Stack())
	}
	d.dead = true
}

// turn is one turn of the actor's loop.
func (d *simDevice) turn(what string, fn func()) {
	if !d.up() || d.w.failed != nil {
		return
	}
	d.w.mark(d.name)
	d.w.mark(what)
	d.protect(func() {
		if fn != nil {
			fn()
		}
		d.a.advance()
		if d.a.broken != nil {
			d.w.fail("broken", "%s: %v", d.name, d.a.broken)
			return
		}
		d.a.publish()
	})
	if d.up() {
		d.wait()
		d.kick()
	}
}

// wait sets the timer.
func (d *simDevice) wait() {
	d.timer++
	mine, life := d.timer, d.life
	d.w.after(max(d.a.wait(), time.Microsecond), "timer", func() {
		if d.timer == mine && d.life == life {
			d.turn("timer", nil)
		}
	})
}

// kick has the actor take what waits for it.
func (d *simDevice) kick() {
	if d.kicked || len(d.a.gathered)+len(d.a.looked)+len(d.a.mail) == 0 {
		return
	}
	d.kicked = true
	life := d.life
	d.w.after(d.w.short(200*time.Microsecond), "take", func() {
		if d.life != life {
			return
		}
		d.kicked = false
		d.turn("take", d.take)
	})
}

func (d *simDevice) take() {
	var ready []func()
	if len(d.a.gathered) > 0 {
		ready = append(ready, func() { d.a.finish(<-d.a.gathered) })
	}
	if len(d.a.looked) > 0 {
		ready = append(ready, func() { d.a.lookEnded(<-d.a.looked) })
	}
	if len(d.a.mail) > 0 {
		ready = append(ready, func() { (<-d.a.mail)(d.a) })
	}
	if len(ready) > 0 {
		ready[d.w.chance.IntN(len(ready))]()
	}
}

// stop ends the device in order.
func (d *simDevice) stop() {
	if !d.up() {
		return
	}
	d.w.note(d.name, "stops")
	d.protect(func() {
		d.cancel()
		d.a.stop()
		d.dead = true
	})
}

// crash ends the device as a kill does; what waits for it is gone.
func (d *simDevice) crash() {
	if d.up() {
		d.w.note(d.name, "is killed")
		d.dead = true
		d.down()
	}
}

// down takes away what a crash takes.
func (d *simDevice) down() {
	if d.db == nil {
		return
	}
	d.dead = true
	d.life++
	if d.cancel != nil {
		d.cancel()
	}
	for _, c := range d.coros {
		c.abandon()
	}
	d.disk.Kill()
	if d.dark {
		d.dark = false
		d.w.users.losePower(d)
	}
	if err := d.db.Close(); err != nil {
		d.w.fail("index", "%s: close: %v", d.name, err)
	}
	d.db, d.folder, d.a, d.cancel, d.coros, d.watch = nil, nil, nil, nil, nil, nil
	d.inside = nil
	d.w.unlinked(d)
}

// losePower is a crash that also takes what was not synced.
func (d *simDevice) losePower() {
	d.w.note(d.name, "loses power")
	if d.db == nil {
		d.w.users.losePower(d)
		return
	}
	d.dark = true
	d.crash()
}

// loseIndex takes the index away. It is down then.
func (d *simDevice) loseIndex() {
	d.w.note(d.name, "loses its index")
	d.crash()
	if err := os.Remove(d.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.w.fail("index", "%v", err)
	}
	d.begin, d.strange = false, false
}

// changed is called when there may be something to tell.
func (d *simDevice) changed() { d.w.news(d) }

// view reads the device's index, whether it is up or not.
func (d *simDevice) view(fn func(x *index.Folder) error) {
	if d.db == nil {
		return
	}
	err := d.db.View(func(tx *index.Tx) error {
		x, err := tx.Folder(simID)
		if err != nil {
			return err
		}
		return fn(x)
	})
	if err != nil {
		d.w.fail("index", "%s: %v", d.name, err)
	}
}
