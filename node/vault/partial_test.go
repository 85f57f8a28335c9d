package vault

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault/retention"
)

// openAs is testVault with options of the opener.
func openAs(t testing.TB, dir string, c *clock, change func(*Options)) *Vault {
	t.Helper()
	o := Options{Dir: dir, Folder: testFolder, PackSize: minPack, Grace: time.Hour, Clock: c.read, noSync: true}
	change(&o)
	v, err := Open(o)
	must(t, err)
	t.Cleanup(func() { must(t, v.Close()) })
	return v
}

func partial(o *Options) { o.Partial = true }

func damages(t testing.TB, v *Vault) []Damage {
	t.Helper()
	out, err := v.Damaged()
	must(t, err)
	return out
}

func TestAPartialVaultTakesRecordsWithoutTheirBlocks(t *testing.T) {
	c := newClock()
	v := openAs(t, t.TempDir(), c, partial)
	b1, b2 := testBlock(1, 1000, anna), testBlock(2, 2000, anna)
	first, second := testRecord(1, ver(1, 1), b1, b2), testRecord(1, ver(1, 2), b2)
	put(t, v, []Block{b1}, first)
	at := c.read()
	c.pass(time.Hour)
	put(t, v, nil, second)
	check := func(v *Vault) {
		t.Helper()
		equal(t, "as of the first", len(asOf(t, v, at)), 1)
		vs, err := v.Versions(first.ID)
		must(t, err)
		equal(t, "versions", len(vs), 2)
		equal(t, "the record", vs[0].Record, first)
		equal(t, "damages", damages(t, v), []Damage(nil))
		if s := scrubAll(t, v); s != 0 {
			t.Errorf("scrub finds %d damages", s)
		}
	}
	check(v)
	must(t, v.Rebuild())
	check(v)
	checkRebuilt(t, v)
	if _, err := v.Block(b2.ID); !errors.Is(err, ErrMissing) {
		t.Errorf("a block that never came: %v", err)
	}
	put(t, v, []Block{b2})
	got, err := v.Block(b2.ID)
	must(t, err)
	equal(t, "what comes later", bytes.Equal(got, b2.Sealed), true)
	check(v)
}

func TestWhatAVaultLacksIsALossToOneOpenerAndNoneToAnother(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	v := openAs(t, dir, c, partial)
	b := testBlock(1, 1000, anna)
	put(t, v, nil, testRecord(1, ver(1, 1), b))
	must(t, v.Close())
	v = testVault(t, dir, c)
	equal(t, "before it looks", damages(t, v), []Damage(nil))
	must(t, v.Rebuild())
	found := damages(t, v)
	if len(found) != 1 || found[0].Block != b.ID || !found[0].Lost {
		t.Fatalf("damages: %+v", found)
	}
	must(t, v.Close())
	v = openAs(t, dir, c, partial)
	equal(t, "for the first again", damages(t, v), []Damage(nil))
	totals, err := v.Totals()
	must(t, err)
	equal(t, "damaged", totals.Damaged, int64(0))
	checkRebuilt(t, v)
}

func TestABlockThatIsDamagedIsDamageInAPartialVaultToo(t *testing.T) {
	v := openAs(t, t.TempDir(), newClock(), partial)
	b := testBlock(1, 1000, anna)
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
	f := packFiles(t, v)[0]
	flip(t, packPath(v.packDir, f.id, f.class), f.size-1)
	scrubAll(t, v)
	found := damages(t, v)
	if len(found) != 1 || found[0].Block != b.ID || found[0].Lost {
		t.Fatalf("damages: %+v", found)
	}
	put(t, v, nil, testRecord(2, ver(1, 2), b)) // the tree may hold it
	put(t, v, []Block{b})
	equal(t, "once it was put again", damages(t, v), []Damage(nil))
}

func TestPruneOfAPartialVaultDropsWhatNoVersionNames(t *testing.T) {
	c := newClock()
	v := openAs(t, t.TempDir(), c, partial)
	b1, b2, b3 := testBlock(1, 1000, anna), testBlock(2, 1000, anna), testBlock(3, 1000, anna)
	put(t, v, []Block{b1, b2}, testRecord(1, ver(1, 1), b1, b3))
	c.pass(time.Hour)
	put(t, v, nil, testRecord(1, ver(1, 2), b2, b3))
	done := prunes(t, v, c, retention.Policy{})
	equal(t, "dropped", []int64{done.Versions, done.Blocks}, []int64{1, 1})
	has, err := v.HasBlocks([]entry.BlockID{b1.ID, b2.ID, b3.ID})
	must(t, err)
	equal(t, "left", has, []bool{false, true, false})
	checkRebuilt(t, v)
}
