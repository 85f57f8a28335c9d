package seal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

const (
	goldenBatch  = "testdata/golden_batch.txt"
	goldenUnseen = "testdata/golden_unseen.txt"
)

// goldenVectors are the lines "name: hex" of a file.
func goldenVectors(t testing.TB, file string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if out[name], err = hex.DecodeString(value); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// goldenEntries are all that can be in a batch, the longest path aside.
func goldenEntries(k *Keys) []*entry.Entry {
	return slices.DeleteFunc(everyKind(k), func(e *entry.Entry) bool { return len(e.Path) > 100 })
}

func TestTheLayoutOfABatchIsThatOfTheGoldenVectors(t *testing.T) {
	k := goldenKeys(t)
	goldenLayout(t, k, goldenBatch, goldenEntries(k))
	goldenLayout(t, k, goldenUnseen, unseeing(k))
}

func goldenLayout(t *testing.T, k *Keys, file string, all []*entry.Entry) {
	t.Helper()
	columns, noise := batchInside(all)
	if *update {
		text := fmt.Sprintf("columns: %x\nnoise: %x\nbatch: %x\n", columns, noise, sealedBatch(t, k, all))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := goldenVectors(t, file)
	if !bytes.Equal(columns, want["columns"]) {
		t.Errorf("columns\n%x\nwant\n%x", columns, want["columns"])
	}
	if !bytes.Equal(noise, want["noise"]) {
		t.Errorf("noise\n%x\nwant\n%x", noise, want["noise"])
	}
	// How zstd writes it may change; it must go on opening.
	if got := opened(t, k, want["batch"]); !reflect.DeepEqual(got, all) {
		t.Error("the golden batch opens to other entries")
	}
}

func TestTheGoldenBatchIsWhatTheSpecificationSays(t *testing.T) {
	goldenSpec(t, goldenBatch, 1)
	goldenSpec(t, goldenUnseen, 2)
}

func goldenSpec(t *testing.T, file string, format byte) {
	t.Helper()
	want := goldenVectors(t, file)
	sealed := want["batch"]
	data := slices.Concat([]byte("batch"), []byte{format}, count(0, 16), []byte{0, 0, 1, 2})
	plain := specOpen(t, "batch content", sealed[1:], data)
	if nonce := specHash(t, "batch nonce", data, plain)[:12]; sealed[0] != format || !bytes.Equal(nonce, sealed[1:13]) {
		t.Errorf("nonce %x of batch %x", nonce, sealed)
	}
	columns, rest, err := cutPart(plain)
	if err != nil || !bytes.Equal(columns, want["columns"]) {
		t.Errorf("columns %x: %v", columns, err)
	}
	noise, rest, err := cutPart(rest)
	if err != nil || !bytes.Equal(noise, want["noise"]) || len(rest) > 0 {
		t.Errorf("noise %x, then %x: %v", noise, rest, err)
	}
}

// A small batch, written out by hand from the specification.
func TestTheLayoutOfABatchIsThatOfTheSpecification(t *testing.T) {
	file := &entry.Entry{
		Path: "b/x.txt", AuthorName: "me", Kind: entry.File, Mode: 0o644, ModTime: -1, Size: 300,
		Blocks: []entry.Block{{ID: entry.BlockID(count(0, 32)), Length: 200}, {ID: entry.BlockID(count(32, 32)), Length: 100}},
	}
	file.Version = file.Version.Next(7, 5, 1000)
	link := &entry.Entry{Path: "b/y.txt", AuthorName: "you", Kind: entry.Symlink, Mode: 0o777, ModTime: 2_000_000_000, Target: "x"}
	link.Version = link.Version.Next(7, 4, 10).Next(9, 1, 990)
	gone := &entry.Entry{Path: "a/x.txt", AuthorName: "me", Kind: entry.Deleted, Gone: file.Digest()}
	gone.Version = file.Version.Next(7, 6, 1001)
	other := &entry.Entry{Path: "a/x", AuthorName: "me", Kind: entry.Deleted, Gone: entry.Digest(count(100, 16))}
	other.Version = gone.Version.Next(7, 7, 1001)

	columns := column(4,
		"\x1a\x0c\x01\x01", // forms: a file before 1970 with both, a symlink with seconds only
		0o644, 0o777, 0, 0,
		0, 2, 0, 3, // first bytes taken over
		0, 4, 4, 0, // last bytes
		7, 1, 3, 0, "b/x.txt"+"y"+"a/x",
		2, "\x00\x00\x00\x00\x00\x00\x00\x07"+"\x00\x00\x00\x00\x00\x00\x00\x09",
		2, 2, "me", 3, "you", 0, 1, 0, 0, // author names
		0, 1, 0, 0, // authors
		1, 2, 1, 1, 0, 0, 1, 0, 0, // vectors
		10, 1, 2, 4, 2, // counts: +5; -1, +1; +2; +1
		2000, 19, 22, 2, // clocks: +1000, -10, +11, +1
		1, 6, // seconds: -1, then +3
		300, 2, 200, // size, blocks, lengths
		1, "x", // targets
		2, 1) // digests: that of entry 0, and among the noise
	noise := slices.Concat([]byte{0x3b, 0x9a, 0xc9, 0xff}, count(100, 16), count(0, 64))
	gotColumns, gotNoise := batchInside([]*entry.Entry{file, link, gone, other})
	if !bytes.Equal(gotColumns, columns) || !bytes.Equal(gotNoise, noise) {
		t.Errorf("columns\n%x\nwant\n%x\nnoise\n%x\nwant\n%x", gotColumns, columns, gotNoise, noise)
	}
}

// The same with something unseen, which is a column more.
func TestWhatIsUnseenIsLaidOutAsInTheSpecification(t *testing.T) {
	plain := &entry.Entry{Path: "a", AuthorName: "me", Kind: entry.Directory, Mode: 0o755}
	plain.Version = plain.Version.Next(7, 4, 10)
	joined := &entry.Entry{Path: "b", AuthorName: "me", Kind: entry.Directory, Mode: 0o755}
	joined.Version = joined.Version.Next(7, 5, 10).Next(9, 300, 11).Next(8, 2, 12)
	joined.Unseen = joined.Unseen.With(9, 299)
	columns := column(2, "\x03\x03", 0o755, 0, 0, 0, 0, 0, 1, 1, "ab",
		3, "\x00\x00\x00\x00\x00\x00\x00\x07"+"\x00\x00\x00\x00\x00\x00\x00\x08"+"\x00\x00\x00\x00\x00\x00\x00\x09",
		1, 2, "me", 0, 0, 0, 1, // author names, authors
		1, 3, 0, 0, 1, 2, 8, 2, 4, 600, // vectors
		20, 4, // clocks
		0, 3, 0, 0, 299) // unseen: none; of the third replica
	got, noise := batchInside([]*entry.Entry{plain, joined})
	if !bytes.Equal(got, columns) || len(noise) > 0 {
		t.Errorf("columns\n%x\nwant\n%x\nnoise\n%x", got, columns, noise)
	}
	columns = columns[:len(columns)-len(column(0, 3, 0, 0, 299))]
	joined.Unseen = version.Vector{}
	if got, _ := batchInside([]*entry.Entry{plain, joined}); !bytes.Equal(got, columns) {
		t.Errorf("with nothing unseen: columns\n%x\nwant\n%x", got, columns)
	}
}
