package folder_test

import (
	"os"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/folder"
)

// A tree that went away while nothing else goes on is noticed, and is not
// looked for without a pause.
func TestATreeThatGoesAwayIsNoticedAndLeftInPeace(t *testing.T) {
	w, a, b := two(t)
	a.write("f", "one")
	w.settle()
	w.must(os.Rename(a.root, a.root+".away"))
	a.await("the tree to be missed", func(s folder.Status) bool { return s.State == folder.Failed })
	a.busyless(300 * time.Millisecond)
	if f := b.files(); f["f"] == "" {
		t.Error("what went away with the tree was deleted elsewhere")
	}
	w.must(os.Rename(a.root+".away", a.root))
	ctx, cancel := bounded()
	defer cancel()
	w.must(a.folder.Check(ctx))
	w.settle()
	w.agree()
}
