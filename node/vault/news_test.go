package vault

import (
	"testing"

	"github.com/kithmesh/kith/index/entry"
)

func TestNewsLeavesOutWhatWasSuperseded(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	put(t, v, nil, testRecord(1, ver(1, 1)))
	put(t, v, nil, testRecord(2, ver(1, 2)))
	put(t, v, nil, testRecord(1, ver(1, 3)))
	put(t, v, nil, testRecord(1, ver(2, 1, 1)), testRecord(2, ver(2, 0, 1)))
	var got []entry.Sequence
	for h, err := range v.News(0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Sequence)
	}
	equal(t, "the news", got, []entry.Sequence{2, 3, 4, 5}) // of both records two versions are newest
	for h, err := range v.News(4) {
		must(t, err)
		equal(t, "what comes after 4", h.Sequence, entry.Sequence(5))
	}
}

func TestNewsForADeviceAreWhatOthersGave(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	for i, from := range []entry.DeviceID{anna, ben, "", anna, ben} {
		must(t, v.Put(t.Context(), nil, []Received{{Record: testRecord(uint64(i), ver(1, uint64(i)+1)), From: from}}))
	}
	for from, want := range map[entry.DeviceID][]entry.Sequence{
		anna: {2, 3, 5}, ben: {1, 3, 4}, mal: {1, 2, 3, 4, 5}, "": {1, 2, 3, 4, 5},
	} {
		var got []entry.Sequence
		for h, err := range v.NewsBut(0, from) {
			must(t, err)
			got = append(got, h.Sequence)
		}
		equal(t, "the news for "+string(from), got, want)
	}
}
