package vault

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/seal"
)

// The benchmarks of large vaults hold so many records; a million needs some two
// gigabytes of disk and a minute to make:
//
//	go test ./node/vault -bench Large -run '^$' -records 1000000 -benchtime 3x
var records = flag.Int("records", 50_000, "records of the vault in the benchmarks of large ones")

func benchVault(b *testing.B, dir string) *Vault {
	b.Helper()
	v, err := Open(Options{Dir: dir, Folder: testFolder})
	must(b, err)
	return v
}

func BenchmarkIngestBlocks(b *testing.B) {
	v := benchVault(b, b.TempDir())
	defer func() { must(b, v.Close()) }()
	const n, size = 64, 256 << 10
	batch := make([]Block, n)
	for i := range batch {
		batch[i] = testBlock(uint64(i), size, anna)
	}
	b.SetBytes(n * size)
	id := 0
	for b.Loop() {
		for i := range batch {
			id++
			batch[i].ID = entry.BlockID{byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24)}
		}
		must(b, v.PutBlocks(b.Context(), batch))
	}
}

// 20,000 small files, as they come over the network: some hundreds at a time.
func BenchmarkIngest20000Files(b *testing.B) {
	const n, at = 20_000, 500
	blocks, rs := make([]Block, n), make([]*seal.Record, n)
	for i := range uint64(n) {
		blocks[i] = testBlock(i, 3000, anna)
		rs[i] = testRecord(i, ver(1, i+1), blocks[i])
	}
	b.SetBytes(n * 3000)
	for b.Loop() {
		b.StopTimer()
		v := benchVault(b, b.TempDir())
		b.StartTimer()
		for i := 0; i < n; i += at {
			must(b, v.Put(b.Context(), blocks[i:i+at], received(rs[i:i+at]...)))
		}
		b.StopTimer()
		b.ReportMetric(float64(v.packBytes())/n, "pack-B/file")
		must(b, v.Close())
		b.StartTimer()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

func BenchmarkLarge(b *testing.B) {
	dir := b.TempDir()
	v := benchVault(b, dir)
	const at = 10_000
	start := time.Now()
	for i := 0; i < *records; i += at {
		var blocks []Block
		var rs []Received
		for j := range min(at, *records-i) {
			n := uint64(i + j)
			bl := testBlock(n, 200, anna)
			blocks = append(blocks, bl)
			rs = append(rs, Received{testRecord(n, ver(1, n+1), bl), anna})
		}
		must(b, v.Put(b.Context(), blocks, rs))
	}
	b.Logf("%d records in %s", *records, time.Since(start))
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			must(b, v.Close())
			v = benchVault(b, dir)
		}
	})
	b.Run("Current", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range v.Current() {
				must(b, err)
				n++
			}
			if n != *records {
				b.Fatal(fmt.Sprint(n, " records"))
			}
		}
	})
	b.Run("Plan", func(b *testing.B) {
		for b.Loop() {
			_, err := v.Plan(b.Context(), retention.Default(), time.Now(), nil)
			must(b, err)
		}
	})
	b.Run("Scrub", func(b *testing.B) {
		b.SetBytes(v.packBytes())
		for b.Loop() {
			_, err := v.Scrub(b.Context(), 1<<40)
			must(b, err)
		}
	})
	b.Run("Rebuild", func(b *testing.B) {
		for b.Loop() {
			must(b, v.Rebuild())
		}
	})
	must(b, v.Close())
}
