package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/protocol/seal"
)

// goldenVault is the packs of a vault, frozen: what is on people's disks is to
// be read for ever.
func goldenVault(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	c := newClock()
	v, err := Open(Options{Dir: dir, Folder: testFolder, PackSize: minPack, Grace: time.Hour, Clock: c.read})
	must(t, err)
	must(t, v.update(func(t *tx) error {
		t.st.vault, t.st.marker = ID{7, 7, 7}, marker{8, 8}
		return nil
	}))
	b1, b2 := testBlock(1, 100, anna), testBlock(2, 60, ben)
	put(t, v, []Block{b1, b2}, testRecord(1, ver(2, 1, 3), b1, b2))
	c.pass(time.Second)
	put(t, v, nil, testRecord(1, ver(1, 4, 3)))
	_, err = v.Pin(c.read(), []byte("label"))
	must(t, err)
	must(t, v.update(func(tx *tx) error {
		tx.drop(location{1, packHeader}, 0)
		return nil
	}))
	must(t, v.Close())
	return dir
}

func TestPacksAreWrittenAsTheyAlwaysWere(t *testing.T) {
	dir := goldenVault(t)
	h := blake3.New()
	for _, f := range packFiles(t, &Vault{dir: dir}) {
		data, err := os.ReadFile(packPath(filepath.Join(dir, "packs"), f.id, f.class))
		must(t, err)
		if i := bytes.Index(data, []byte("label")); i > 0 {
			clear(data[i-68 : i-52]) // the ID of a pin is random
			clear(data[i-4 : i])
		}
		_, _ = h.Write(data)
	}
	const want = "afea27bcb827e7d3bd92e12ce25ffbb0f2709f81a3ec1724cc90b09c77d2351f"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the packs have the sum %s, not %s", got, want)
	}
}

func TestRecordsComeBackFromTheirBytes(t *testing.T) {
	keys, err := seal.Derive(testFolder, 3, seal.NewFolderKey())
	must(t, err)
	plain := []byte("some content")
	e := &entry.Entry{
		Path: "a/b", Kind: entry.File, Mode: 0o644, Size: int64(len(plain)), Epoch: 3,
		Version: version.Version{Vector: version.Vector{{Replica: 1, Count: 2}, {Replica: 9, Count: 1 << 40}}, Clock: 77, Author: 9},
		Blocks:  []entry.Block{{ID: keys.BlockID(plain), Length: uint32(len(plain))}},
	}
	r, err := keys.SealRecord(e)
	must(t, err)
	data := appendRecord(nil, r)
	again, err := parseRecord(3, data)
	must(t, err)
	equal(t, "record", again, r)
	if _, err := keys.OpenRecord(again); err != nil {
		t.Error(err)
	}
	for n := range data {
		if _, err := parseRecord(3, data[:n]); !errors.Is(err, errBad) {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
	}
	var ids []entry.BlockID
	must(t, eachRef(data, func(id entry.BlockID) { ids = append(ids, id) }))
	equal(t, "references", ids, []entry.BlockID{e.Blocks[0].ID})
}

func TestANewerVaultIsLeftAlone(t *testing.T) {
	dir := goldenVault(t)
	path := packPath(filepath.Join(dir, "packs"), 1, classBlocks)
	data, err := os.ReadFile(path)
	must(t, err)
	h, err := parseHeader(data)
	must(t, err)
	newer := h.append(nil)
	newer[8] = packFormat + 1
	newer = newer[:packHeader-4]
	newer = append(newer, 0, 0, 0, 0)
	sum := rowSum(0, nil, newer[:packHeader-4])
	for i := range 4 {
		newer[packHeader-4+i] = byte(sum >> (8 * i))
	}
	must(t, os.WriteFile(path, append(newer, data[packHeader:]...), 0o600))
	must(t, os.Remove(filepath.Join(dir, "index.db")))
	if _, err := Open(Options{Dir: dir, Folder: testFolder}); !errors.Is(err, ErrVersion) {
		t.Errorf("Open: %v", err)
	}
}

func FuzzPack(f *testing.F) {
	dir := goldenVault(f)
	for _, p := range packFiles(f, &Vault{dir: dir}) {
		data, err := os.ReadFile(packPath(filepath.Join(dir, "packs"), p.id, p.class))
		must(f, err)
		f.Add(data)
		f.Add(data[packHeader:])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = parseHeader(data)
		for _, heads := range []bool{false, true} {
			s := scanner{pack: 1, r: bytes.NewReader(data), size: int64(len(data)), marker: marker{8, 8}, heads: heads}
			for {
				at := s.off
				e, err := s.next()
				if errors.Is(err, errTorn) {
					if more, err := s.resync(); err != nil || !more {
						break
					}
					if s.off <= at {
						t.Fatal("resync goes back")
					}
					continue
				}
				if err != nil {
					break
				}
				if s.off != at+e.size() || s.off > s.size {
					t.Fatalf("an entry of %d bytes from %d to %d", e.size(), at, s.off)
				}
				if !e.bad && e.data != nil {
					_, _ = parseRecord(e.epoch, e.data)
					_ = eachRef(e.data, func(entry.BlockID) {})
					_, _, _ = parseDrops(e.data)
					_, _ = parseRetired(e.data)
				}
			}
		}
	})
}

func FuzzRecord(f *testing.F) {
	b := testBlock(1, 100, anna)
	f.Add(appendRecord(nil, testRecord(1, ver(1, 1), b, b)))
	f.Add(appendRecord(nil, testRecord(2, ver(2, 5, 6, 7))))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRecord(1, data)
		if err != nil {
			if !errors.Is(err, errBad) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(appendRecord(nil, r), data) {
			t.Fatal("other bytes come back")
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add(appendVariants(nil, []variant{{}, {bad: true}}))
	f.Add((&recordRow{version: ver(1, 1)}).append(nil))
	f.Add(packRow{class: classBlocks, length: 80}.append(nil))
	f.Add((&state{}).append(nil))
	f.Add((&pinRow{label: []byte("x")}).append(nil))
	f.Fuzz(func(_ *testing.T, row []byte) {
		_, _ = parseVariants(row)
		_, _ = parseRecordRow(row)
		_, _ = parsePackRow(row)
		_, _ = parseState(row)
		_, _ = parsePinRow(row)
	})
}
