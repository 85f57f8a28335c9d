package folder_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/brake"
)

func TestABatchThatGrewIsNotTheOneThatWasShown(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 30)
	apart(w, a, b, func() {
		for i := range 20 {
			a.remove(name(i))
		}
	})
	old := b.holding()
	a.remove(name(20))
	a.quiet()
	w.heard(b.device, a.device)
	ctx, cancel := bounded()
	defer cancel()
	for what, settle := range map[string]func(context.Context, string) (folder.Held, error){"approve": b.folder.Approve, "reject": b.folder.Reject} {
		if _, err := settle(ctx, old.ID); !errors.Is(err, folder.ErrNoBatch) {
			t.Errorf("%s of what it was: %v", what, err)
		}
	}
	now := b.holding()
	if len(now.Batch.Files) != 21 || !now.Since.Equal(old.Since) {
		t.Errorf("%d files since %v, held since %v at first", len(now.Batch.Files), now.Since, old.Since)
	}
	b.approve(now.ID)
	w.settle()
	w.agree()
}

func TestAnApprovalIsForTheVersionsThatWereShown(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 30)
	apart(w, a, b, func() {
		for i := range 20 {
			a.write(name(i), fmt.Sprint("rewritten ", i))
		}
	})
	h := b.holding()
	w.cut(a.device, b.device) // it cannot be fetched yet
	b.approve(h.ID)
	for i := range 20 {
		a.write(name(i), fmt.Sprint("rewritten once more ", i))
	}
	a.quiet()
	w.link(a.device, b.device)
	again := b.holding()
	if again.ID == h.ID || len(again.Batch.Files) != 20 {
		t.Errorf("%d files under %s, and before under %s", len(again.Batch.Files), again.ID, h.ID)
	}
	b.has(name(3), text("content 3"))
	b.approve(again.ID)
	w.settle()
	w.agree()
}

func TestAHeldBatchOutlastsARestart(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 30)
	apart(w, a, b, func() {
		for i := range 20 {
			a.remove(name(i))
		}
	})
	h := b.holding()
	b.down()
	b.up()
	w.link(a.device, b.device)
	a.write("beside", "beside")
	a.quiet()
	w.heard(b.device, a.device)
	if again := b.holding(); again.ID != h.ID {
		t.Errorf("%s became %s", h.ID, again.ID)
	}
	b.has("beside", text("beside"))
	if n := b.count(); n != 31 {
		t.Errorf("%d files are left", n)
	}
	b.reject(b.batch().ID)
	w.settle()
	if len(w.agree()) != 31+7 {
		t.Error(a.files())
	}
}

func TestAnApprovalOutlastsARestart(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 30)
	apart(w, a, b, func() {
		for i := range 20 {
			a.write(name(i), fmt.Sprint("rewritten ", i))
		}
	})
	h := b.holding()
	w.cut(a.device, b.device) // it cannot be fetched yet
	b.approve(h.ID)
	b.down()
	b.up()
	b.calm()
	if s := b.folder.Status(); s.Held != 0 {
		t.Errorf("%d batches are held", s.Held)
	}
	w.link(a.device, b.device)
	w.settle()
	w.agree()
	b.has(name(3), text("rewritten 3"))
}

func TestAHeldBatchHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "anna", "ben", "carla")
	a, b, c := handOf(w.all[0]), handOf(w.all[1]), handOf(w.all[2])
	b.limit, c.limit = tight, brake.Limits{Files: 1000, Share: 100}
	for i := range 30 {
		a.write(name(i), fmt.Sprint("content ", i))
	}
	a.up()
	b.up()
	c.up()
	w.linkAll()
	w.settle()
	apart(w, a, b, func() {
		for i := range 20 {
			a.remove(name(i))
		}
	})
	h := b.holding()
	a.write(name(25), "edited by anna") // which joins what is held of hers
	a.write("new by anna", "new")
	c.write("new by carla", "new")
	c.remove(name(26))
	b.write("new by ben", "new")
	a.rename(name(27), "moved")
	for _, d := range w.all {
		d.quietly()
	}
	w.heard(b.device, a.device)
	w.heard(b.device, c.device)
	h2 := b.holding()
	for p, want := range map[string]string{
		name(25): text("content 25"), "new by anna": text("new"), "new by carla": text("new"), name(26): "",
		"moved": text("content 27"), name(27): "", name(3): text("content 3"),
	} {
		b.has(p, want)
	}
	a.has("new by ben", text("new"))
	if len(h2.Batch.Files) != len(h.Batch.Files)+1 {
		t.Errorf("%d files were held, and %d are", len(h.Batch.Files), len(h2.Batch.Files))
	}
	b.reject(h2.ID)
	w.settle()
	w.agree()
	w.holds("content 3", "content 25")
}

// quietly is quiet for a device that holds a batch.
func (d *device) quietly() { d.w.t.Helper(); d.scan(); d.calm() }

func TestARejectGivesAllDevicesTheirFilesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "anna", "ben", "carla")
	a, b, c := handOf(w.all[0]), handOf(w.all[1]), handOf(w.all[2])
	b.limit, c.limit = tight, brake.Limits{Files: 1000, Share: 100}
	for i := range 30 {
		a.write(name(i), fmt.Sprint("content ", i))
	}
	a.up()
	b.up()
	c.up()
	w.linkAll()
	w.settle()
	before := a.files()
	w.cut(b.device, c.device)
	apart(w, a, b, func() {
		for i := range 10 {
			a.remove(name(i))
			a.write(name(10+i), "encrypted "+fmt.Sprint(i))
		}
	})
	h := b.holding() // of all that anna did: carla has it in two parts
	w.link(b.device, c.device)
	w.heard(c.device, a.device)
	c.calm() // it lets all through
	w.heard(b.device, c.device)
	if again := b.holding(); again.ID != h.ID || len(again.Batch.Files) != 20 {
		t.Errorf("%d files are held under %s, and before under %s", len(again.Batch.Files), again.ID, h.ID)
	}
	b.reject(h.ID)
	w.settle()
	after := w.agree()
	for p, f := range before {
		if after[p] != f {
			t.Errorf("%q was %.40q, is %.40q", p, f, after[p])
		}
	}
}

// slow is a teller that gives no content before it may.
type slow struct {
	*teller
	asked chan error
	may   chan struct{}
	once  sync.Once
}

func (w *world) slowly(from, to *device) *slow {
	w.t.Helper()
	s := &slow{
		teller: &teller{line: &line{from: from, to: to, news: make(chan struct{}, 1)}},
		asked:  make(chan error), may: make(chan struct{}),
	}
	w.must(to.folder.Attach(context.Background(), s, from.folder.State()))
	s.after = *s.started()
	return s
}

func (s *slow) Fetch(ctx context.Context, ids []entry.BlockID, got func(i int, sealed []byte) error) error {
	s.once.Do(func() { close(s.asked) })
	select {
	case <-s.may:
		return s.teller.Fetch(ctx, ids, got)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestWhatIsOnItsWayIsHeldWithWhatComesAfterIt(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 30)
	w.cut(a.device, b.device)
	for i := range 10 {
		a.write(name(i), fmt.Sprint("rewritten ", i))
	}
	a.quiet()
	s := w.slowly(a.device, b.device)
	s.tell(s.batch(100))
	w.must(within(deadline, s.asked)) // too few to be held, and on their way
	for i := range 10 {
		a.remove(name(10 + i))
	}
	a.quiet()
	s.tell(s.batch(100))
	b.await("the brake", func(s folder.Status) bool { return s.Held == 1 })
	shown := b.batch()
	close(s.may)
	h := b.holding()
	if h.ID != shown.ID || h.Deletes != 10 || h.Rewrites != 10 {
		t.Errorf("%d deletes and %d rewrites are held under %s, and were shown under %s", h.Deletes, h.Rewrites, h.ID, shown.ID)
	}
	for i := range 20 {
		b.has(name(i), text(fmt.Sprint("content ", i)))
	}
	s.leave()
	b.approve(h.ID)
	w.link(a.device, b.device)
	w.settle()
	w.agree()
}
