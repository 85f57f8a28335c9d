package folder_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
)

// What lives in a directory is heard of before the directory itself whenever
// that was changed later: members tell each path where it last changed. No mode
// that a person gave may be lost by that.

// late is a teller that does something before content is first fetched from it.
// While it tells, the clock of who listens stands still: however slow a machine
// is, nobody has been silent for long.
type late struct {
	*teller
	first func()
	once  sync.Once
	still atomic.Pointer[time.Time]
}

func (l *late) Fetch(ctx context.Context, ids []entry.BlockID, got func(i int, sealed []byte) error) error {
	l.once.Do(l.first)
	return l.teller.Fetch(ctx, ids, got)
}

// toldLate has anna make something in a directory, after which she makes its
// directories private, from above. Ben has the topmost already. She is
// to tell it to him by hand.
func toldLate(t *testing.T, earlier, last func(a *device), private ...string) (w *world, a, b *device, h *late) {
	t.Helper()
	w, h = newWorld(t, "anna", "ben"), &late{first: func() {}}
	a, b = w.all[0].up(), w.all[1]
	b.skew = time.Hour // what it makes would win
	b.options = func(o *folder.Options) {
		o.Clock = func() time.Time {
			if at := h.still.Load(); at != nil {
				return *at
			}
			return b.clock()
		}
	}
	w.link(a, b.up())
	a.write("top/keep", "")
	earlier(a)
	w.settle()
	w.cut(a, b)
	now := b.clock()
	h.still.Store(&now)
	h.teller = w.byHand(a, b)
	w.must(b.folder.Attach(context.Background(), h, a.folder.State()))
	last(a)
	a.quiet()
	for _, p := range private {
		a.chmod(p, 0o700)
		a.quiet()
	}
	return w, a, b, h
}

func never(*device) {}

// end has all be told, and demands that the directories are private on both.
func (h *late) end(private ...string) {
	h.to.w.t.Helper()
	h.still.Store(nil)
	h.to.soon("there", func(x *index.Folder) bool { return x.WantedTotals().Paths == 0 })
	h.leave()
	h.to.w.link(h.from, h.to)
	h.to.w.settle()
	h.to.w.agree()
	for _, p := range private {
		h.to.has(p, "directory 700")
		h.from.has(p, "directory 700")
	}
}

// unchanged demands that nobody but its author has changed a path.
func (d *device) unchanged(p entry.Path) {
	d.w.t.Helper()
	if e := d.entries()[p]; e == nil || len(e.Version.Vector) != 1 {
		d.w.t.Errorf("%s: others than its author have changed %q: %+v", d.name, p, e)
	}
}

func TestADirectoryIsNotMadeWhileItsMakerMayStillTellOfIt(t *testing.T) {
	t.Parallel()
	_, _, b, h := toldLate(t, never, func(a *device) { a.symlink("top/sub/link", "x") }, "top/sub")
	h.tell(h.batch(1)) // the link
	for range 50 {
		b.turn()
	}
	b.has("top/sub", "")
	h.tell(h.batch(100))
	h.end("top/sub")
	b.unchanged("top/sub")
}

func TestADirectoryIsNotMadeThatIsToldOfWhileItsFileIsFetched(t *testing.T) {
	t.Parallel()
	_, _, b, h := toldLate(t, never, func(a *device) { a.write("top/sub/deep/f", "content") }, "top/sub/deep", "top/sub")
	f, deep, sub := h.batch(1), h.batch(1), h.batch(1)
	f.Head = f.Through                // it seems that there is no more to tell
	h.first = func() { h.tell(deep) } // which waits for its own directory to be told of
	h.tell(f)
	b.soon("told of", func(x *index.Folder) bool { w, err := x.Wanted("top/sub/deep"); return err != nil || len(w) > 0 })
	for range 50 {
		b.turn()
	}
	b.has("top/sub", "")
	h.tell(sub)
	h.end("top/sub/deep", "top/sub")
	b.has("top/sub/deep/f", text("content"))
	b.unchanged("top/sub/deep")
	b.unchanged("top/sub")
}

// One that had to be made, as its maker was silent for long, gives way to what
// its maker tells after all.
func TestADirectoryThatHadToBeMadeGivesWayToThatOfItsMaker(t *testing.T) {
	t.Parallel()
	for name, earlier := range map[string]func(a *device){
		"nothing was there":       never,
		"a file was there":        func(a *device) { a.write("top/sub", "a file"); a.quiet(); a.remove("top/sub") },
		"a directory was there":   func(a *device) { a.mkdir("top/sub"); a.quiet(); a.remove("top/sub") },
		"the same was there once": func(a *device) { a.write("top/sub/f", "content"); a.quiet(); a.remove("top/sub") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, b, h := toldLate(t, earlier, func(a *device) { a.write("top/sub/f", "content") }, "top/sub")
			f := h.batch(1)
			f.Head = f.Through
			h.tell(f)
			b.soon("made", func(x *index.Folder) bool { e, err := x.Get("top/sub/f"); return err == nil && e != nil && e.Lives() })
			b.has("top/sub", "directory 755")
			h.tell(h.batch(100))
			h.end("top/sub")
			b.has("top/sub/f", text("content"))
		})
	}
}

// turn waits until a folder has come round once more.
func (d *device) turn() {
	d.w.t.Helper()
	ctx, cancel := bounded()
	defer cancel()
	_, err := d.folder.Missing(ctx, "")
	d.w.must(err)
}
