package folder_test

import (
	"testing"

	"github.com/kithmesh/kith/index"
	"github.com/kithmesh/kith/index/entry"
)

func TestAFileOfUnknownHistoryIsToldWhenWhatItWaitedForIsGone(t *testing.T) {
	w, a, b := two(t)
	a.write("known to both", "known")
	w.settle()
	w.cut(a, b)
	b.loseIndex()
	b.write("p", "of ben")
	a.write("p", "of anna")
	a.quiet()
	b.up()
	b.scan()
	h := w.byHand(a, b)
	h.mu.Lock()
	h.gone = true // it tells, and gives no content
	h.mu.Unlock()
	h.tell(h.batch(100))
	b.soon("settled but for what is to meet another version", func(x *index.Folder) bool {
		e, err := x.Get("p")
		w.must(err)
		return x.Joined() && e != nil && e.Unknown && x.WantedTotals().Paths == 1
	})
	h.leave()
	a.loseIndex()
	a.remove("p")
	a.up()
	w.link(a, b)
	b.soon("known", func(x *index.Folder) bool {
		for range x.UnknownPaths() {
			return false
		}
		return x.Joined()
	})
	w.settle()
	if f := w.agree(); f["p"] != text("of ben") || f["known to both"] != text("known") {
		t.Error(f)
	}
	var e *entry.Entry
	a.read(func(x *index.Folder) (err error) { e, err = x.Get("p"); return err })
	if e == nil || e.AuthorName != b.name {
		t.Errorf("%+v", e)
	}
}
