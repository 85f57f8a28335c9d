package seal

import (
	"errors"
	"reflect"
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func FuzzOpenBatch(f *testing.F) {
	k := derive(f, 1, 1, 1)
	genuine := sealedBatch(f, k, everyKind(k)[:2])
	f.Add(genuine, false)
	columns, noise := batchInside(everyKind(k)[:2])
	f.Add(append(plainPart(columns), plainPart(noise)...), true)
	f.Add(append(framePart(compress(nil, columns)), plainPart(noise)...), true)
	f.Fuzz(func(t *testing.T, in []byte, forged bool) {
		sealed := in
		if forged && len(in) < MaxSealedBatch-minSealedBatch {
			sealed = forgeBatch(k, batchFormat, in)
		}
		got, err := k.OpenBatch(sealed)
		if err != nil && (!errors.Is(err, ErrSealed) || got != nil) {
			t.Fatalf("%v, with %d entries", err, len(got))
		}
		if err == nil && len(got) == 0 {
			t.Fatal("a batch of nothing")
		}
		for i := range got {
			checkOpened(t, &got[i])
		}
	})
}

func checkOpened(t *testing.T, o *Opened) {
	t.Helper()
	switch {
	case o.Err == nil && o.Entry.Check() != nil:
		t.Fatalf("opens to an invalid entry: %v", o.Entry.Check())
	case o.Err != nil && !errors.Is(o.Err, ErrSealed):
		t.Fatal(o.Err)
	case o.Err != nil && !reflect.DeepEqual(o.Entry, entry.Entry{}):
		t.Fatalf("an entry that is refused is told: %+v", o.Entry)
	}
}

// FuzzBatchInside reads what only a liar with the key can have sealed. What can
// be taken apart can be laid out again, valid or not.
func FuzzBatchInside(f *testing.F) {
	k := derive(f, 1, 1, 1)
	for _, all := range [][]*entry.Entry{goldenEntries(k), unseeing(k), library(3, inDirectory("a")), inTurn(library(3, inDirectory("new")))} {
		columns, noise := batchInside(all)
		f.Add(formatOf(all) == unseenFormat, columns, noise)
	}
	f.Fuzz(func(t *testing.T, unseen bool, columns, noise []byte) {
		format := byte(batchFormat)
		if unseen {
			format = unseenFormat
		}
		read, err := fromBatchInside(format, columns, noise)
		if err != nil {
			if !errors.Is(err, ErrBatch) || !errors.Is(err, ErrSealed) || read != nil {
				t.Fatal(err)
			}
			return
		}
		all := make([]*entry.Entry, len(read))
		for i := range read {
			if read[i].Check() != nil {
				return // a size that is not that of its blocks gives other lengths
			}
			all[i] = &read[i]
		}
		if formatOf(all) != format {
			t.Fatalf("read as format %d: %+v", format, read)
		}
		columns, noise = batchInside(all)
		again, err := fromBatchInside(format, columns, noise)
		if err != nil || !reflect.DeepEqual(again, read) {
			t.Fatalf("read %+v, then %+v: %v", read, again, err)
		}
	})
}
