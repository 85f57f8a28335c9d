package folder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/folder"
)

// lacks tells how much of what ben wrote lies nowhere on his disk any more.
func (h *hand) lacks(n int) (lost int) {
	h.w.t.Helper()
	there := map[string]bool{}
	h.w.must(filepath.WalkDir(h.root, func(p string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(p)
		there[string(b)] = true
		return err
	}))
	for i := range n {
		if !there[fmt.Sprint("content ", i)] {
			lost++
		}
	}
	return lost
}

// takes waits for what a step of another comes to: that it is applied, or held.
func (h *hand) takes(applied func() bool) bool {
	h.w.t.Helper()
	end, tick := time.After(deadline), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !applied() {
		if s := h.folder.Status(); s.State == folder.Braked {
			return false
		}
		select {
		case <-tick.C:
		case <-end:
			h.w.t.Fatalf("a step is neither applied nor held: %+v", h.folder.Status())
		}
	}
	return true
}

func (h *hand) reads(p string) string {
	b, _ := os.ReadFile(filepath.Join(h.root, p))
	return string(b)
}

// TestNoSlowWayTakesAFolderAway: anna takes ben's files one after the other, in
// steps each of which takes away little or nothing.
func TestNoSlowWayTakesAFolderAway(t *testing.T) {
	const files = 30
	for what, step := range map[string]func(w *world, a, b *hand, i int) bool{
		"a copy at one path, and then the original": func(_ *world, a, b *hand, i int) bool {
			content := fmt.Sprint("content ", i)
			a.write("c", content)
			if !b.takes(func() bool { return b.reads("c") == content }) {
				return false
			}
			a.remove(name(i))
			return b.takes(func() bool { return b.reads(name(i)) == "" })
		},
		"moved to one path, and removed there": func(w *world, a, b *hand, i int) bool {
			w.must(os.Rename(a.path(name(i)), a.path("c")))
			if !b.takes(func() bool { return b.reads("c") == fmt.Sprint("content ", i) && b.reads(name(i)) == "" }) {
				return false
			}
			a.remove("c")
			return b.takes(func() bool { return b.reads("c") == "" })
		},
		"a directory in the place of each": func(w *world, a, b *hand, i int) bool {
			w.must(os.Remove(a.path(name(i))))
			w.must(os.Mkdir(a.path(name(i)), 0o755))
			return b.takes(func() bool { st, err := os.Stat(b.path(name(i))); return err == nil && st.IsDir() })
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w, a, b := braked(t, 0)
			for i := range files {
				b.write(name(i), fmt.Sprint("content ", i))
			}
			w.settle()
			for i := 0; i < files && step(w, a, b, i); i++ {
			}
			if n := b.lacks(files); n > files/2+1 {
				t.Errorf("%d of %d files are gone: %+v", n, files, b.folder.Status())
			}
		})
	}
}

// TestWhatMovesToWhereItCannotComeIsHeld: for ben it is taken away.
func TestWhatMovesToWhereItCannotComeIsHeld(t *testing.T) {
	t.Parallel()
	const files = 30
	w, a, b := braked(t, 0)
	for i := range files {
		b.write(name(i), fmt.Sprint("content ", i))
	}
	w.settle()
	w.must(syscall.Mkfifo(b.path("z"), 0o600))
	b.scan()
	apart(w, a, b, func() {
		a.mkdir("z")
		for i := range files {
			w.must(os.Rename(a.path(name(i)), a.path(fmt.Sprint("z/", i))))
		}
	})
	w.heard(b.device, a.device)
	h := b.holding()
	if n := b.lacks(files); n > 0 || h.Deletes != files {
		t.Errorf("%d of %d files are gone, and %d deletes are held", n, files, h.Deletes)
	}
	b.approve(h.ID)
	b.await("what was approved", func(folder.Status) bool { return b.lacks(files) == files })
}

// TestAPathInTroubleKeepsNothingFromMoving: what moves is neither held for it
// nor sent again.
func TestAPathInTroubleKeepsNothingFromMoving(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 0)
	w.limit.Records = 10
	for i := range 100 {
		b.write(fmt.Sprint("a/", i), fmt.Sprint("content ", i))
	}
	w.settle()
	w.must(syscall.Mkfifo(b.path("pipe"), 0o600))
	b.scan()
	w.costs(0, "a rename", func() {
		a.rename("a", "b")
		w.settle()
	})
	if s := b.folder.Status(); s.Held != 0 || b.lacks(100) > 0 {
		t.Errorf("%+v", s)
	}
}

// TestAHoldOfVeryMuchIsSaid though no one pass sees all of it.
func TestAHoldOfVeryMuchIsSaid(t *testing.T) {
	t.Parallel()
	w, a, b := braked(t, 5000)
	apart(w, a, b, func() {
		for i := range 4500 {
			a.remove(name(i))
		}
	})
	w.heard(b.device, a.device)
	if h := b.holding(); h.Deletes != 4500 {
		t.Errorf("%d deletes are held", h.Deletes)
	}
}
