package vault

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kithmesh/kith/node/vault/retention"
)

func TestAFullDiskFailsAPutAndNoMore(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	defer func() { must(t, syscall.Unmount(dir, 0)) }()
	c := newClock()
	v, err := Open(Options{Dir: filepath.Join(dir, "vault"), Folder: testFolder, PackSize: minPack, Clock: c.read})
	must(t, err)
	defer func() { must(t, v.Close()) }()
	n := uint64(0)
	for ; err == nil && n < 1000; n++ {
		b := testBlock(n, 10<<10, anna)
		err = v.Put(t.Context(), []Block{b}, received(testRecord(n, ver(1, n+1), b)))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("put %d on a full disk: %v", n, err)
	}
	totals, err := v.Totals()
	must(t, err)
	equal(t, "versions", totals.Versions, int64(n-1))
	checkFull := func() {
		t.Helper()
		for h, err := range v.Since(0) {
			must(t, err)
			if _, err := v.Block(h.Record.Blocks[0].ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkFull()
	if _, err := v.Prune(t.Context(), retention.Policy{}); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Prune: %v", err)
	}
	checkFull()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8m"))
	b := testBlock(n, 10<<10, anna)
	put(t, v, []Block{b}, testRecord(n, ver(1, n+1), b))
	checkReadable(t, v)
	must(t, v.Rebuild())
	checkReadable(t, v)
}
