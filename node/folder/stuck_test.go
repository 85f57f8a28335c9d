package folder_test

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/folder"
)

// What a member tells meets a path that a program has just begun to write, so
// that it cannot be recorded yet. The folder has to wait without standing
// still, and without working itself to death.
func TestAChangeWaitsForAFileThatIsBeingWritten(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(a *device)
		told    func(a *device)
		written string
	}{
		"a delete":                {func(a *device) { a.write("f", "one") }, func(a *device) { a.remove("f") }, "f"},
		"an edit":                 {func(a *device) { a.write("f", "one") }, func(a *device) { a.write("f", "two") }, "f"},
		"a mode":                  {func(a *device) { a.write("f", "one") }, func(a *device) { a.chmod("f", 0o600) }, "f"},
		"a move away":             {func(a *device) { a.write("f", "one") }, func(a *device) { a.rename("f", "g") }, "f"},
		"a symlink":               {func(a *device) { a.write("f", "one") }, func(a *device) { a.symlink("f", "x") }, "f"},
		"a directory in its way":  {func(*device) {}, func(a *device) { a.mkdir("f") }, "f"},
		"a file in its way":       {func(*device) {}, func(a *device) { a.write("f", "two") }, "f"},
		"a directory it blocks":   {func(*device) {}, func(a *device) { a.mkdir("f/e") }, "f"},
		"a deleted directory":     {func(a *device) { a.mkdir("d") }, func(a *device) { a.remove("d") }, "d/f"},
		"a directory now a file":  {func(a *device) { a.mkdir("d") }, func(a *device) { a.remove("d"); a.write("d", "two") }, "d/f"},
		"a move to where it lies": {func(a *device) { a.write("e", "one") }, func(a *device) { a.rename("e", "f") }, "f"},
	} {
		t.Run(name, func(t *testing.T) {
			w, a, b := two(t)
			c.before(a)
			w.settle()
			w.cut(a, b)
			c.told(a)
			a.quiet()
			f, err := os.OpenFile(b.path(c.written), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
			w.must(err)
			defer func() { _ = f.Close() }()
			_, err = f.WriteString("written by a person")
			w.must(err)
			w.link(a, b)
			b.await("the change", func(s folder.Status) bool { return s.Members[a.id].Connected && !s.Quiet })
			b.busyless(300 * time.Millisecond)
			w.must(f.Close())
			w.settle()
			w.holds("written by a person")
			w.agree()
		})
	}
}

// busyless checks that the folder answers, and that it is not busy with the
// same thing over and over: it looks at its clock whenever it does something.
func (d *device) busyless(during time.Duration) {
	d.w.t.Helper()
	ctx, cancel := bounded()
	defer cancel()
	before := d.ticks.Load()
	timer := time.NewTimer(during)
	<-timer.C
	if n := d.ticks.Load() - before; n > 2000 {
		d.w.t.Errorf("%s: %d steps in %v, and nothing to do", d.name, n, during)
	}
	if err := d.folder.Check(ctx); err != nil {
		d.w.t.Fatalf("%s does not answer: %v", d.name, err)
	}
}

// ticks counts how often a folder has asked for the time.
type ticks = atomic.Int64
