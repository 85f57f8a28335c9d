package chunk

import (
	"bytes"
	"slices"
	"testing"

	"github.com/zeebo/blake3"
	"pgregory.net/rapid"
)

// store is the set of blocks that a peer holds.
type store map[[32]byte]struct{}

// failer is a test of either kind.
type failer interface{ Fatal(args ...any) }

// add cuts the file under rule r and returns how many bytes and blocks of it
// the store did not hold.
func (s store) add(t failer, c *Chunker, r rule, file []byte) (newBytes, newBlocks int) {
	err := withBuffer(int64(len(file)), r, func(b *buffer) error {
		left := int64(len(file))
		run := splitter{chunker: c, rule: r, buffer: b, source: bytes.NewReader(file), size: left, left: left}
		run.fn = func(block []byte) error {
			id := blake3.Sum256(block)
			if _, ok := s[id]; !ok {
				s[id] = struct{}{}
				newBytes += len(block)
				newBlocks++
			}
			return nil
		}
		return run.run()
	})
	if err != nil {
		t.Fatal(err)
	}
	return newBytes, newBlocks
}

// edits are those of the budgets, each on a file that is left as it is.
var edits = []struct {
	name   string
	budget float64 // MiB, of which the block list takes 0.14
	edit   func(file []byte) []byte
}{
	{"insert 1 KiB at front", 0.5, func(f []byte) []byte { return slices.Concat(noise(1<<10, 101), f) }},
	{"overwrite 64 KiB", 0.5, func(f []byte) []byte {
		f = slices.Clone(f)
		copy(f[len(f)/2:], noise(64<<10, 102))
		return f
	}},
	{"append 1 MiB", 1.25, func(f []byte) []byte { return slices.Concat(f, noise(1<<20, 103)) }},
}

// Bytes on the wire per block in a record: its ID and its size.
const perBlock = 35

func TestAnEditOfABigFileCostsLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("cuts half a GiB")
	}
	// Only what is near an edit matters: 8 MiB cut as if they were 512.
	const size, keys = 8 << 20, 32
	r := ruleFor(512 << 20)
	list := float64(512<<20) / float64(Average(512<<20)) * perBlock / (1 << 20)
	file := noise(size, 100)
	for _, e := range edits {
		edited := e.edit(file)
		var costs []float64
		mean := list
		for k := range byte(keys) {
			c := New(Key{k})
			s := store{}
			s.add(t, c, r, file)
			n, _ := s.add(t, c, r, edited)
			costs = append(costs, float64(n)/(1<<20)+list)
			mean += float64(n) / (1 << 20) / keys
		}
		slices.Sort(costs)
		t.Logf("%s: %.2f MiB (%.2f .. %.2f), budget %.2f", e.name, mean, costs[0], costs[keys-1], e.budget)
		if mean > e.budget {
			t.Errorf("%s costs %.2f MiB, more than %.2f", e.name, mean, e.budget)
		}
	}
}

func TestOneInsertionChangesFewBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New(Key{rapid.Byte().Draw(t, "key")})
		file := noise(rapid.IntRange(1<<20, 3<<20).Draw(t, "size"), rapid.Uint8().Draw(t, "seed"))
		at := rapid.IntRange(0, len(file)).Draw(t, "at")
		inserted := rapid.SliceOfN(rapid.Byte(), 1, 2000).Draw(t, "inserted")
		edited := slices.Insert(slices.Clone(file), at, inserted...)
		r := ruleFor(int64(len(file)))
		s := store{}
		_, all := s.add(t, c, r, file)
		_, changed := s.add(t, c, r, edited)
		if changed == 0 || changed > 12 {
			t.Fatalf("%d of %d blocks changed", changed, all)
		}
	})
}

func BenchmarkEdits(b *testing.B) {
	const size = 512 << 20
	if testing.Short() {
		b.Skip("reads a file of 512 MiB several times")
	}
	c := New(Key{1})
	file := noise(size, 100)
	for _, e := range edits {
		b.Run(e.name, func(b *testing.B) {
			edited := e.edit(file)
			for b.Loop() {
				s := store{}
				_, blocks := s.add(b, c, ruleFor(size), file)
				n, changed := s.add(b, c, ruleFor(int64(len(edited))), edited)
				b.ReportMetric(float64(n)/(1<<20), "MiB_new")
				b.ReportMetric(float64(changed), "blocks_new")
				b.ReportMetric(float64(blocks*perBlock)/(1<<20), "MiB_list")
			}
		})
	}
}
