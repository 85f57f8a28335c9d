package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/protocol/blocks"
	"github.com/kithmesh/kith/protocol/seal"
)

func TestWhatIsPutComesBack(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	b1, b2 := testBlock(1, 1000, anna), testBlock(2, 40<<10, anna)
	r := testRecord(1, ver(1, 1), b1, b2)
	put(t, v, []Block{b1, b2}, r)

	check := func(v *Vault) {
		t.Helper()
		for _, b := range []Block{b1, b2} {
			got, err := v.Block(b.ID)
			must(t, err)
			if !bytes.Equal(got, b.Sealed) {
				t.Errorf("block %s differs", b.ID)
			}
		}
		vs, err := v.Versions(r.ID)
		must(t, err)
		if len(vs) != 1 {
			t.Fatalf("%d versions", len(vs))
		}
		equal(t, "record", vs[0].Record, r)
		equal(t, "from", vs[0].From, anna)
		equal(t, "received", vs[0].Received.Equal(c.read()), true)
		equal(t, "sequence", vs[0].Sequence, entry.Sequence(1))
		has, err := v.HasBlocks([]entry.BlockID{b1.ID, {9}, b2.ID})
		must(t, err)
		equal(t, "has", has, []bool{true, false, true})
		totals, err := v.Totals()
		must(t, err)
		equal(t, "totals", []int64{totals.Blocks, totals.Variants, totals.BlockBytes, totals.Records, totals.Versions},
			[]int64{2, 2, 1000 + 40<<10, 1, 1})
	}
	check(v)
	head := v.Head()
	v = reopened(t, v, c)
	check(v)
	equal(t, "head", v.Head(), head)
	checkRebuilt(t, v)
	check(v)
	equal(t, "head after a rebuild", v.Head(), head)
	if _, err := v.Block(entry.BlockID{9}); !errors.Is(err, ErrMissing) {
		t.Errorf("a block that was never put: %v", err)
	}
}

func TestPuttingTwiceStoresOnce(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	b := testBlock(1, 1000, anna)
	r := testRecord(1, ver(1, 1), b)
	put(t, v, []Block{b, b}, r, r)
	before, err := v.Totals()
	must(t, err)
	b.From = ben
	put(t, v, []Block{b}, r)
	after, err := v.Totals()
	must(t, err)
	equal(t, "totals", after, before)
}

func TestARecordIsRefusedUntilItsBlocksAreThere(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	b1, b2 := testBlock(1, 1000, anna), testBlock(2, 1000, anna)
	whole, lacking := testRecord(1, ver(1, 1), b1), testRecord(2, ver(1, 2), b1, b2)
	err := v.Put(t.Context(), []Block{b1}, received(lacking, whole))
	var refused *RefusedError
	if !errors.Is(err, ErrMissing) || !errors.As(err, &refused) {
		t.Fatalf("Put: %v", err)
	}
	if len(refused.Records) != 1 || refused.Records[0].ID != lacking.ID || refused.Records[0].At != 0 {
		t.Fatalf("refused: %+v", refused.Records)
	}
	equal(t, "missing", refused.Records[0].Missing, []entry.BlockID{b2.ID})
	if vs, _ := v.Versions(whole.ID); len(vs) != 1 {
		t.Error("the other record was not stored")
	}
	put(t, v, []Block{b2}, lacking)
	if vs, _ := v.Versions(lacking.ID); len(vs) != 1 {
		t.Error("the record was not stored with its block")
	}
}

func TestInvalidBlocksAndRecordsAreRefused(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	for name, b := range map[string]Block{
		"empty": {ID: entry.BlockID{1}}, "no more than sealing adds": {Sealed: make([]byte, seal.Overhead)},
		"too long": {Sealed: make([]byte, seal.MaxSealedBlock+1)},
	} {
		if err := v.PutBlocks(t.Context(), []Block{testBlock(1, 100, anna), b}); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := testRecord(1, ver(1, 1))
	bad.Version.Clock = 0
	noEpoch := testRecord(2, ver(1, 1))
	noEpoch.Epoch = 0
	for _, r := range []*seal.Record{bad, noEpoch} {
		if err := v.PutRecords(t.Context(), received(r)); !errors.Is(err, ErrRefused) {
			t.Errorf("record %+v: %v", r, err)
		}
	}
	long := Block{ID: entry.BlockID{1}, Sealed: make([]byte, 100), From: entry.DeviceID(make([]byte, 300))}
	if err := v.PutBlocks(t.Context(), []Block{long}); !errors.Is(err, ErrRefused) {
		t.Errorf("a long name: %v", err)
	}
	totals, err := v.Totals()
	must(t, err)
	equal(t, "blocks", totals.Blocks+totals.Versions, int64(0))
}

func TestMomentsNeverGoBack(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	var last time.Time
	for i, d := range []time.Duration{0, time.Second, -time.Hour, 0, 2 * time.Hour, -24 * time.Hour} {
		c.pass(d)
		put(t, v, nil, testRecord(uint64(i), ver(1, 1)))
		if i == 3 {
			v = reopened(t, v, c)
		}
		now := v.Head().Moment
		if !now.After(last) {
			t.Fatalf("%d: %s after %s", i, now, last)
		}
		last = now
	}
}

func TestAnotherFoldersVaultIsNotOpened(t *testing.T) {
	dir := t.TempDir()
	v := testVault(t, dir, newClock())
	put(t, v, nil, testRecord(1, ver(1, 1)))
	if _, err := Open(Options{Dir: dir, Folder: testFolder}); !errors.Is(err, ErrLocked) {
		t.Errorf("while it is open: %v", err)
	}
	must(t, v.Close())
	must(t, v.Close())
	if err := v.PutRecords(t.Context(), received(testRecord(1, ver(1, 2)))); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := v.HasBlocks(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := Open(Options{Dir: dir, Folder: entry.FolderID{3}}); !errors.Is(err, ErrFolder) {
		t.Errorf("with its index: %v", err)
	}
	must(t, os.Remove(filepath.Join(dir, "index.db")))
	if _, err := Open(Options{Dir: dir, Folder: entry.FolderID{3}}); !errors.Is(err, ErrFolder) {
		t.Errorf("without its index: %v", err)
	}
	must(t, Remove(dir))
}

func TestSinceFollowsTheOrderOfReceipt(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	var want []entry.Sequence
	for i := range 3000 {
		if i%7 == 0 {
			put(t, v, nil, testRecord(uint64(i*31%977), ver(1, uint64(i+1))))
			want = append(want, entry.Sequence(len(want)+1))
		}
	}
	var got []entry.Sequence
	for h, err := range v.Since(0) {
		must(t, err)
		got = append(got, h.Sequence)
	}
	equal(t, "all", got, want)
	for h, err := range v.Since(400) {
		must(t, err)
		equal(t, "the first after 400", h.Sequence, entry.Sequence(401))
		break
	}
	for h := range v.Since(v.Head().Sequence) {
		t.Errorf("after the head: %v", h)
	}
}

func TestAsOfKeepsAllThatWereNewest(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	at := func(r *seal.Record) time.Time {
		c.pass(time.Minute)
		put(t, v, nil, r)
		return c.read()
	}
	base := testRecord(1, ver(1, 1))
	left, right := testRecord(1, ver(1, 2)), testRecord(1, ver(2, 1, 5))
	merged, late := testRecord(1, ver(1, 3, 5)), testRecord(1, ver(2, 1, 4))
	t1, t2, t3, t4, t5 := at(base), at(left), at(right), at(merged), at(late)
	newest := func(at time.Time) (out []*seal.Record) {
		for s, err := range v.AsOf(at) {
			must(t, err)
			for _, h := range s.Newest {
				out = append(out, h.Record)
			}
		}
		return out
	}
	equal(t, "before all", newest(t1.Add(-time.Second)), []*seal.Record(nil))
	equal(t, "at first", newest(t1), []*seal.Record{base})
	equal(t, "a child", newest(t2), []*seal.Record{left})
	equal(t, "two at once, the winner first", newest(t3), []*seal.Record{right, left})
	equal(t, "between", newest(t4.Add(-time.Second)), []*seal.Record{right, left})
	equal(t, "merged", newest(t4), []*seal.Record{merged})
	equal(t, "a late arrival changes nothing", newest(t5), []*seal.Record{merged})
	vs, err := v.Versions(base.ID)
	must(t, err)
	var until []time.Duration
	for _, h := range vs {
		if h.Until.IsZero() {
			until = append(until, -1)
		} else {
			until = append(until, h.Until.Sub(h.Received))
		}
	}
	equal(t, "until", until, []time.Duration{time.Minute, 2 * time.Minute, time.Minute, -1, 0})
}

func TestProofsAreThoseOfTheBlockProtocol(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	b := testBlock(1, 5000, anna)
	put(t, v, []Block{b})
	nonce := [32]byte{1, 2, 3}
	got, err := v.Prove(t.Context(), []entry.BlockID{b.ID, {1}}, nonce)
	must(t, err)
	equal(t, "proofs", got, [][]Proof{{{blocks.Proof(nonce, b.Sealed), seal.Raw, 5000}}, nil})
}

func TestAPoisonedBlockDoesNotKeepTheTrueOneOut(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	good := testBlock(1, 1000, anna)
	junk := testBlock(2, 900, mal)
	junk.ID = good.ID
	put(t, v, []Block{junk})
	put(t, v, []Block{good})
	forms, err := v.Blocks(good.ID)
	must(t, err)
	if len(forms) != 2 || !bytes.Equal(forms[0].Sealed, junk.Sealed) || !bytes.Equal(forms[1].Sealed, good.Sealed) {
		t.Fatalf("%d forms", len(forms))
	}
	equal(t, "givers", []entry.DeviceID{forms[0].From, forms[1].From}, []entry.DeviceID{mal, anna})
	v.Doubt([]entry.DeviceID{mal})
	first, err := v.Block(good.ID)
	must(t, err)
	if !bytes.Equal(first, good.Sealed) {
		t.Error("the form of a doubted device comes first")
	}
	again := testBlock(3, 900, mal)
	again.ID = good.ID
	if err := v.PutBlocks(t.Context(), []Block{again}); !errors.Is(err, ErrRefused) {
		t.Errorf("a second form by one device: %v", err)
	}
	for i, d := range []entry.DeviceID{"x", "y", "z"} {
		again.From = d
		again.Sealed = testBlock(uint64(10+i), 900, d).Sealed
		if err := v.PutBlocks(t.Context(), []Block{again}); i < 2 != (err == nil) {
			t.Errorf("form %d: %v", i+3, err)
		}
	}
	checkRebuilt(t, v)
}

func TestWhatOnlyADoubtedDeviceGaveIsAskedForAgain(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	b := testBlock(1, 1000, mal)
	put(t, v, []Block{b})
	has := func() bool {
		t.Helper()
		has, err := v.HasBlocks([]entry.BlockID{b.ID})
		must(t, err)
		return has[0]
	}
	equal(t, "before", has(), true)
	v.Doubt([]entry.DeviceID{mal})
	equal(t, "doubted", has(), false)
	b.From = anna
	put(t, v, []Block{b})
	equal(t, "given by another", has(), true)
	forms, err := v.Blocks(b.ID)
	must(t, err)
	equal(t, "forms", len(forms), 1)
	equal(t, "from", forms[0].From, anna)
	checkRebuilt(t, v)
	equal(t, "after a rebuild", has(), true)
}

func TestQuotaAndFloorRefuseAndDeleteNothing(t *testing.T) {
	free := int64(1 << 20)
	dir := t.TempDir()
	v, err := Open(Options{
		Dir: dir, Folder: testFolder, PackSize: minPack, Quota: 300 << 10, KeepFree: 1 << 19,
		Free: func(string) (int64, error) { return free, nil },
	})
	must(t, err)
	defer func() { must(t, v.Close()) }()
	n := 0
	for ; n < 100; n++ {
		if err = v.PutBlocks(t.Context(), []Block{testBlock(uint64(n), 10<<10, anna)}); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrQuota) || n != 29 {
		t.Fatalf("block %d: %v", n, err)
	}
	v.SetLimits(Limits{KeepFree: 1 << 19})
	must(t, v.PutBlocks(t.Context(), []Block{testBlock(1000, 10<<10, anna)}))
	free = 1<<19 + 9<<10
	if err := v.PutBlocks(t.Context(), []Block{testBlock(1001, 10<<10, anna)}); !errors.Is(err, ErrDiskFull) {
		t.Errorf("near the floor: %v", err)
	}
	totals, err := v.Totals()
	must(t, err)
	equal(t, "blocks", totals.Blocks, int64(30))
	checkReadable(t, v)
}

func TestPins(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	put(t, v, nil, testRecord(1, ver(1, 1)))
	if _, err := v.Pin(c.read().Add(time.Second), nil); !errors.Is(err, ErrFuture) {
		t.Errorf("a moment to come: %v", err)
	}
	c.pass(time.Minute)
	at := c.read()
	id, err := v.Pin(at, []byte("sealed label"))
	must(t, err)
	c.pass(-time.Hour)
	put(t, v, nil, testRecord(1, ver(1, 2)))
	equal(t, "as of the pin", len(asOf(t, v, at)), 1)
	for s := range v.AsOf(at) {
		equal(t, "what came after the pin is no part of it", s.Newest[0].Record.Version.Vector.Count(1), uint64(1))
	}
	checkRebuilt(t, v)
	v = reopened(t, v, c)
	pins, err := v.Pins()
	must(t, err)
	if len(pins) != 1 || pins[0].ID != id || !pins[0].At.Equal(at) || string(pins[0].Label) != "sealed label" {
		t.Errorf("pins: %+v", pins)
	}
	must(t, v.Unpin(id))
	if err := v.Unpin(id); !errors.Is(err, ErrMissing) {
		t.Errorf("unpin twice: %v", err)
	}
	checkRebuilt(t, v)
	if pins, err := v.Pins(); err != nil || len(pins) != 0 {
		t.Errorf("pins: %v, %v", pins, err)
	}
	if _, err := v.Pin(at, make([]byte, MaxLabel+1)); !errors.Is(err, ErrRefused) {
		t.Errorf("a long label: %v", err)
	}
}

func TestManyPutAtOnceShareTheWait(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	commits := 0
	v.hook = func(step string) error {
		if step == "committed" {
			commits++
		}
		return nil
	}
	errs := make(chan error)
	const n = 200
	for i := range uint64(n) {
		go func() {
			b := testBlock(i, 200, anna)
			errs <- v.Put(t.Context(), []Block{b}, received(testRecord(i, ver(1, i+1), b)))
		}()
	}
	for range n {
		must(t, <-errs)
	}
	t.Logf("%d commits", commits)
	checkReadable(t, v)
	checkRebuilt(t, v)
	seen := slices.Collect(func(yield func(entry.Sequence) bool) {
		for h := range v.Since(0) {
			yield(h.Sequence)
		}
	})
	equal(t, "numbers", len(seen), n)
}
