package folder_test

import (
	"fmt"
	"testing"

	"github.com/kithmesh/kith/index"
)

// All files of a folder are doomed by one device, which also brings many new
// ones: before, after, or both.
func TestAMassChangeStaysHeldHoweverMuchItsAuthorBrings(t *testing.T) {
	const files, more = 30, 200
	for _, c := range []struct {
		name          string
		before, after bool
		doom          func(h *hand, p string)
	}{
		{"deletes after a flood", true, false, (*hand).remove},
		{"deletes and then a flood", false, true, (*hand).remove},
		{"rewrites within a flood", true, true, func(h *hand, p string) { h.write(p, "encrypted "+p) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, a, b := braked(t, 0)
			for i := range files {
				b.write(name(i), fmt.Sprint("content ", i))
			}
			w.settle()
			flood := func(dir string) {
				for i := range more {
					a.write(fmt.Sprintf("%s/%d", dir, i), fmt.Sprint(dir, " ", i))
				}
			}
			if c.before {
				flood("before")
				w.settle()
				a.rename("before", "and renamed")
				w.settle()
			}
			apart(w, a, b, func() {
				for i := range files {
					c.doom(a, name(i))
				}
			})
			b.holding()
			if c.after {
				flood("after")
				a.quiet()
				w.heard(b.device, a.device)
				b.soon("flooded", func(x *index.Folder) bool { return x.WantedTotals().Paths == files })
			}
			h := b.holding()
			if len(h.Batch.Files) != files {
				t.Errorf("%d of %d are held", len(h.Batch.Files), files)
			}
			for i := range files {
				b.has(name(i), text(fmt.Sprint("content ", i)))
			}
			b.reject(h.ID)
			w.settle()
			w.agree()
		})
	}
}
