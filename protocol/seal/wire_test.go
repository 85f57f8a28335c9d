package seal

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/proto/wirepb"
)

func TestAnInvalidMessageIsNoRecord(t *testing.T) {
	k := derive(t, 1, 1, 1)
	good := sealed(t, k, photo(k)).ToWire()
	if _, err := RecordFromWire(good); err != nil {
		t.Fatal(err)
	}
	many := func(n int) []uint64 {
		out := make([]uint64, n)
		for i := range out {
			out[i] = uint64(i) + 1
		}
		return out
	}
	big := func(w *wirepb.Record, n int, size uint32) {
		w.BlockIds, w.SealedSizes = make([]byte, 32*n), make([]uint32, n)
		for i := range w.SealedSizes {
			w.SealedSizes[i] = size
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*wirepb.Record)
		want   error
	}{
		{"short ID", func(w *wirepb.Record) { w.Id = w.Id[:15] }, ErrRecord},
		{"long ID", func(w *wirepb.Record) { w.Id = append(w.Id, 0) }, ErrRecord},
		{"no epoch", func(w *wirepb.Record) { w.Epoch = 0 }, ErrRecord},
		{"no vector", func(w *wirepb.Record) { w.Replicas, w.Counts = nil, nil }, ErrRecord},
		{"a counter too many", func(w *wirepb.Record) { w.Counts = append(w.Counts, 1) }, ErrRecord},
		{"a counter too few", func(w *wirepb.Record) { w.Counts = w.Counts[:1] }, ErrRecord},
		{"too many replicas", func(w *wirepb.Record) { w.Replicas, w.Counts = many(1025), many(1025) }, ErrRecord},
		{"replicas out of order", func(w *wirepb.Record) { w.Replicas = []uint64{4, 3} }, version.ErrBounds},
		{"a replica twice", func(w *wirepb.Record) { w.Replicas = []uint64{3, 3} }, version.ErrBounds},
		{"replica zero", func(w *wirepb.Record) { w.Replicas[0] = 0 }, version.ErrBounds},
		{"a counter of zero", func(w *wirepb.Record) { w.Counts[0] = 0 }, version.ErrBounds},
		{"a counter that freezes", func(w *wirepb.Record) { w.Counts[0] = 1<<64 - 1 }, version.ErrBounds},
		{"no clock", func(w *wirepb.Record) { w.Clock = 0 }, version.ErrBounds},
		{"a clock that freezes", func(w *wirepb.Record) { w.Clock = 1<<64 - 1 }, version.ErrBounds},
		{"author beyond the vector", func(w *wirepb.Record) { w.Author = 2 }, ErrRecord},
		{"author far beyond it", func(w *wirepb.Record) { w.Author = 1<<32 - 1 }, ErrRecord},
		{"a torn block ID", func(w *wirepb.Record) { w.BlockIds = w.BlockIds[:95] }, ErrRecord},
		{"an ID without size", func(w *wirepb.Record) { w.SealedSizes = w.SealedSizes[:2] }, ErrRecord},
		{"a size without ID", func(w *wirepb.Record) { w.SealedSizes = append(w.SealedSizes, 100) }, ErrRecord},
		{"an empty block", func(w *wirepb.Record) { w.SealedSizes[1] = Overhead }, ErrRecord},
		{"a block of 0 bytes", func(w *wirepb.Record) { w.SealedSizes[1] = 0 }, ErrRecord},
		{"a huge block", func(w *wirepb.Record) { w.SealedSizes[1] = MaxSealedBlock + 1 }, ErrRecord},
		{"a huge file", func(w *wirepb.Record) { big(w, entry.MaxSize/entry.MaxBlock+1, MaxSealedBlock) }, ErrRecord},
		{"too many blocks", func(w *wirepb.Record) { big(w, entry.MaxBlocks+1, Overhead+1) }, ErrRecord},
		{"nothing sealed", func(w *wirepb.Record) { w.Sealed = nil }, ErrRecord},
		{"too little sealed", func(w *wirepb.Record) { w.Sealed = make([]byte, minSealed-padTo) }, ErrRecord},
		{"too much sealed", func(w *wirepb.Record) { w.Sealed = make([]byte, maxSealed+padTo) }, ErrRecord},
		{"sealed without padding", func(w *wirepb.Record) { w.Sealed = w.Sealed[1:] }, ErrRecord},
		{"a field to come", func(w *wirepb.Record) { w.ProtoReflect().SetUnknown([]byte{15 << 3, 1}) }, ErrRecord},
	} {
		w := proto.CloneOf(good)
		tt.change(w)
		if r, err := RecordFromWire(w); !errors.Is(err, tt.want) || !errors.Is(err, ErrRecord) || r != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, w := range []*wirepb.Record{nil, {}} {
		if _, err := RecordFromWire(w); !errors.Is(err, ErrRecord) {
			t.Errorf("an empty message: %v", err)
		}
	}
}

func TestTheLargestFilesFit(t *testing.T) {
	k := derive(t, 1, 1, 1)
	w := sealed(t, k, photo(k)).ToWire()
	w.BlockIds, w.SealedSizes = make([]byte, 32*entry.MaxBlocks), make([]uint32, entry.MaxBlocks)
	for i := range w.SealedSizes {
		w.SealedSizes[i] = entry.MaxSize/entry.MaxBlocks + Overhead
	}
	r, err := RecordFromWire(w)
	if err != nil || len(r.Blocks) != entry.MaxBlocks {
		t.Fatal(err)
	}
}
