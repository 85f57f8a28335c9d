package seal

import (
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func BenchmarkBatch(b *testing.B) {
	k := derive(b, 1, 1, 1)
	files := library(1000, inDirectory("new"))
	gone := deletes(files[:500])
	for name, entries := range map[string][]*entry.Entry{"files": files, "renames": slices.Concat(files[:500], gone)} {
		sealed := sealedBatch(b, k, entries)
		b.Run(name+"/seal", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sealedBatch(b, k, entries)
			}
			b.ReportMetric(float64(len(sealed))/float64(len(entries)), "B_wire/entry")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(entries)), "ns/entry")
		})
		b.Run(name+"/open", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.OpenBatch(sealed); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(entries)), "ns/entry")
		})
	}
}
