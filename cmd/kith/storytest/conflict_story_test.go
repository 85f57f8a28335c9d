package storytest

import (
	"os"
	"testing"
	"time"
)

// The clock of a process cannot be set apart from the machine's without
// changing the process: Go asks the kernel and no library, and namespaces of
// time leave the wall clock alone. So what is an hour off here is what the
// clocks have left on disk, the times of the files. That the clocks themselves
// decide nothing but who wins is shown where time is not real: in the tests of
// packages version and merge.
func TestConcurrentEditsEndTheSameOnBothAndBothAreKept(t *testing.T) {
	t.Parallel()
	laptop, phone := atHome(t)
	write(t, laptop.at("plan.txt"), "meet on Sunday\n")
	write(t, laptop.at("deep/er/list"), "bread\n")
	share(t, laptop, phone)
	sameTrees(t, phone, laptop, time.Minute)
	for _, c := range []struct {
		name    string
		path    string
		off     time.Duration // of the phone
		offline []*device     // while it edits
	}{
		{"phone's clock an hour ahead", "plan.txt", time.Hour, []*device{phone}},
		{"phone's clock an hour behind", "deep/er/list", -time.Hour, []*device{phone}},
		{"nobody runs", "plan.txt", time.Hour, []*device{laptop, phone}},
	} {
		before := len(look(t, laptop.files).conflicts())
		for _, d := range c.offline {
			d.stop()
		}
		ours, theirs := "laptop: "+c.name+"\n", "phone, and longer: "+c.name+"\n"
		write(t, laptop.at(c.path), ours)
		write(t, phone.at(c.path), theirs)
		at := time.Now().Add(c.off)
		if err := os.Chtimes(phone.at(c.path), at, at); err != nil {
			t.Fatal(err)
		}
		for _, d := range c.offline {
			d.start()
		}
		last := sameTrees(t, phone, laptop, time.Minute)
		copies := last.conflicts()
		if len(copies) != before+1 {
			t.Fatalf("%s: conflict copies %q, want one more than %d", c.name, copies, before)
		}
		if kept := holders(t, laptop, last, ours, theirs); kept[0] != 1 || kept[1] != 1 {
			t.Errorf("%s: so many files hold what each wrote: %v, want one each", c.name, kept)
		}
		if n := laptop.folder().Conflicts; n != int64(len(copies)) {
			t.Errorf("%s: status tells of %d conflicts, %d copies lie there", c.name, n, len(copies))
		}
	}
	nothingLeft(t, laptop, phone)
}

// holders counts, for each content, the files that hold it.
func holders(t *testing.T, d *device, files tree, contents ...string) []int {
	t.Helper()
	out := make([]int, len(contents))
	for path, i := range files {
		for n, c := range contents {
			if i.kind == 0 && has(d.at(path), c) == nil {
				out[n]++
			}
		}
	}
	return out
}
