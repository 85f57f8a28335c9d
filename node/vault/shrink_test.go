package vault

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kithmesh/kith/protocol/seal"
)

// grown is a vault to which many small things have come in no order.
func grown(t *testing.T, c *clock) *Vault {
	t.Helper()
	v := testVault(t, t.TempDir(), c)
	for n := range uint64(30) {
		putMany(t, v, 1000+n*300, 300)
	}
	return v
}

func putMany(t *testing.T, v *Vault, first, n uint64) {
	t.Helper()
	var blocks []Block
	var records []*seal.Record
	for i := range n {
		b := testBlock(first+i, 60, anna)
		blocks = append(blocks, b)
		records = append(records, testRecord(first+i, ver(1, first+i), b))
	}
	put(t, v, blocks, records...)
}

func indexSize(t *testing.T, v *Vault) int64 {
	t.Helper()
	info, err := os.Stat(v.indexPath())
	must(t, err)
	return info.Size()
}

// TestAShrunkIndexHoldsTheSameInLess and goes on as before.
func TestAShrunkIndexHoldsTheSameInLess(t *testing.T) {
	c := newClock()
	v := grown(t, c)
	before, size := contents(t, v), indexSize(t, v)
	freed, err := v.ShrinkIndex()
	must(t, err)
	if now := indexSize(t, v); freed < size/3 || now != size-freed {
		t.Errorf("%d bytes of %d were freed, and %d are left", freed, size, now)
	}
	same(t, "the shrunk index", contents(t, v), before)
	checkReadable(t, v)
	if freed, err := v.ShrinkIndex(); freed != 0 || err != nil {
		t.Errorf("once more, %d bytes: %v", freed, err)
	}
	putMany(t, v, 50_000, 300)
	before = contents(t, v)
	v = reopened(t, v, c)
	same(t, "the index, opened again", contents(t, v), before)
	checkRebuilt(t, v)
	checkReadable(t, v)
}

func TestAnIndexIsNotShrunkWhereThereIsNoRoom(t *testing.T) {
	v := grown(t, newClock())
	v.free = func(string) (int64, error) { return 1 << 20, nil }
	if freed, err := v.ShrinkIndex(); freed != 0 || err != nil {
		t.Errorf("%d bytes: %v", freed, err)
	}
	v.free = func(string) (int64, error) { return 1 << 30, nil }
	v.SetLimits(Limits{KeepFree: 1 << 30})
	if freed, err := v.ShrinkIndex(); freed != 0 || err != nil {
		t.Errorf("%d bytes: %v", freed, err)
	}
}

func TestAnIndexOfFewRowsIsLeftAsItIs(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	putMany(t, v, 1, 20)
	if freed, err := v.ShrinkIndex(); freed != 0 || err != nil {
		t.Errorf("%d bytes: %v", freed, err)
	}
}

// TestAnIndexThatWasNotShrunkToTheEndIsTheOldOne after a crash, and what was
// written beside it is in nobody's way.
func TestAnIndexThatWasNotShrunkToTheEndIsTheOldOne(t *testing.T) {
	c := newClock()
	v := grown(t, c)
	before := contents(t, v)
	crash := errors.New("crash")
	v.hook = func(step string) error {
		if step == "shrunk" {
			return crash
		}
		return nil
	}
	if _, err := v.ShrinkIndex(); !errors.Is(err, crash) {
		t.Fatalf("it ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(v.dir, "index.new")); err != nil {
		t.Fatal(err)
	}
	v.hook = nil
	v = reopened(t, v, c)
	same(t, "the index after a crash", contents(t, v), before)
	if freed, err := v.ShrinkIndex(); freed == 0 || err != nil {
		t.Errorf("then %d bytes: %v", freed, err)
	}
	same(t, "the shrunk index", contents(t, v), before)
}

// TestACopyThatLacksRowsIsNotTaken: what is known in memory and what lies in the
// file are compared.
func TestACopyThatLacksRowsIsNotTaken(t *testing.T) {
	c := newClock()
	v := grown(t, c)
	before := contents(t, v)
	v.st.counts.blocks++
	if _, err := v.ShrinkIndex(); err == nil {
		t.Fatal("it was taken")
	}
	v.st.counts.blocks--
	same(t, "the index", contents(t, v), before)
	checkReadable(t, v)
}

func TestAnIndexIsShrunkWhileTheVaultIsInUse(t *testing.T) {
	v := grown(t, newClock())
	var wg sync.WaitGroup
	for n := range uint64(2) {
		wg.Go(func() {
			for i := range uint64(20) {
				putMany(t, v, 100_000*(n+1)+i*20, 20)
			}
		})
		wg.Go(func() {
			for i := range uint64(3000) {
				if _, err := v.Block(testBlock(1000+i, 60, anna).ID); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	freed, err := v.ShrinkIndex()
	if freed == 0 || err != nil {
		t.Errorf("%d bytes: %v", freed, err)
	}
	wg.Wait()
	checkReadable(t, v)
	checkRebuilt(t, v)
}
