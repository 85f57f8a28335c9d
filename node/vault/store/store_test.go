package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kithmesh/kith/node/vault/store"
	"github.com/kithmesh/kith/node/vault/store/storetest"
)

// places are all kinds that there are; each promise holds for all.
var places = map[string]func(testing.TB) store.Address{
	"directory": func(t testing.TB) store.Address { return store.Address{URL: t.TempDir()} },
	"bucket":    func(t testing.TB) store.Address { return storetest.Start(t).Address },
}

func everyPlace(t *testing.T, test func(*testing.T, store.Address)) {
	for _, kind := range slices.Sorted(maps.Keys(places)) {
		t.Run(kind, func(t *testing.T) { test(t, places[kind](t)) })
	}
}

func open(t *testing.T, a store.Address, part string) store.Place {
	t.Helper()
	p, err := a.Open(part)
	must(t, err)
	must(t, p.Prepare(t.Context()))
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func content(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func put(t *testing.T, p store.Place, name string, b []byte) {
	t.Helper()
	must(t, p.Put(t.Context(), name, bytes.NewReader(b), int64(len(b))))
}

func list(t *testing.T, p store.Place) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	must(t, p.List(t.Context(), func(name string, size int64) error {
		out[name] = size
		return nil
	}))
	return out
}

func TestWhatIsPutIsListedAndReadFromAnywhere(t *testing.T) {
	everyPlace(t, func(t *testing.T, a store.Address) {
		p := open(t, a, "folder/device")
		want := map[string]int64{}
		for i, n := range []int{0, 1, 100, 1 << 20, 5<<20 + 17} {
			name := fmt.Sprintf("%08x.blocks", i)
			b := content(byte(i), n)
			put(t, p, name, b)
			want[name] = int64(n)
			for range 10 {
				off := rand.IntN(n + 1)
				got := make([]byte, rand.IntN(n-off+1))
				must(t, p.ReadAt(t.Context(), name, got, int64(off)))
				if !bytes.Equal(got, b[off:off+len(got)]) {
					t.Fatalf("%s: other bytes at %d", name, off)
				}
			}
		}
		if got := list(t, p); !maps.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
	})
}

func TestManyFilesAreAllListed(t *testing.T) {
	everyPlace(t, func(t *testing.T, a store.Address) {
		p := open(t, a, "folder/device")
		const n = 1100 // more than a server tells at once
		for i := range n {
			put(t, p, fmt.Sprintf("%08x.records", i), []byte{byte(i)})
		}
		if got := list(t, p); len(got) != n {
			t.Errorf("%d files are listed of %d", len(got), n)
		}
	})
}

func TestAFileThatIsThereStaysAsItIs(t *testing.T) {
	everyPlace(t, func(t *testing.T, a store.Address) {
		p := open(t, a, "folder/device")
		first := content(1, 3000)
		put(t, p, "1", first)
		put(t, p, "1", first) // once more, as after a lost answer
		for _, other := range [][]byte{content(2, 3000), first[:2999], append(first[:3000:3000], 0)} {
			if err := p.Put(t.Context(), "1", bytes.NewReader(other), int64(len(other))); !errors.Is(err, fs.ErrExist) {
				t.Errorf("put over it: %v", err)
			}
		}
		got := make([]byte, 3000)
		must(t, p.ReadAt(t.Context(), "1", got, 0))
		if !bytes.Equal(got, first) {
			t.Error("it was changed")
		}
	})
}

func TestWhatIsMissingIsToldFromWhatEndsEarlier(t *testing.T) {
	everyPlace(t, func(t *testing.T, a store.Address) {
		p := open(t, a, "folder/device")
		put(t, p, "1", content(1, 100))
		for what, read := range map[string]struct {
			name string
			off  int64
			n    int
			want error
		}{
			"no file":    {"2", 0, 1, fs.ErrNotExist},
			"beyond end": {"1", 90, 11, io.ErrUnexpectedEOF},
			"behind end": {"1", 100, 1, io.ErrUnexpectedEOF},
		} {
			if err := p.ReadAt(t.Context(), read.name, make([]byte, read.n), read.off); !errors.Is(err, read.want) {
				t.Errorf("%s: %v, want %v", what, err, read.want)
			}
		}
		must(t, p.Remove(t.Context(), "1"))
		must(t, p.Remove(t.Context(), "1"))
		if got := list(t, p); len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	})
}

func TestPartsDoNotSeeEachOther(t *testing.T) {
	everyPlace(t, func(t *testing.T, a store.Address) {
		anna, ben := open(t, a, "folder/anna"), open(t, a, "folder/ben")
		put(t, anna, "1", []byte("anna"))
		put(t, ben, "1", []byte("ben"))
		must(t, ben.Remove(t.Context(), "1"))
		if got := list(t, anna); len(got) != 1 {
			t.Errorf("anna has %v", got)
		}
		if above := open(t, a, "folder"); len(list(t, above)) != 0 {
			t.Error("files of parts are listed above them")
		}
	})
}

func saysNothingOfFiles(t *testing.T, p store.Place) {
	t.Helper()
	for what, err := range map[string]error{
		"read":   p.ReadAt(t.Context(), "1", make([]byte, 1), 0),
		"list":   p.List(t.Context(), func(string, int64) error { return nil }),
		"put":    p.Put(t.Context(), "2", bytes.NewReader([]byte{1}), 1),
		"remove": p.Remove(t.Context(), "1"),
	} {
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestADiskThatIsNotMountedSaysNothingOfFiles(t *testing.T) {
	mount := filepath.Join(t.TempDir(), "mount")
	p := open(t, store.Address{URL: mount}, "folder/device")
	put(t, p, "1", []byte{1})
	must(t, os.Rename(mount, mount+".away"))
	must(t, os.Mkdir(mount, 0o700))
	saysNothingOfFiles(t, p)
	must(t, os.MkdirAll(filepath.Join(mount, "folder", "device"), 0o700))
	saysNothingOfFiles(t, p)
}

func TestAServerThatCannotBeUsedSaysNothingOfFiles(t *testing.T) {
	s := storetest.Start(t)
	p := open(t, s.Address, "folder/device")
	put(t, p, "1", []byte{1})
	wrong := s.Address
	wrong.SecretKey = "another"
	none := s.Address
	none.URL += "-of-nobody"
	for what, a := range map[string]store.Address{"a wrong key": wrong, "no bucket": none} {
		t.Run(what, func(t *testing.T) {
			p, err := a.Open("folder/device")
			must(t, err)
			saysNothingOfFiles(t, p)
			if p.Prepare(t.Context()) == nil {
				t.Error("it can be used")
			}
		})
	}
	s.Shut()
	saysNothingOfFiles(t, p)
	s.Open()
	must(t, p.ReadAt(t.Context(), "1", make([]byte, 1), 0))
}

func TestAnAddressSaysWhatIsWrongWithIt(t *testing.T) {
	for _, text := range []string{"", "photos", "./photos", "s3:", "s3:host", "s3:ftp://host/bucket", "s3:https:///bucket", "s3:https://u:p@host/bucket", "s3:https://host/bucket?x=1"} {
		a := store.Address{URL: text, AccessKey: "a", SecretKey: "b"}
		if err := a.Check(); !errors.Is(err, store.ErrAddress) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"/mnt/disk", "s3:host/bucket", "s3:https://host:9000/bucket/a/b"} {
		must(t, store.Address{URL: text, AccessKey: "a", SecretKey: "b"}.Check())
	}
	if err := (store.Address{URL: "s3:host/bucket"}).Check(); !errors.Is(err, store.ErrAddress) {
		t.Errorf("without a key: %v", err)
	}
}
