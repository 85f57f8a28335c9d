package index

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAFullDiskFailsAnUpdateAndNoMore(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	defer func() { must(t, syscall.Unmount(dir, 0)) }()
	db, err := Open(filepath.Join(dir, "index.db"))
	must(t, err)
	defer func() { must(t, db.Close()) }()
	must(t, db.Update(func(tx *Tx) error {
		_, err := tx.CreateFolder(folderA, me, 7)
		return err
	}))
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	put := func(n int) error {
		return db.Update(func(tx *Tx) error {
			return onFolder(tx, func(f *Folder) error {
				for i := range 200 {
					if _, err := f.Put(treeEntry(200*n + i)); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = put(n)
	}
	if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrDamaged) {
		t.Fatalf("Update %d on a full disk: %v", n, err)
	}
	n--
	view(t, db, func(f *Folder) error {
		if got := f.Totals().Files; got != int64(200*n) {
			t.Errorf("%d files instead of %d", got, 200*n)
		}
		return nil
	})
	must(t, os.Remove(ballast))
	must(t, put(n))
}
