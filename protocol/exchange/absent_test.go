package exchange

import (
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/proto/wirepb"
)

func TestWhatIsAbsentArrivesAsItWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book, ear := newBook(t, 5), &fakeEar{}
		book.folder('a', 5)
		book.absent = []int{0, 1, 4}
		_, listener, stop := pairUp(t, book, ear)
		defer stop()
		synctest.Wait()
		listener.Start(startWith('a'))
		synctest.Wait()
		if len(ear.heard) != 1 || !slices.Equal(ear.heard[0].Batch.Absent, book.absent) {
			t.Errorf("heard %v", ear.heard)
		}
	})
}

// TestPositionsOfTheAbsentSurviveTheWire of sealed entries as of items.
func TestPositionsOfTheAbsentSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, maxBatch).Draw(rt, "entries")
		b := Batch{Folder: folderID('a'), Sealed: []byte{1}, Epoch: 1, Through: entry.Sequence(n), Head: entry.Sequence(n)}
		for i := range n {
			b.Sequences = append(b.Sequences, entry.Sequence(i+1))
		}
		b.Absent = rapid.SliceOfDistinct(rapid.IntRange(0, n-1), rapid.ID[int]).Draw(rt, "absent")
		slices.Sort(b.Absent)
		got, _, err := batchFromWire(b.toWire())
		if err != nil || !slices.Equal(got.Absent, b.Absent) {
			rt.Fatalf("%v became %v: %v", b.Absent, got.Absent, err)
		}
	})
}

// TestPositionsFollowTheItemsWhereRecordsAreLeftOut because they are malformed.
func TestPositionsFollowTheItemsWhereRecordsAreLeftOut(t *testing.T) {
	id := entry.FolderID(id16)
	m := &wirepb.Records{Folder: id16, Index: 5, Through: 6, Head: 6, Steps: many(6, uint64(1))}
	for i := range 6 {
		r := record(t, id, "x").ToWire()
		if i == 1 || i == 3 {
			r.Id = nil
		}
		m.Records = append(m.Records, r)
	}
	m.Absent = []uint32{0, 3, 1, 1} // 0, 3, 4 and 5, of which 3 is malformed
	b, refused, err := batchFromWire(m)
	if err != nil || len(refused) != 2 || len(b.Items) != 4 {
		t.Fatalf("%d items, %v, %v", len(b.Items), refused, err)
	}
	if want := []int{0, 2, 3}; !slices.Equal(b.Absent, want) || b.Items[2].Sequence != 5 {
		t.Errorf("absent are %v, not %v", b.Absent, want)
	}
}

// TestOldMessagesAreEncodedAsTheyWere: what the fields that came later leave
// out costs no byte.
func TestOldMessagesAreEncodedAsTheyWere(t *testing.T) {
	start := Start{Folder: folderID('a'), Index: 9, After: 3, Seen: 4, Roster: [16]byte{1}}
	batch := Batch{Folder: folderID('a'), Index: 9, Sealed: []byte{5}, Epoch: 1, Sequences: []entry.Sequence{4}, After: 3, Through: 4, Head: 6}
	for name, c := range map[string]struct {
		now  proto.Message
		then string
	}{
		"start": {start.toWire(), "\x0a\x10a" + zeros(15) + "\x11\x09" + zeros(7) + "\x18\x03\x20\x04\x2a\x10\x01" + zeros(15)},
		"records": {batch.toWire(), "\x0a\x10a" + zeros(15) + "\x11\x09" + zeros(7) + "\x22\x01\x01\x28\x03\x30\x04\x38\x06" +
			"\x42\x05\x08\x01\x12\x01\x05"},
	} {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(c.now)
		if err != nil || string(b) != c.then {
			t.Errorf("%s: %x, not %x: %v", name, b, c.then, err)
		}
	}
}

func zeros(n int) string { return string(make([]byte, n)) }
