package folder_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/protocol/exchange"
)

// S1: a scan during the removal of the root.
func TestSuspectScanWhileTheRootIsBeingRemoved(t *testing.T) {
	w, a, b := two(t)
	for i := range 50 {
		a.write(fmt.Sprintf("f%02d", i), fmt.Sprint("content ", i))
	}
	w.settle()
	for i := range 50 {
		os.Remove(a.path(fmt.Sprintf("f%02d", i)))
		if i == 25 {
			a.scan()
		}
	}
	os.RemoveAll(a.root)
	a.await("failed", func(s folder.Status) bool { return s.State == folder.Failed })
	time.Sleep(2 * time.Second)
	if n := len(b.files()); n != 50 {
		t.Errorf("ben has %d files of 50", n)
	}
}

// S1b: a big removal with nothing but the watcher.
func TestSuspectBigRootRemoved(t *testing.T) {
	w, a, b := two(t)
	n := 8000
	for i := range n {
		if i%1000 == 0 {
			a.mkdir(fmt.Sprintf("d%02d", i/1000))
		}
		os.WriteFile(a.path(fmt.Sprintf("d%02d/f%02d", i/1000, i)), []byte(fmt.Sprint("content ", i)), 0o644)
	}
	w.settle()
	start := time.Now()
	for i := range n / 1000 {
		os.RemoveAll(a.path(fmt.Sprintf("d%02d", i)))
	}
	t.Log("removal took", time.Since(start))
	os.RemoveAll(a.root)
	a.await("failed", func(s folder.Status) bool { return s.State == folder.Failed })
	time.Sleep(3 * time.Second)
	if got := len(b.files()); got != n+n/1000 {
		t.Errorf("ben has %d files of %d", got, n+n/1000)
	}
}

// S2
func TestSuspectFenceSurvivesRestart(t *testing.T) {
	w := newWorld(t, "anna")
	a := w.all[0].up()
	a.write("f", "one")
	a.quiet()
	st := a.folder.State()
	ctx, cancel := bounded()
	defer cancel()
	w.must(a.folder.Started(ctx, "device-x", exchange.Start{Folder: w.id, Index: st.Index, After: 0, Seen: 100}))
	a.await("fenced", func(s folder.Status) bool { return s.State == folder.Fenced })
	a.down()
	a.up()
	a.write("g", "two")
	time.Sleep(time.Second)
	if s := a.folder.Status(); s.State != folder.Fenced {
		t.Errorf("after a restart: %+v", s)
	}
}

// S3
func TestSuspectDetachWhileWaitingForWordOfAMove(t *testing.T) {
	w, a, b := two(t)
	a.write("a", "one")
	w.settle()
	w.cut(a, b)
	a.write("b", "one") // a copy
	for i := range 5 {
		a.write(fmt.Sprint("z", i), fmt.Sprint("z", i))
	}
	a.quiet()
	// by hand: only the first record is told, then the line is cut.
	ctx := context.Background()
	l := &line{from: a, to: b, news: make(chan struct{}, 1)}
	w.must(b.folder.Attach(ctx, l, a.folder.State()))
	var st exchange.Start
	for _, r := range l.replies {
		if s, ok := r.(exchange.Start); ok {
			st = s
		}
	}
	for {
		bt, err := a.folder.Records(ctx, b.id, st.After, exchange.Limit{Records: 1, Bytes: 1 << 20})
		w.must(err)
		w.must(b.folder.Hear(ctx, a.id, bt, nil))
		st.After = bt.Through
		if b.folder.Status().NeedFiles > 0 {
			break
		}
		t.Log(b.folder.Status(), bt.Through, bt.Head)
		if bt.Through == bt.Head {
			break
		}
	}
	w.must(b.folder.Detach(ctx, a.id))
	time.Sleep(1500 * time.Millisecond)
	if _, err := os.Stat(b.path("b")); err != nil {
		t.Errorf("b is not there although all is at hand: %+v", b.folder.Status())
	}
}

// S4
func TestSuspectSpecialFileIsShown(t *testing.T) {
	w := newWorld(t, "anna")
	a := w.all[0].up()
	w.must(mkfifo(a.path("fifo")))
	a.quiet()
	if s := a.folder.Status(); !slices.ContainsFunc(s.Problems, func(p folder.Problem) bool { return p.Code == "special_file" }) {
		t.Errorf("%+v", s)
	}
}

// S5
func TestSuspectSupersededStagedFileIsCleaned(t *testing.T) {
	w, a, b := two(t)
	w.settle()
	// the content becomes unavailable while it is staged: it is changed in place
	w.cut(a, b)
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * i >> 7)
	}
	a.write("f", string(big))
	a.quiet()
	ctx := context.Background()
	l := &line{from: a, to: b, news: make(chan struct{}, 1), gone: true}
	w.must(b.folder.Attach(ctx, l, a.folder.State()))
	bt, err := a.folder.Records(ctx, b.id, 0, exchange.Limit{Records: 1000, Bytes: 1 << 20})
	w.must(err)
	w.must(b.folder.Hear(ctx, a.id, bt, nil))
	b.await("trouble", func(s folder.Status) bool { return len(s.Problems) > 0 })
	w.must(b.folder.Detach(ctx, a.id))
	a.write("f", "small")
	a.quiet()
	w.link(a, b)
	w.settle()
	w.agree()
	b.down()
	b.up()
	b.quiet()
	left, _ := os.ReadDir(filepath.Join(b.root, ".kith/tmp"))
	t.Log(left)
}

// S6
func TestSuspectRulesChangeWhileHearing(t *testing.T) {
	w, a, b := two(t)
	w.limit.Records = 1
	for i := range 100 {
		a.write(fmt.Sprintf("f%02d", i), fmt.Sprint("content ", i))
		if i == 50 {
			a.write(".kithignore", "nothing\n")
		}
	}
	w.settle()
	w.agree()
	_ = b
}

// S7
func TestSuspectDeletedDirectoryWithIgnoredFileThatWasSynced(t *testing.T) {
	w, a, b := two(t)
	a.write("d/x.log", "log")
	a.write("d/y", "y")
	w.settle()
	a.write(".kithignore", "*.log\n")
	w.settle()
	a.remove("d")
	w.settle()
	t.Log(a.files(), b.files())
	if _, err := os.Stat(a.path("d")); err == nil {
		t.Error("d came back")
	}
}

// S11
func TestSuspectIgnoredHeardWhileAway(t *testing.T) {
	w, a, b := two(t)
	w.settle()
	b.write(".kith/ignore", "*.log\n")
	b.down()
	b.up()
	b.quiet()
	w.link(a, b)
	os.Rename(b.root, b.root+".away")
	ctx, c := bounded()
	defer c()
	b.folder.Check(ctx)
	b.await("failed", func(s folder.Status) bool { return s.State == folder.Failed })
	a.write("x.log", "log")
	a.write("y", "log2")
	a.quiet()
	b.await("need", func(s folder.Status) bool { return s.NeedFiles >= 1 })
	time.Sleep(200 * time.Millisecond)
	os.Rename(b.root+".away", b.root)
	w.must(b.folder.Check(ctx))
	w.settle()
	if strings.Contains(b.files().String(), "x.log") {
		t.Error(b.files())
	}
}

// S12
func TestSuspectForgottenWantLetsADeleteGo(t *testing.T) {
	w, a, b := two(t)
	a.write("a", "X")
	w.settle()
	w.cut(a, b)
	a.rename("a", "b")
	a.quiet()
	time.Sleep(10 * time.Millisecond)
	b.write("b", "Y")
	b.quiet()
	ctx := context.Background()
	l := &line{from: a, to: b, news: make(chan struct{}, 1)}
	w.must(b.folder.Attach(ctx, l, a.folder.State()))
	var st exchange.Start
	for _, r := range l.replies {
		if s, ok := r.(exchange.Start); ok {
			st = s
		}
	}
	bt, err := a.folder.Records(ctx, b.id, st.After, exchange.Limit{Records: 1000, Bytes: 1 << 20})
	w.must(err)
	w.must(b.folder.Hear(ctx, a.id, bt, nil))
	time.Sleep(1500 * time.Millisecond)
	if s := b.folder.Status(); s.NeedFiles > 0 {
		t.Errorf("still wants: %+v\n%v", s, b.files())
	}
	w.must(b.folder.Detach(ctx, a.id))
	w.link(a, b)
	w.settle()
	t.Log(w.agree())
}

var _ = entry.File
