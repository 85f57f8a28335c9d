package seal

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// derive makes keys that depend on three small numbers.
func derive(t testing.TB, folder byte, epoch entry.Epoch, key byte) *Keys {
	t.Helper()
	k, err := Derive(entry.FolderID{0: folder, 15: 0xf0}, epoch, FolderKey{0: key, 31: 0x0f})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// noise is n bytes that depend on seed alone and do not compress.
func noise(n int, seed byte) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(out)
	return out
}

// prose is n bytes that compress.
func prose(n int) []byte {
	return []byte(strings.Repeat("The quick brown fox jumps over the lazy dog. ", n/45+1)[:n])
}

// photo is an entry with something in every field that a file can have.
func photo(k *Keys) *entry.Entry {
	e := &entry.Entry{
		Path: "Bilder/2026/Zürich \xff.jpg",
		Version: version.Version{
			Vector: version.Vector{{Replica: 3, Count: 1}, {Replica: 0xfedcba9876543210, Count: 1 << 40}},
			Clock:  1_795_000_000_000_000, Author: 0xfedcba9876543210,
		},
		AuthorName: "Annas Laptop", Kind: entry.File, Mode: 0o640, ModTime: 1_795_000_000_123_456_789, Epoch: k.Epoch(),
	}
	for i := range byte(3) {
		plain := noise(1000*(int(i)+1), i)
		e.Blocks = append(e.Blocks, entry.Block{ID: k.BlockID(plain), Length: uint32(len(plain))})
		e.Size += int64(len(plain))
	}
	return e
}

// entries are valid ones of every kind.
func entries(k *Keys) map[string]*entry.Entry {
	with := func(change func(*entry.Entry)) *entry.Entry {
		e := photo(k)
		change(e)
		return e
	}
	empty := func(e *entry.Entry, kind entry.Kind) { e.Kind, e.Size, e.Blocks = kind, 0, nil }
	return map[string]*entry.Entry{
		"file":            photo(k),
		"empty file":      with(func(e *entry.Entry) { empty(e, entry.File) }),
		"directory":       with(func(e *entry.Entry) { empty(e, entry.Directory); e.ModTime = 0 }),
		"symlink":         with(func(e *entry.Entry) { empty(e, entry.Symlink); e.Target = "../\xfe elsewhere" }),
		"delete":          with(func(e *entry.Entry) { empty(e, entry.Deleted); e.Gone = entry.Digest{1, 15: 2} }),
		"unseen delete":   with(func(e *entry.Entry) { empty(e, entry.Deleted) }),
		"before 1970":     with(func(e *entry.Entry) { e.ModTime = -1 }),
		"without author":  with(func(e *entry.Entry) { e.AuthorName = "" }),
		"of 8 MiB blocks": with(func(e *entry.Entry) { e.Size += 8<<20 - 1000; e.Blocks[0].Length = 8 << 20 }),
		"longest": with(func(e *entry.Entry) {
			empty(e, entry.Symlink)
			e.Path = entry.Path(strings.Repeat("a/", 2047) + "bc")
			e.Target, e.AuthorName, e.Mode = strings.Repeat("t", entry.MaxTarget), strings.Repeat("n", entry.MaxAuthorName), 0o777
		}),
	}
}
