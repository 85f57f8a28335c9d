package folder_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kithmesh/kith/node/folder"
)

func TestDeletesFoundWhileTheTreeIsBeingRemovedAreNotTold(t *testing.T) {
	const n = 50
	file := func(i int) string { return fmt.Sprintf("f%02d", i) }
	for name, during := range map[string]func(a *device){
		"with nothing else going on":         func(*device) {},
		"with a scan under way in between":   func(a *device) { a.scanBeside() },
		"with a new file made in between":    func(a *device) { a.write("new", "new") },
		"with files that have equal content": func(a *device) { a.remove("twin a"); a.remove("twin b") },
	} {
		t.Run(name, func(t *testing.T) {
			w, a, b := two(t)
			for i := range n {
				a.write(file(i), fmt.Sprint("content ", i))
			}
			a.write("twin a", "twins")
			a.quiet()
			a.write("twin b", "twins")
			w.settle()
			before := b.files()
			for i := range n {
				a.remove(file(i))
				if i == n/2 {
					during(a)
				}
			}
			w.must(os.RemoveAll(a.root))
			a.await("the end of the tree", func(s folder.Status) bool { return s.State == folder.Failed })
			w.heard(b, a)
			after := b.files()
			twins := 0
			for p := range before {
				_, there := after[p]
				switch {
				case strings.HasPrefix(string(p), "twin"):
					if there {
						twins++
					}
				case !there:
					t.Errorf("%q was deleted", p)
				}
			}
			// A file that goes just after a copy of it was made counts as moved.
			if twins == 0 {
				t.Error("both twins were deleted")
			}
		})
	}
}
