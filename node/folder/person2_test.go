package folder_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/folder"
)

func (d *device) alive() {
	d.w.t.Helper()
	done := make(chan error, 1)
	go func() {
		ctx, c := bounded()
		defer c()
		done <- d.folder.Check(ctx)
	}()
	select {
	case err := <-done:
		d.w.must(err)
	case <-time.After(5 * time.Second):
		d.w.t.Logf("%s is stuck", d.name); panic(fmt.Sprint(d.name, " is stuck"))
	}
}

func TestSuspectDeleteAgainstFileOpenForWriting(t *testing.T) {
	w, a, b := two(t)
	a.write("f", "one")
	w.settle()
	w.cut(a, b)
	a.remove("f")
	a.quiet()
	f, err := os.OpenFile(b.path("f"), os.O_WRONLY|os.O_APPEND, 0)
	w.must(err)
	defer f.Close()
	f.WriteString("more")
	time.Sleep(200 * time.Millisecond)
	w.link(a, b)
	time.Sleep(500 * time.Millisecond)
	b.alive()
	f.Close()
	w.settle()
	t.Log(w.agree())
}

func TestSuspectDirectoryMeetsNewFile(t *testing.T) {
	w, a, b := two(t)
	w.settle()
	w.cut(a, b)
	a.mkdir("d")
	a.quiet()
	f, err := os.OpenFile(b.path("d"), os.O_WRONLY|os.O_CREATE, 0o644)
	w.must(err)
	defer f.Close()
	f.WriteString("more")
	time.Sleep(200 * time.Millisecond)
	w.link(a, b)
	time.Sleep(500 * time.Millisecond)
	b.alive()
	f.Close()
	w.settle()
	t.Log(w.agree())
}

var _ = folder.InSync
