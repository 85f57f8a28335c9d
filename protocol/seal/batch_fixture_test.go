package seal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// library makes the entries of n files of one block each, as a device finds
// them that has made all of them: path of i, times within a year.
func library(n int, path func(i int) string) []*entry.Entry {
	r := rand.New(rand.NewPCG(1, 2))
	noise := rand.NewChaCha8([32]byte{3})
	clock := version.Clock(1_795_000_000_000_000)
	out := make([]*entry.Entry, n)
	for i := range out {
		clock += version.Clock(r.IntN(60) + 3)
		size := r.Uint32N(40_000) + 100
		b := entry.Block{Length: size}
		_, _ = noise.Read(b.ID[:])
		out[i] = &entry.Entry{
			Path: entry.Path(path(i)), Version: version.Version{}.Next(0xfedcba9876543210, uint64(i)+70_000, clock),
			AuthorName: "Annas Laptop", Kind: entry.File, Mode: 0o644, Epoch: 1,
			ModTime: 1_760_000_000_000_000_000 + r.Int64N(31_536_000_000_000_000),
			Size:    int64(size), Blocks: []entry.Block{b},
		}
	}
	return out
}

// deletes are what a rename from old to new leaves behind, made after it.
func deletes(living []*entry.Entry) []*entry.Entry {
	r := rand.New(rand.NewPCG(3, 4))
	last := living[len(living)-1].Version
	out := make([]*entry.Entry, len(living))
	for i, e := range living {
		last = last.Next(last.Author, last.Vector.Count(last.Author)+1, last.Clock+version.Clock(r.IntN(20)+1))
		out[i] = &entry.Entry{
			Path: "old" + e.Path[len("new"):], Version: last, AuthorName: e.AuthorName,
			Kind: entry.Deleted, Epoch: e.Epoch, Gone: e.Digest(),
		}
	}
	return out
}

// unseeing are entries of which some have superseded what their author did not
// hold, and a plain one.
func unseeing(k *Keys) []*entry.Entry {
	version3 := func(e *entry.Entry) version.Version { return e.Version.Next(5, 700, 1) }
	plain, first, all := photo(k), photo(k), *entries(k)["delete"]
	first.Path, first.Version = "Bilder/first", version3(first)
	first.Unseen = version.Vector{{Replica: 5, Count: 300}}
	all.Path, all.Version = "Bilder/last", version3(&all)
	all.Unseen = slices.Clone(all.Version.Vector)
	return []*entry.Entry{first, plain, &all}
}

func inDirectory(name string) func(i int) string {
	return func(i int) string { return fmt.Sprintf("%s/d%03d/file-%06d.txt", name, i/100, i) }
}

// photoName is a name with a time of day in it that nobody can guess.
func photoName(name string) func(i int) string {
	return func(i int) string {
		r := rand.New(rand.NewPCG(uint64(i), 9))
		return fmt.Sprintf("%s/%02d/IMG_202607%02d_%06d_%03d.jpg", name, i/500, i/200%30, r.IntN(240_000), r.IntN(1000))
	}
}

func sealedBatch(t testing.TB, k *Keys, entries []*entry.Entry) []byte {
	t.Helper()
	b, err := k.SealBatch(entries)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
