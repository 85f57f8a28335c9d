package folder_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/tree"
	"github.com/kithmesh/kith/protocol/exchange"
	"github.com/kithmesh/kith/protocol/seal"
)

// A world is some devices that share one folder: each has a real tree, a real
// index and a real Folder that runs. Lines between them carry what a peer would
// send, in memory; see line_test.go. When a test ends, what must always hold is
// checked over all trees and indexes; see judge_test.go.
type world struct {
	t     testing.TB
	base  string
	id    entry.FolderID
	key   seal.FolderKey
	limit exchange.Limit // of one batch
	all   []*device
	lines map[[2]*device]*line
}

// deadline is how long anything may take, on a machine that is very busy.
const deadline = 30 * time.Second

func newWorld(t testing.TB, names ...string) *world {
	t.Helper()
	w := &world{
		t: t, id: entry.FolderID{7, 7, 7}, key: seal.FolderKey{1, 2, 3},
		limit: exchange.Limit{Records: 1000, Bytes: 1 << 20}, lines: map[[2]*device]*line{},
	}
	w.base = t.TempDir() // its removal comes after what follows
	t.Cleanup(func() {
		for _, d := range w.all {
			d.down()
			_ = d.db.Close()
		}
	})
	for _, name := range names {
		w.add(name)
	}
	return w
}

// device is one member of the folder.
type device struct {
	w    *world
	name string
	id   entry.DeviceID
	root string
	home string // of its index
	skew time.Duration
	log  *slog.Logger

	db      *index.DB
	folder  *folder.Folder // nil while it is down
	options func(*folder.Options)
	stop    context.CancelFunc
	ended   chan error

	ticks  ticks
	mu     sync.Mutex
	news   map[chan struct{}]struct{} // woken when there may be something to tell
	sealed int                        // blocks given to others
}

// add makes a device with an empty tree; nothing runs before up.
func (w *world) add(name string) *device {
	w.t.Helper()
	base := filepath.Join(w.base, name)
	d := &device{
		w: w, name: name, id: entry.DeviceID("device-" + name), root: filepath.Join(base, "root"),
		home: base, log: slog.New(slog.DiscardHandler), news: map[chan struct{}]struct{}{},
	}
	if *logs {
		d.log = slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("on", name)
	}
	w.must(tree.Create(d.root, w.id))
	d.open()
	w.all = append(w.all, d)
	return d
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// open opens the device's index.
func (d *device) open() {
	d.w.t.Helper()
	db, err := index.Open(filepath.Join(d.home, "index"))
	d.w.must(err)
	d.db = db
}

// up runs the folder.
func (d *device) up() *device {
	d.w.t.Helper()
	d.w.must(d.start())
	return d
}

func (d *device) start() error {
	o := folder.Options{
		ID: d.w.id, Root: d.root, Name: d.name, Keys: map[entry.Epoch]seal.FolderKey{1: d.w.key}, DB: d.db,
		Log: d.log, Clock: d.clock, Device: d.id, Begin: true, Changed: d.wake,
	}
	if d.options != nil {
		d.options(&o)
	}
	f, err := folder.New(o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	d.folder, d.stop, d.ended = f, stop, make(chan error, 1)
	go func() { d.ended <- f.Run(ctx) }()
	return nil
}

// down stops the folder, and cuts its lines first.
func (d *device) down() {
	if d.folder == nil {
		return
	}
	for pair := range d.w.lines {
		if pair[0] == d || pair[1] == d {
			d.w.cut(pair[0], pair[1])
		}
	}
	d.stop()
	if err := within(deadline, d.ended); err != nil {
		d.w.t.Errorf("%s ended: %v", d.name, err)
	}
	d.folder = nil
}

func within(limit time.Duration, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("nothing for %v", limit)
	}
}

// loseIndex is what a device is after a crash of its disk: it has its tree, and
// no memory of it.
func (d *device) loseIndex() {
	d.w.t.Helper()
	d.down()
	d.w.must(d.db.Close())
	d.w.must(os.Remove(filepath.Join(d.home, "index")))
	d.open()
	d.options = func(o *folder.Options) { o.Begin = false }
}

func (d *device) clock() time.Time {
	d.ticks.Add(1)
	return time.Now().Add(d.skew)
}

func (d *device) wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.news {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), deadline)
}

// await waits until the folder's status is as asked for.
func (d *device) await(what string, ok func(folder.Status) bool) folder.Status {
	d.w.t.Helper()
	late := time.After(deadline)
	for {
		changed := d.folder.Watch()
		if s := d.folder.Status(); ok(s) {
			return s
		}
		select {
		case <-changed:
		case err := <-d.ended:
			d.w.t.Fatalf("%s ended while waiting for %s: %v", d.name, what, err)
		case <-late:
			d.w.t.Fatalf("%s never came to %s: %+v", d.name, what, d.folder.Status())
		}
	}
}

// scan records all that is on disk now, but for what is unsteady.
func (d *device) scan() {
	d.w.t.Helper()
	ctx, cancel := bounded()
	defer cancel()
	if err := d.folder.Scan(ctx); err != nil {
		d.w.t.Fatalf("scan %s: %v", d.name, err)
	}
}

// scanBeside begins a scan and waits only until it is under way; whether it
// ends well is no matter.
func (d *device) scanBeside() {
	d.w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	f := d.folder
	go func() { defer close(ended); _ = f.Scan(ctx) }()
	d.w.t.Cleanup(func() { cancel(); <-ended })
	d.await("the scan", func(s folder.Status) bool { return s.State == folder.Scanning })
}

// quiet waits until one device has recorded all that is on its disk.
func (d *device) quiet() {
	d.w.t.Helper()
	d.scan()
	d.await("rest", func(s folder.Status) bool { return s.Quiet })
}

// settle waits until all devices that run have all that those they are linked
// with have, and nothing is left to do.
func (w *world) settle() {
	w.t.Helper()
	for _, d := range w.all {
		if d.folder != nil {
			d.scan()
		}
	}
	heads := ""
	for range 10_000 {
		now := ""
		for _, d := range w.all {
			if d.folder == nil {
				continue
			}
			s := d.await("agreement", func(s folder.Status) bool {
				return s.Quiet && s.State == folder.InSync && d.sameAsLinked(s)
			})
			now += fmt.Sprint(s.Head, " ")
		}
		if now == heads {
			return
		}
		heads = now
	}
	w.t.Fatal("the devices never come to rest")
}

func (d *device) sameAsLinked(s folder.Status) bool {
	for pair := range d.w.lines {
		if pair[0] == d && !s.Members[pair[1].id].Same {
			return false
		}
	}
	return true
}

var logs = flag.Bool("folder-logs", false, "show what the folders log")

// heard waits until one device has heard all that another has to tell now, and
// says in its status what it makes of it.
func (w *world) heard(to, from *device) {
	w.t.Helper()
	to.await("all that was told", func(folder.Status) bool {
		now := from.folder.State()
		var p index.Peer
		to.read(func(x *index.Folder) (err error) { p, err = x.Peer(from.id); return err })
		return p.Epoch == now.Index && p.Received >= now.Head
	})
	ctx, cancel := bounded()
	defer cancel()
	_, err := to.folder.Missing(ctx, "") // answered when the status is published
	w.must(err)
}
