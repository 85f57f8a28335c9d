package vault

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/seal"
)

// contentOf is a record whose blocks are counted when they are read.
func contentOf(r *seal.Record, read *int, blocks ...Block) Content {
	return Content{Record: r, Read: func(_ context.Context, ids []entry.BlockID, got func(entry.BlockID, []byte) error) error {
		for _, id := range ids {
			for _, b := range blocks {
				if b.ID != id {
					continue
				}
				*read++
				if err := got(id, b.Sealed); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}

func TestKeepReadsWhatIsMissingOnce(t *testing.T) {
	v := local(t, t.TempDir(), newClock())
	b1, b2, b3 := testBlock(1, 1000, ""), testBlock(2, 1000, ""), testBlock(3, 1000, "")
	put(t, v, []Block{b1})
	read := 0
	must(t, v.Keep(t.Context(), []Content{
		contentOf(testRecord(1, ver(1, 1), b1, b2, b2), &read, b1, b2),
		contentOf(testRecord(2, ver(1, 2), b2, b3), &read, b2, b3),
		contentOf(testRecord(3, ver(1, 3), b3), &read, b3),
		{Record: testRecord(4, ver(1, 4))},
	}))
	equal(t, "read", read, 2)
	for i := range uint64(4) {
		if vs, _ := v.Versions(testRecord(i+1, ver(1, 1)).ID); len(vs) != 1 {
			t.Errorf("record %d has %d versions", i+1, len(vs))
		}
	}
	checkReadable(t, v)
}

func TestKeepTakesMoreThanIsInMemory(t *testing.T) {
	v := local(t, t.TempDir(), newClock())
	v.SetLimits(Limits{})
	var all []Block
	for i := range uint64(12) {
		all = append(all, testBlock(i+1, 4<<20, ""))
	}
	read := 0
	must(t, v.Keep(t.Context(), []Content{contentOf(testRecord(1, ver(1, 1), all...), &read, all...)}))
	equal(t, "read", read, len(all))
	for _, b := range all {
		got, err := v.Block(b.ID)
		must(t, err)
		if !bytes.Equal(got, b.Sealed) {
			t.Errorf("block %s differs", b.ID)
		}
	}
}

func TestKeepGoesOnWhereOneDoesNotFit(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	old := newEdits(v, c, 3, 20<<10)
	old.run(t, 10)
	before := old.check(t)
	v.SetLimits(Limits{Quota: 24 << 20})
	var large []Block
	for i := range uint64(8) {
		large = append(large, testBlock(100+i, 4<<20, ""))
	}
	small := testBlock(50, 1000, "")
	read := 0
	err := v.Keep(t.Context(), []Content{
		contentOf(testRecord(10, ver(2, 0, 1), large...), &read, large...),
		contentOf(testRecord(11, ver(2, 0, 2), small), &read, small),
	})
	if !errors.Is(err, ErrQuota) {
		t.Errorf("Keep: %v", err)
	}
	equal(t, "read", read, 1)
	equal(t, "history that was there", old.check(t), before)
	if _, err := v.Block(small.ID); err != nil {
		t.Error(err)
	}
}

func TestAnErrorOfReadingEndsKeep(t *testing.T) {
	v := local(t, t.TempDir(), newClock())
	broken := errors.New("the disk says no")
	b := testBlock(1, 1000, "")
	c := Content{Record: testRecord(1, ver(1, 1), b), Read: func(context.Context, []entry.BlockID, func(entry.BlockID, []byte) error) error {
		return broken
	}}
	if err := v.Keep(t.Context(), []Content{c}); !errors.Is(err, broken) {
		t.Errorf("Keep: %v", err)
	}
	if vs, _ := v.Versions(c.Record.ID); len(vs) != 0 {
		t.Error("the record was stored")
	}
}
