package vault

import (
	"os"
	"path/filepath"
	"testing"
)

// TestARecordWhoseBlocksACrashHasTakenIsNoLoss: the two kinds of packs are made
// durable at once, so that a crash may leave a record and not its blocks. Nobody
// was told that it is held.
func TestARecordWhoseBlocksACrashHasTakenIsNoLoss(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	first, second := testBlock(1, 500, anna), testBlock(2, 700, anna)
	put(t, v, []Block{first}, testRecord(1, ver(1, 1), first))
	must(t, v.Close())
	index, err := os.ReadFile(filepath.Join(v.dir, "index.db"))
	must(t, err)
	var lengths []int64
	packs, err := filepath.Glob(filepath.Join(v.packDir, "*.blocks"))
	must(t, err)
	for _, p := range packs {
		info, err := os.Stat(p)
		must(t, err)
		lengths = append(lengths, info.Size())
	}
	v = testVault(t, v.dir, c)
	put(t, v, []Block{second}, testRecord(2, ver(1, 1), second))
	must(t, v.Close())
	must(t, os.WriteFile(filepath.Join(v.dir, "index.db"), index, 0o600))
	for i, p := range packs {
		must(t, os.Truncate(p, lengths[i]))
	}
	v = testVault(t, v.dir, c)
	for range 2 {
		n, err := v.Totals()
		must(t, err)
		damaged, err := v.Damaged()
		must(t, err)
		equal(t, "versions", n.Versions, int64(1))
		equal(t, "damages", len(damaged), 0)
		must(t, v.Rebuild())
	}
	put(t, v, []Block{second}, testRecord(2, ver(1, 1), second))
	n, err := v.Totals()
	must(t, err)
	equal(t, "versions once it was put again", n.Versions, int64(2))
}
