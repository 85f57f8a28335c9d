package vault

import (
	"sync"
	"testing"
)

// There can be more packs than are kept open, and each is closed when another
// is opened: that is nobody's damage.
func TestWhoReadsFromMorePacksThanAreOpenFindsNoDamage(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	var all []Block
	for i := range uint64(openPacks + 20) {
		b := testBlock(i, minPack, anna) // a pack each
		all = append(all, b)
		put(t, v, []Block{b}, testRecord(i, ver(1, i+1), b))
	}
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			for j := range 4 * len(all) {
				if _, err := v.Block(all[(j*(2*i+1))%len(all)].ID); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	readers.Wait()
	checkReadable(t, v)
}
