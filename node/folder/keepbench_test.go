package folder_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/folder"
	"github.com/kithmesh/kith/node/folder/brake"
)

// How much a history costs the first sync of many small files, and their
// deletion elsewhere:
//
//	go test ./node/folder -run TestTheCostOfAHistory -history-files 20000 -v
var historyFiles = flag.Int("history-files", 0, "files for the cost of a history; 0: it is not measured")

func TestTheCostOfAHistory(t *testing.T) {
	if *historyFiles == 0 {
		t.Skip("see -history-files")
	}
	for _, with := range []bool{false, true, false, true} {
		w := newWorld(t, "anna", "ben")
		var p *past
		if with {
			p = w.remembers(w.all[1])
		}
		a, b := handOf(w.all[0]), handOf(w.all[1])
		b.limit = brake.Limits{Files: 1 << 30, Share: 1}
		a.up()
		for i := range *historyFiles {
			a.write(fmt.Sprintf("d%03d/%05d", i%200, i), fmt.Sprintf("content %d of a small file, %0*d", i, 1000+i%2000, i))
		}
		a.quiet()
		b.up()
		b.quiet()
		measure := func(what string, do func()) {
			t.Helper()
			cpu, began := cpuTime(), time.Now()
			do()
			n := time.Duration(*historyFiles)
			t.Logf("history %5v: %-8s %v, %v CPU; a file %v, %v CPU", with, what, time.Since(began), cpuTime()-cpu, time.Since(began)/n, (cpuTime()-cpu)/n)
		}
		measure("sync", func() {
			w.link(a.device, b.device)
			b.await("all files", func(s folder.Status) bool { return s.Files == int64(*historyFiles) && s.NeedFiles == 0 })
		})
		if with {
			measure("record", func() {
				p.awaits(entry.Path(fmt.Sprintf("d%03d/%05d", (*historyFiles-1)%200, *historyFiles-1)), "file ?")
			})
		}
		for i := range 200 {
			a.remove(fmt.Sprintf("d%03d", i))
		}
		a.quiet()
		measure("delete", func() { b.await("no files", func(s folder.Status) bool { return s.Files == 0 && s.NeedFiles == 0 }) })
		w.cut(a.device, b.device)
		a.down()
		b.down()
	}
}
