package tree

import (
	"fmt"
	"os"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func BenchmarkList(b *testing.B) {
	tr := testTree(b)
	const files = 1000
	must(b, os.Mkdir(tr.file("d"), 0o755))
	for i := range files {
		must(b, os.WriteFile(tr.file(entry.Path(fmt.Sprintf("d/file-%06d.txt", i))), nil, 0o600))
	}
	b.ReportAllocs()
	for b.Loop() {
		if c, err := tr.List("d"); err != nil || len(c) != files {
			b.Fatal(len(c), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/files, "ns/file")
}

func BenchmarkLstat(b *testing.B) {
	tr := testTree(b)
	put(b, tr, "a/b/c/f", "x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tr.Lstat("a/b/c/f"); err != nil {
			b.Fatal(err)
		}
	}
}

// benchPlace measures placing alone; staging and the sync before it are not
// counted.
func benchPlace(b *testing.B, over bool) {
	tr := testTree(b)
	must(b, os.MkdirAll(tr.file("a/b"), 0o755))
	const batch = 500
	b.ReportAllocs()
	var path func(i int) entry.Path = func(i int) entry.Path { return entry.Path(fmt.Sprintf("a/b/%d", i)) }
	last := make([]Stat, batch)
	for i := range batch {
		if over {
			last[i] = put(b, tr, path(i), "old")
		}
	}
	n := 0
	for b.Loop() {
		b.StopTimer()
		ss := make([]*Staged, batch)
		for i := range ss {
			var err error
			ss[i], err = tr.Stage(fresh())
			must(b, err)
			_, err = ss[i].WriteAt([]byte("content"), 0)
			must(b, err)
		}
		must(b, tr.Sync())
		b.StartTimer()
		for i, s := range ss {
			var expect *Stat
			p := path(n*batch + i)
			if over {
				p, expect = path(i), &last[i]
			}
			st, err := tr.Place(p, s, meta, expect)
			if err != nil {
				b.Fatal(err)
			}
			last[i] = st
		}
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/batch, "ns/file")
}

func BenchmarkPlaceNew(b *testing.B)  { benchPlace(b, false) }
func BenchmarkPlaceOver(b *testing.B) { benchPlace(b, true) }

func BenchmarkStage(b *testing.B) {
	tr := testTree(b)
	content := make([]byte, 2000)
	b.ReportAllocs()
	for b.Loop() {
		s, err := tr.Stage(fresh())
		must(b, err)
		_, err = s.WriteAt(content, 0)
		must(b, err)
		must(b, s.Close())
	}
}

func BenchmarkRemove(b *testing.B) {
	tr := testTree(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		st := put(b, tr, "a/f", "x")
		b.StartTimer()
		if err := tr.Remove("a/f", st); err != nil {
			b.Fatal(err)
		}
	}
}
