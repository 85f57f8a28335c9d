package vault

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/seal"
)

// flip changes one byte of a file.
func flip(t testing.TB, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	must(t, err)
	b[0] ^= 0x40
	_, err = f.WriteAt(b[:], at)
	must(t, err)
	must(t, f.Close())
}

// scrubAll scrubs one round, a part at a time.
func scrubAll(t testing.TB, v *Vault) (bad int64) {
	t.Helper()
	for {
		s, err := v.Scrub(t.Context(), 100<<10)
		must(t, err)
		bad += s.Bad
		if s.Round {
			return bad
		}
	}
}

// filled is a vault with many blocks and records, and what was put.
func filled(t testing.TB, c *clock) (*Vault, map[entry.BlockID]Block, []*seal.Record) {
	t.Helper()
	v := testVault(t, t.TempDir(), c)
	blocks := map[entry.BlockID]Block{}
	var records []*seal.Record
	for i := range uint64(100) {
		bs := []Block{testBlock(2*i, 2000, anna), testBlock(2*i+1, 500, anna)}
		for _, b := range bs {
			blocks[b.ID] = b
		}
		records = append(records, testRecord(i, ver(1, i+1), bs...))
		must(t, v.Put(t.Context(), bs, received(records[i])))
	}
	return v, blocks, records
}

func TestScrubFindsEveryFlippedByteAndRepairHeals(t *testing.T) {
	c := newClock()
	v, blocks, records := filled(t, c)
	r := rand.New(rand.NewPCG(1, 2))
	byID := map[seal.RecordID]*seal.Record{}
	for _, one := range records {
		byID[one.ID] = one
	}
	for round := range 30 {
		files := packFiles(t, v)
		for range 1 + r.IntN(3) {
			f := files[r.IntN(len(files))]
			flip(t, packPath(v.packDir, f.id, f.class), packHeader+r.Int64N(f.size-packHeader))
		}
		scrubAll(t, v)
		damaged, err := v.Damaged()
		must(t, err)
		for _, d := range damaged {
			if d.Block == (entry.BlockID{}) {
				must(t, v.PutRecords(t.Context(), received(byID[d.Record])))
				continue
			}
			if _, err := v.Block(d.Block); !errors.Is(err, ErrMissing) {
				t.Fatalf("round %d: a damaged block is given out: %v", round, err)
			}
			exact, err := v.Repair(t.Context(), blocks[d.Block])
			must(t, err)
			equal(t, "exact", exact, true)
		}
		// A flip within what only the packs need leaves the index as it was.
		for id, b := range blocks {
			got, err := v.Block(id)
			must(t, err)
			if !bytes.Equal(got, b.Sealed) {
				t.Fatalf("round %d: block %s differs", round, id)
			}
		}
		for _, one := range records {
			vs, err := v.Versions(one.ID)
			must(t, err)
			if len(vs) != 1 {
				t.Fatalf("round %d: record %s: %d versions", round, one.ID, len(vs))
			}
			equal(t, "record", vs[0].Record, one)
		}
	}
	if damaged, err := v.Damaged(); err != nil || len(damaged) != 0 {
		t.Errorf("damages: %v, %v", damaged, err)
	}
	must(t, v.Rebuild())
	for _, one := range records {
		if vs, err := v.Versions(one.ID); err != nil || len(vs) != 1 {
			t.Fatalf("after a rebuild: record %s: %d versions, %v", one.ID, len(vs), err)
		}
	}
}

func TestADamagedBlockIsNeverGivenOut(t *testing.T) {
	c := newClock()
	v, blocks, _ := filled(t, c)
	files := packFiles(t, v)
	flip(t, packPath(v.packDir, files[0].id, files[0].class), packHeader+headSize+500)
	bad := 0
	for id, b := range blocks {
		got, err := v.Block(id)
		switch {
		case errors.Is(err, ErrMissing):
			bad++
			has, err := v.HasBlocks([]entry.BlockID{id})
			must(t, err)
			equal(t, "has", has, []bool{false})
			must(t, v.PutBlocks(t.Context(), []Block{b}))
		case err != nil:
			t.Fatal(err)
		case !bytes.Equal(got, b.Sealed):
			t.Fatal("wrong bytes")
		}
	}
	equal(t, "bad ones", bad, 1)
	if damaged, err := v.Damaged(); err != nil || len(damaged) != 0 {
		t.Errorf("what is put again is not repaired: %v, %v", damaged, err)
	}
	checkRebuilt(t, v)
}

func TestABlockIsRepairedInAnotherForm(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	b := testBlock(1, 1000, anna)
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
	other := testBlock(2, 800, ben)
	other.ID = b.ID
	if _, err := v.Repair(t.Context(), other); !errors.Is(err, ErrRefused) {
		t.Errorf("a repair of what is whole: %v", err)
	}
	files := packFiles(t, v)
	flip(t, packPath(v.packDir, files[0].id, files[0].class), files[0].size-10)
	equal(t, "found", scrubAll(t, v), int64(1))
	exact, err := v.Repair(t.Context(), other)
	must(t, err)
	equal(t, "exact", exact, false)
	got, err := v.Block(b.ID)
	must(t, err)
	equal(t, "block", got, other.Sealed)
	checkReadable(t, v)
	checkRebuilt(t, v)
}

func TestAMissingOrShortPackIsToldBlockByBlock(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"missing": os.Remove,
		"short":   func(path string) error { return os.Truncate(path, 5000) },
		"zeros": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, make([]byte, info.Size()), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			v, blocks, records := filled(t, c)
			files := packFiles(t, v)
			must(t, v.Close())
			for _, f := range files[:2] {
				must(t, harm(packPath(v.packDir, f.id, f.class)))
			}
			v = testVault(t, v.dir, c)
			scrubAll(t, v)
			damaged, err := v.Damaged()
			must(t, err)
			if len(damaged) < 50 {
				t.Fatalf("%d damages", len(damaged))
			}
			for _, d := range damaged {
				if d.Block != (entry.BlockID{}) {
					_, err = v.Repair(t.Context(), blocks[d.Block])
					must(t, err)
				}
			}
			must(t, v.PutRecords(t.Context(), received(records...)))
			checkReadable(t, v)
		})
	}
}

func TestALostIndexAndALostPackTellWhichBlocksAreLost(t *testing.T) {
	c := newClock()
	v, blocks, _ := filled(t, c)
	var lost packFile
	for _, f := range packFiles(t, v) {
		if f.class == classBlocks {
			lost = f
			break
		}
	}
	must(t, v.Close())
	must(t, os.Remove(packPath(v.packDir, lost.id, lost.class)))
	must(t, os.Remove(v.indexPath()))
	v = testVault(t, v.dir, c)
	damaged, err := v.Damaged()
	must(t, err)
	if len(damaged) < 20 {
		t.Fatalf("%d damages", len(damaged))
	}
	for _, d := range damaged {
		equal(t, "lost", d.Lost, true)
		_, err := v.Repair(t.Context(), blocks[d.Block])
		must(t, err)
	}
	checkReadable(t, v)
	checkRebuilt(t, v)
}

func TestADamagedIndexIsRebuilt(t *testing.T) {
	c := newClock()
	v, _, _ := filled(t, c)
	want := contents(t, v)
	r := rand.New(rand.NewPCG(3, 4))
	for name, harm := range map[string]func(path string) error{
		"gone":  os.Remove,
		"empty": func(path string) error { return os.Truncate(path, 0) },
		"cut":   func(path string) error { return os.Truncate(path, 20000) },
		"text":  func(path string) error { return os.WriteFile(path, []byte("not an index"), 0o600) },
		"flipped": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for range 50 {
				data[r.IntN(len(data))] ^= 1 << r.IntN(8)
			}
			return os.WriteFile(path, data, 0o600)
		},
	} {
		must(t, v.Close())
		must(t, harm(filepath.Join(v.dir, "index.db")))
		v = testVault(t, v.dir, c)
		same(t, name, contents(t, v), want)
	}
	checkReadable(t, v)
}

func TestAnOldIndexIsBroughtUpToDate(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	w := newWorld(v, c, 11)
	w.live(t, 60)
	must(t, v.Close())
	old, err := os.ReadFile(v.indexPath())
	must(t, err)
	for name, then := range map[string]func(){
		"more was put":      func() { w.live(t, 60) },
		"some was pruned":   func() { prunes(t, w.v, c, retention.Policy{Last: 5}) },
		"more of all kinds": func() { w.live(t, 100); prunes(t, w.v, c, retention.Policy{Last: 5}); w.live(t, 10) },
	} {
		w.v = testVault(t, v.dir, c)
		then()
		want := contents(t, w.v)
		must(t, w.v.Close())
		must(t, os.WriteFile(v.indexPath(), old, 0o600))
		again := testVault(t, v.dir, c)
		same(t, name, contents(t, again), want)
		checkReadable(t, again)
		must(t, again.Close())
	}
}

func TestWhatIsGivenUpIsNoLongerTold(t *testing.T) {
	c := newClock()
	v, _, _ := filled(t, c)
	files := packFiles(t, v)
	must(t, v.Close())
	must(t, os.Remove(packPath(v.packDir, files[0].id, files[0].class)))
	must(t, os.Remove(packPath(v.packDir, files[1].id, files[1].class)))
	v = testVault(t, v.dir, c)
	before, err := v.Damaged()
	must(t, err)
	if len(before) < 50 {
		t.Fatalf("%d damages", len(before))
	}
	must(t, v.GiveUp(before))
	after, err := v.Damaged()
	must(t, err)
	equal(t, "damages", len(after), 0)
	prunes(t, v, c, retention.Policy{})
	v = reopened(t, v, c)
	totals, err := v.Totals()
	must(t, err)
	if totals.Damaged != 0 || totals.Packs > int64(len(files)) || totals.Exact.IsZero() {
		t.Errorf("%+v", totals)
	}
	if n := scrubAll(t, v); n != 0 {
		t.Errorf("%d more", n)
	}
}

// A member seals bytes that look like an entry which makes others dead, in the
// hope that a search through a damaged pack finds it.
func TestASealedEntryIsNoEntry(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	good := testBlock(1, 1000, anna)
	put(t, v, []Block{good}, testRecord(1, ver(1, 1), good))
	evil := testRecord(2, ver(2, 0, 1))
	data := appendDrops(nil, 0, []location{{1, packHeader}, {2, packHeader}})
	h := head{kind: kindDrop, length: uint32(len(data)), sum: blake3.Sum256(data)}
	evil.Sealed = append(make([]byte, 500), append(h.append(nil, marker{1, 2, 3}), data...)...)
	put(t, v, nil, evil)
	for _, f := range packFiles(t, v) {
		if f.class == classRecords {
			flip(t, packPath(v.packDir, f.id, f.class), f.size-int64(len(data))-headSize-600)
		}
	}
	must(t, v.Rebuild())
	if _, err := v.Block(good.ID); err != nil {
		t.Error(err)
	}
}

func TestPruneStopsWhereARecordCannotBeRead(t *testing.T) {
	c := newClock()
	v, _, records := filled(t, c)
	for _, f := range packFiles(t, v) {
		if f.class == classRecords {
			flip(t, packPath(v.packDir, f.id, f.class), packHeader+300)
			break
		}
	}
	if _, err := v.Prune(t.Context(), retention.Policy{}); !errors.Is(err, ErrUnreadable) {
		t.Fatalf("Prune: %v", err)
	}
	scrubAll(t, v)
	damaged, err := v.Damaged()
	must(t, err)
	for _, d := range damaged {
		must(t, v.PutRecords(t.Context(), received(records[d.Sequence-1])))
	}
	c.pass(3 * time.Hour)
	_, err = v.Prune(t.Context(), retention.Policy{})
	must(t, err)
	checkReadable(t, v)
}
