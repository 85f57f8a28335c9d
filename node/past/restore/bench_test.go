package restore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/past/pasttest"
	"github.com/kithmesh/kith/node/past/restore"
)

// BenchmarkRestore restores from a local vault to an empty directory, durably.
// KITH_BENCH_KEEP names a directory in which one copy of each tree is left, to
// measure other programs on.
func BenchmarkRestore(b *testing.B) {
	for _, c := range []struct {
		name        string
		files, size int
		block       int
	}{
		{"20000_files_of_10_KiB", 20000, 10 << 10, 64 << 10},
		{"one_of_1_GiB", 1, 1 << 30, 256 << 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := pasttest.New(b)
			f.Block = c.block
			r := rand.NewChaCha8([32]byte{1})
			content := make([]byte, c.size)
			for i := range c.files {
				_, _ = r.Read(content)
				if i%100 == 0 && c.files > 1 {
					f.Mkdir(entry.Path(fmt.Sprintf("d%03d", i/100)), 0o755)
				}
				p := entry.Path(fmt.Sprintf("d%03d/f%05d", i/100, i))
				if c.files == 1 {
					p = "f"
				}
				f.Write(p, string(content))
				clear(f.Content)
				if i%500 == 0 {
					f.Flush()
				}
			}
			f.Flush()
			b.SetBytes(int64(c.files * c.size))
			for n := 0; b.Loop(); n++ {
				dir := filepath.Join(b.TempDir(), fmt.Sprint(n))
				if keep := os.Getenv("KITH_BENCH_KEEP"); keep != "" {
					dir = filepath.Join(keep, c.name)
					must(b, os.RemoveAll(dir))
				}
				tree := treeAt(b, f.Past(), f.Now)
				do(b, into(b, f, dir), restore.Request{Tree: tree})
			}
		})
	}
}
