package folder_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/protocol/exchange"
)

// teller tells one device what another has, a batch at a time and by hand.
type teller struct {
	*line
	after exchange.Start
}

func (w *world) byHand(from, to *device) *teller {
	w.t.Helper()
	h := &teller{line: &line{from: from, to: to, news: make(chan struct{}, 1)}}
	w.must(to.folder.Attach(context.Background(), h, from.folder.State()))
	h.after = *h.started()
	return h
}

// started is the last that the listener asked for.
func (h *teller) started() (last *exchange.Start) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.replies {
		if s, ok := r.(exchange.Start); ok {
			last = &s
		}
	}
	return last
}

// batch is what comes next, of up to n changes.
func (h *teller) batch(n int) exchange.Batch {
	h.to.w.t.Helper()
	b, err := h.from.folder.Records(context.Background(), h.to.id, h.after.After, exchange.Limit{Records: n, Bytes: 1 << 20})
	h.to.w.must(err)
	h.after.After = b.Through
	return b
}

func (h *teller) tell(b exchange.Batch) {
	h.to.w.t.Helper()
	h.to.w.must(h.to.folder.Hear(context.Background(), h.from.id, b, nil))
}

func (h *teller) leave() {
	h.to.w.t.Helper()
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
	h.to.w.must(h.to.folder.Detach(context.Background(), h.from.id))
}

// soon waits until something is so of the index.
func (d *device) soon(what string, ok func(x *index.Folder) bool) {
	d.w.t.Helper()
	late := time.After(deadline / 5)
	for {
		changed := d.folder.Watch()
		so := false
		d.read(func(x *index.Folder) error { so = ok(x); return nil })
		if so {
			return
		}
		select {
		case <-changed:
		case <-late:
			d.w.t.Fatalf("%s: not %s: %+v%v", d.name, what, d.folder.Status(), d.files())
		}
	}
}

func TestWhatWaitedForWordFromAMemberGoesOnWhenItLeaves(t *testing.T) {
	w, a, b := two(t)
	a.write("a", "one")
	w.settle()
	w.cut(a, b)
	a.write("copy of a", "one")
	a.quiet()
	a.write("z", "z")
	a.quiet()
	h := w.byHand(a, b)
	h.tell(h.batch(1)) // the copy might be a move, as there is more to come
	h.leave()
	b.soon("copied", func(x *index.Folder) bool { return x.WantedTotals().Paths == 0 })
	if _, err := os.Stat(b.path("copy of a")); err != nil {
		t.Error(err)
	}
}

func TestAVersionThatIsForgottenHoldsUpNoDelete(t *testing.T) {
	w, a, b := two(t)
	a.write("a", "X")
	w.settle()
	w.cut(a, b)
	a.rename("a", "b")
	a.quiet()
	b.down()
	b.skew = time.Hour
	b.up()
	b.write("b", "Y") // wins
	b.quiet()
	h := w.byHand(a, b)
	h.tell(h.batch(100))
	b.soon("deleted", func(x *index.Folder) bool { return x.WantedTotals().Paths == 0 })
	h.leave()
	w.link(a, b)
	w.settle()
	w.agree()
}

func TestBatchesUnderWayWhenTheRulesChangeAreNoFault(t *testing.T) {
	w, a, b := two(t)
	w.settle()
	w.cut(a, b)
	a.write(".kithignore", "nothing\n")
	a.quiet()
	a.write("f", "f")
	a.quiet()
	h := w.byHand(a, b)
	first, second := h.batch(1), h.batch(1)
	began := h.started().After
	h.tell(first)
	b.await("the rules", func(folder.Status) bool { return h.asked() > 1 })
	if h.started().After != 0 || began != 0 {
		t.Fatal("the listener does not begin anew")
	}
	h.tell(second) // was on its way when the listener asked to begin anew
}

// asked is how often the listener has asked to be told.
func (h *teller) asked() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.replies {
		if _, ok := r.(exchange.Start); ok {
			n++
		}
	}
	return n
}

func TestWhatIsIgnoredHereIsNotTakenThoughItWasHeardWhileTheTreeWasAway(t *testing.T) {
	w, a, b := two(t)
	w.settle()
	b.write(".kith/ignore", "*.log\n")
	b.down()
	b.up().quiet()
	w.link(a, b)
	ctx, cancel := bounded()
	defer cancel()
	w.must(os.Rename(b.root, b.root+".away"))
	w.must(b.folder.Check(ctx))
	a.write("x.log", "log")
	a.write("y", "y")
	a.quiet()
	b.await("what is heard", func(s folder.Status) bool { return s.State == folder.Failed && s.NeedFiles >= 1 })
	w.heard(b, a)
	w.must(os.Rename(b.root+".away", b.root))
	w.must(b.folder.Check(ctx))
	w.settle()
	if f := b.files(); f["x.log"] != "" || f["y"] == "" {
		t.Error(f)
	}
}

func TestADeletedDirectoryDoesNotComeBackForAnIgnoredFileThatWasOnceSynced(t *testing.T) {
	w, a, b := two(t)
	a.write("d/x.log", "log")
	a.write("d/y", "y")
	w.settle()
	a.write(".kithignore", "*.log\n")
	w.settle()
	a.remove("d")
	w.settle()
	if f := a.files(); f["d"] != "" {
		t.Error(f)
	}
	if f := b.files(); f["d/y"] != "" || f["d/x.log"] == "" {
		t.Error(f)
	}
}

func TestNoStagedFileOutlivesItsUse(t *testing.T) {
	w, a, b := two(t)
	w.settle()
	w.cut(a, b)
	a.write("f", string(make([]byte, 3<<20)))
	a.quiet()
	h := w.byHand(a, b)
	h.gone = true // gives no block
	h.tell(h.batch(10))
	b.await("trouble", func(s folder.Status) bool { return len(s.Problems) > 0 })
	h.leave()
	a.write("f", "small")
	a.quiet()
	w.link(a, b)
	w.settle()
	w.agree()
}

func TestWhatCannotBeSyncedIsShown(t *testing.T) {
	w := newWorld(t, "anna")
	a := w.all[0].up()
	if err := mkfifo(a.path("fifo")); err != nil {
		t.Skip(err)
	}
	a.quiet()
	special := func(p folder.Problem) bool { return p.Code == "special_file" && p.Path == "fifo" }
	if s := a.folder.Status(); !slices.ContainsFunc(s.Problems, special) {
		t.Errorf("%+v", s)
	}
}
