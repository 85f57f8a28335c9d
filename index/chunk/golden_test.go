package chunk

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zeebo/blake3"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// The inputs of the golden vectors: noise is ChaCha8 (C2SP chacha8rand), the
// seed its first byte; the key is 00 01 02 .. 1f.
var golden = []struct {
	name string
	cut  int64 // cut as a file of this size
	data func() []byte
}{
	{"64KiB", Whole, func() []byte { return noise(Whole, 1) }},
	{"64KiB+1", Whole + 1, func() []byte { return noise(Whole+1, 1) }},
	{"1MiB", 1 << 20, func() []byte { return noise(1<<20, 1) }},
	{"8MiB", 8 << 20, func() []byte { return noise(8<<20, 2) }},
	{"1MiB-of-zeros", 1 << 20, func() []byte { return make([]byte, 1<<20) }},
	{"1MiB-of-one-line", 1 << 20, func() []byte { return bytes.Repeat([]byte("All work and no play.\n"), 1<<20/22) }},
	{"8MiB-of-512MiB", 512 << 20, func() []byte { return noise(8<<20, 3) }},
	{"32MiB-of-32GiB", 32 << 30, func() []byte { return noise(32<<20, 4) }},
	{"48MiB-of-1TiB", 1 << 40, func() []byte { return noise(48<<20, 5) }},
}

func TestCutsAreThoseOfTheGoldenVectors(t *testing.T) {
	var key Key
	for i := range key {
		key[i] = byte(i)
	}
	c := New(key)
	var got strings.Builder
	for _, g := range golden {
		var cuts []int
		s := splitter{chunker: c, rule: ruleFor(g.cut), fn: func(block []byte) error { cuts = append(cuts, len(block)); return nil }}
		data := g.data()
		err := withBuffer(int64(len(data)), s.rule, func(b *buffer) error {
			s.buffer, s.source, s.size, s.left = b, bytes.NewReader(data), int64(len(data)), int64(len(data))
			return s.run()
		})
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprint(cuts)
		sum := blake3.Sum256([]byte(all))
		fmt.Fprintf(&got, "%s: %d blocks, %s, first %v\n", g.name, len(cuts), hex.EncodeToString(sum[:8]), cuts[:min(8, len(cuts))])
	}
	const name = "testdata/cuts.txt"
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the format has changed: got\n%swant\n%s", got.String(), want)
	}
}
