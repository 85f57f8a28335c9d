package folder_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/brake"
)

// tight are limits that need few files.
var tight = brake.Limits{Files: 10, Share: 50}

// braked are two devices that share so many files; the second brakes early.
func braked(t *testing.T, files int) (w *world, a, b *hand) {
	t.Helper()
	w = newWorld(t, "anna", "ben")
	a, b = handOf(w.all[0]), handOf(w.all[1])
	b.limit = tight
	if files >= 1000 {
		b.limit = brake.Default
	}
	for i := range files {
		a.write(name(i), fmt.Sprint("content ", i))
	}
	a.up()
	b.up()
	w.link(a.device, b.device)
	w.settle()
	return w, a, b
}

func name(i int) string { return fmt.Sprintf("d%d/%04d", i%7, i) }

// holding waits until a device holds a batch, and nothing else is going on.
func (h *hand) holding() folder.Held {
	h.w.t.Helper()
	h.await("the brake", func(s folder.Status) bool { return s.State == folder.Braked && s.Held == 1 })
	return h.batch()
}

// batch is the one that is held.
func (h *hand) batch() (one folder.Held) {
	h.w.t.Helper()
	h.does("held", func(ctx context.Context) error {
		all, err := h.folder.Held(ctx)
		if err == nil && len(all) != 1 {
			err = fmt.Errorf("%d batches", len(all))
		}
		if err == nil {
			one = all[0]
		}
		return err
	})
	return one
}

func (h *hand) approve(id string) {
	h.w.t.Helper()
	h.does("approve", func(ctx context.Context) error { _, err := h.folder.Approve(ctx, id); return err })
}

func (h *hand) reject(id string) {
	h.w.t.Helper()
	h.does("reject", func(ctx context.Context) error { _, err := h.folder.Reject(ctx, id); return err })
}

// count is how many files lie on a device.
func (d *device) count() (n int) {
	for _, f := range d.files() {
		if len(f) > 4 && f[:4] == "file" {
			n++
		}
	}
	return n
}

// apart makes changes on a while it is on its own, so that they come at once.
func apart(w *world, a, b *hand, change func()) {
	w.t.Helper()
	w.cut(a.device, b.device)
	change()
	a.quiet()
	w.link(a.device, b.device)
}

// comes waits until a file has just this content, or none lies there if that is
// empty.
func (h *hand) comes(p, content string) {
	h.w.t.Helper()
	there := func() string { b, _ := os.ReadFile(filepath.Join(h.root, p)); return string(b) }
	end, tick := time.After(10*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for there() != content {
		select {
		case <-tick.C:
		case <-end:
			h.w.t.Fatalf("%s has %.80q at %q, and %.80q does not come", h.name, there(), p, content)
		}
	}
}

func TestWhatMovesInTwoStepsIsNotHeldWithTheRest(t *testing.T) {
	for _, files := range []int{30, 1500} {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			t.Parallel()
			w, a, b := braked(t, files)
			last := name(files - 1)
			apart(w, a, b, func() {
				for i := range files * 9 / 10 {
					a.remove(name(i))
				}
			})
			w.heard(b.device, a.device)
			h := b.holding()
			a.write("moved", fmt.Sprint("content ", files-1))
			b.comes("moved", fmt.Sprint("content ", files-1))
			a.remove(last) // heard alone, it looks like one more that is taken away
			b.comes(last, "")
			if again := b.holding(); again.ID != h.ID {
				t.Errorf("%d files were held, and %d are", len(h.Batch.Files), len(again.Batch.Files))
			}
		})
	}
}

func TestWhatHasMovedInTwoStepsIsNoReasonToHoldWhatFollows(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 0)
	for i := range 30 { // none of what anna brought
		b.write(name(i), fmt.Sprint("content ", i))
	}
	w.settle()
	for i := range 16 {
		content := fmt.Sprint("content ", i)
		a.write(fmt.Sprint("moved/", i), content)
		b.comes(fmt.Sprint("moved/", i), content)
		a.remove(name(i))
		b.comes(name(i), "")
	}
	a.remove(name(20))
	w.settle()
	w.agree()
}

func TestAMassDeleteIsHeldAndAppliedWhenApproved(t *testing.T) {
	for _, files := range []int{20, 1000} {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			t.Parallel()
			w, a, b := braked(t, files)
			if files > 100 {
				w.limit.Records = 50 // it comes in many parts
			}
			apart(w, a, b, func() {
				for i := range files * 9 / 10 {
					a.remove(name(i))
				}
			})
			w.heard(b.device, a.device)
			h := b.holding()
			if h.Deletes != int64(files*9/10) || h.Rewrites != 0 || h.Author != "anna" || h.Files != int64(files) {
				t.Errorf("held: %d deletes, %d rewrites by %s of %d files", h.Deletes, h.Rewrites, h.Author, h.Files)
			}
			if n := b.count(); n != files {
				t.Errorf("%d files are left", n)
			}
			b.approve(h.ID)
			w.settle()
			w.agree()
		})
	}
}

func TestARewriteOfMuchIsHeldAndOfLessIsNot(t *testing.T) {
	for _, c := range []struct {
		share int
		held  bool
	}{{40, false}, {90, true}} {
		t.Run(fmt.Sprint(c.share, " percent"), func(t *testing.T) {
			t.Parallel()
			w, a, b := braked(t, 100)
			apart(w, a, b, func() {
				for i := range c.share {
					a.write(name(i), fmt.Sprint("of another branch ", i))
				}
			})
			if c.held {
				h := b.holding()
				if h.Rewrites != int64(c.share) || h.Deletes != 0 {
					t.Errorf("%d rewrites, %d deletes", h.Rewrites, h.Deletes)
				}
				b.has(name(1), text("content 1"))
				b.approve(h.ID)
			}
			w.settle()
			w.agree()
		})
	}
}

func TestWhatRewritesAFileAtATimeIsHeldInTheEnd(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 40)
	for i := range 40 {
		a.write(name(i), fmt.Sprint("encrypted ", i))
		a.quiet()
		w.heard(b.device, a.device)
		b.calm()
	}
	h := b.holding()
	if whole := 40 - len(h.Batch.Files); whole < 15 || whole > 21 {
		t.Errorf("%d of 40 went through", whole)
	}
	b.reject(h.ID)
	w.settle()
	w.agree()
	w.holds("content 39", "content 30")
}

func TestARenameOfADirectoryIsNotHeld(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 0)
	const n = 2000
	w.limit.Records = 100 // it comes in many parts
	for i := range n {
		a.write(fmt.Sprintf("old/%d/%d", i%10, i), fmt.Sprint("content ", i))
	}
	w.settle()
	w.costs(0, "a rename", func() {
		a.rename("old", "new")
		w.settle()
	})
	if s := b.folder.Status(); s.Held != 0 {
		t.Errorf("%d batches are held", s.Held)
	}
	if got := b.at("new/7/1997"); got != text("content 1997") {
		t.Error(got)
	}
}

func TestACopyThatGoesWithTheOthersIsNoReasonToLetThemGo(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 0)
	for i := range 20 {
		a.write(fmt.Sprintf("photos/%d", i), fmt.Sprint("photo ", i))
		a.write(fmt.Sprintf("photos of last year/%d", i), fmt.Sprint("photo ", i))
	}
	w.settle()
	apart(w, a, b, func() { a.remove("photos"); a.remove("photos of last year") })
	h := b.holding()
	if h.Deletes != 40 {
		t.Errorf("%d deletes are held", h.Deletes)
	}
	b.reject(h.ID)
	w.settle()
	if n := len(w.agree()); n != 42 {
		t.Errorf("%d paths", n)
	}
}

func TestOneOfTwoCopiesMayGo(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 0)
	for i := range 20 {
		a.write(fmt.Sprintf("photos/%d", i), fmt.Sprint("photo ", i))
		a.write(fmt.Sprintf("copies/%d", i), fmt.Sprint("photo ", i))
	}
	w.settle()
	apart(w, a, b, func() { a.remove("copies") })
	w.settle()
	w.agree()
}

func TestADiskThatIsUnmountedIsHeldEvenIfItsMarkerIsThere(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 30)
	w.cut(a.device, b.device)
	for _, d := range []string{"d0", "d1", "d2", "d3", "d4", "d5", "d6"} {
		w.must(os.RemoveAll(a.path(d))) // the mount is inside of the folder
	}
	a.quiet()
	w.link(a.device, b.device)
	if h := b.holding(); h.Deletes != 30 {
		t.Errorf("%d deletes", h.Deletes)
	}
	b.reject(b.batch().ID)
	w.settle()
	if n := a.count(); n != 30 {
		t.Errorf("%d files came back", n)
	}
}

func TestARoleThatTakesNothingHoldsNothing(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 30)
	apart(w, a, b, func() {
		for i := range 20 {
			a.remove(name(i))
		}
	})
	b.holding()
	b.become(entry.RoleSend)
	w.settle()
	if s := b.folder.Status(); s.State != folder.InSync || s.Held != 0 || s.Untaken == 0 {
		t.Errorf("%+v", s)
	}
	b.become(entry.RoleSync)
	b.holding()
}

func TestAFileThatIsSavedAllTheTimeIsNotHeld(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 20)
	for i := range 15 {
		a.write(name(3), fmt.Sprint("saved ", i))
		a.quiet()
		w.heard(b.device, a.device)
		b.calm()
	}
	if s := b.folder.Status(); s.Held != 0 {
		t.Errorf("%d batches are held", s.Held)
	}
	w.settle()
	w.agree()
}
