package backup

import (
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
)

// TestWhatComesWhileAJobIsUnderWayIsStoredTogether but does not wait for its
// end.
func TestWhatComesWhileAJobIsUnderWayIsStoredTogether(t *testing.T) {
	in(t, func(t *testing.T) {
		b, anna := newBox(t, defaults()), newTeller(t, "anna")
		slow, last := newBlock(1, 500), uint64(20)
		held := make(chan struct{})
		anna.give = func(id entry.BlockID) ([]byte, error) {
			if id == slow.id {
				<-held
			}
			anna.mu.Lock()
			defer anna.mu.Unlock()
			return anna.blocks[id], nil
		}
		anna.has(newRecord(1, 1, slow), slow)
		anna.join(b)
		pass(time.Second)
		for n := uint64(2); n <= last; n++ {
			one := newBlock(n, 500)
			anna.has(newRecord(n, 1, one), one)
			pass(gatherTime / 100)
		}
		pass(gatherTime + ackEvery)
		moments := map[time.Time]int{}
		for h, err := range b.Vault().Since(0) {
			must(t, err)
			moments[h.Received]++
		}
		if n := b.holds(); n != int64(last)-1 || len(moments) > 2 {
			t.Errorf("%d versions came at %v", n, moments)
		}
		close(held)
		pass(time.Second)
		if n := b.holds(); n != int64(last) {
			t.Errorf("%d versions in the end", n)
		}
	})
}

func TestAFullJobDoesNotWaitForMore(t *testing.T) {
	record := func(size int, blocks int) *item {
		var all []block
		for n := range blocks {
			all = append(all, block{id: [32]byte{byte(n)}, sealed: make([]byte, size)})
		}
		return &item{record: newRecord(1, 1, all...)}
	}
	for _, test := range []struct {
		name string
		each *item
		full int // how many of these are plenty
	}{
		{"records", record(1, 0), jobRecords},
		{"blocks", record(1, 16), jobBlocks / 16},
		{"bytes", record(1<<20, 1), jobBytes >> 20},
	} {
		m := &member{}
		for n := 1; n <= test.full; n++ {
			m.queue = append(m.queue, test.each)
			if got := m.plenty(); got != (n == test.full) {
				t.Fatalf("%s: %d are plenty: %t", test.name, n, got)
			}
		}
	}
}
