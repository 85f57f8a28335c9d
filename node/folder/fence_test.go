package folder_test

import (
	"testing"

	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/protocol/exchange"
)

// A member has seen more of this device than its index remembers.
func TestAFencedFolderStaysFencedWhenItIsStartedAnew(t *testing.T) {
	w := newWorld(t, "anna")
	a := w.all[0].up()
	a.write("f", "one")
	a.quiet()
	now := a.folder.State()
	ctx, cancel := bounded()
	defer cancel()
	w.must(a.folder.Started(ctx, "device-x", exchange.Start{Folder: w.id, Index: now.Index, Seen: 100}))
	fenced := func(s folder.Status) bool { return s.State == folder.Fenced }
	a.await("the fence", fenced)
	a.down()
	a.up()
	a.write("g", "two") // would be numbered as an event that others know
	a.await("an end of scanning", func(s folder.Status) bool { return s.State != folder.Scanning })
	if s := a.folder.Status(); !fenced(s) {
		t.Errorf("after a restart: %+v", s)
	}
}
