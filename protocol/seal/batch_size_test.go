package seal

import (
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

// What cannot be compressed is 32 bytes of block ID and about 9 of time and
// size for a file, and 16 for what a delete removed where that is not in the
// batch.
func TestABatchIsSmall(t *testing.T) {
	k := derive(t, 1, 1, 1)
	numbered, photos := library(5000, inDirectory("new")), library(5000, photoName("new"))
	for _, tt := range []struct {
		name  string
		files []*entry.Entry
		order func(files []*entry.Entry) []*entry.Entry
		bytes float64 // for each file
	}{
		{"new numbered files", library(20_000, inDirectory("new")), newOnly, 46},
		{"new photos", library(20_000, photoName("new")), newOnly, 53},
		{"renamed, in the same batch", numbered, inBatch, 49},
		{"renamed photos, in the same batch", photos, inBatch, 56},
		{"renamed, one by one", numbered, inTurn, 52},
		{"renamed, in batches apart", numbered, inBatchesApart, 64},
		{"renamed photos, in batches apart", photos, inBatchesApart, 76},
	} {
		sum := 0
		for part := range slices.Chunk(tt.order(tt.files), 1000) {
			sum += len(sealedBatch(t, k, part))
		}
		each := float64(sum) / float64(len(tt.files))
		t.Logf("%s: %.1f bytes a file", tt.name, each)
		if each > tt.bytes {
			t.Errorf("%s: %.1f bytes a file, more than %.0f", tt.name, each, tt.bytes)
		}
	}
	if n := len(sealedBatch(t, k, numbered[:1])); n > 150 {
		t.Errorf("one entry alone takes %d bytes", n)
	}
}

func newOnly(files []*entry.Entry) []*entry.Entry { return files }

func inBatchesApart(files []*entry.Entry) []*entry.Entry {
	return slices.Concat(files, deletes(files))
}

func inBatch(files []*entry.Entry) (out []*entry.Entry) {
	gone := deletes(files)
	for i := 0; i < len(files); i += 500 {
		out = slices.Concat(out, files[i:i+500], gone[i:i+500])
	}
	return out
}

func inTurn(files []*entry.Entry) (out []*entry.Entry) {
	for i, gone := range deletes(files) {
		out = append(out, gone, files[i])
	}
	return out
}
