package vault

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/node/vault/store/storetest"
)

func TestAnotherVaultsPacksInTheStoreDoNotEndThisOne(t *testing.T) {
	c := newClock()
	place := t.TempDir()
	first := testVaultOn(t, t.TempDir(), c, directoryAt(t, place))
	old := testBlock(1, 5000, anna)
	put(t, first, []Block{old}, testRecord(1, ver(1, 1), old))
	stow(t, first)
	must(t, first.Close())

	v := testVault(t, t.TempDir(), c) // begun anew, as its disk was lost
	b := testBlock(2, 5000, anna)
	put(t, v, []Block{b}, testRecord(2, ver(1, 2), b))
	_ = v.SetStore(directoryAt(t, place))
	if _, err := v.Stow(t.Context(), 1<<30, true); err == nil {
		t.Error("it was mixed with another")
	}
	_ = v.Rebuild()
	later := testBlock(3, 5000, anna)
	func() {
		defer func() {
			if r := recover(); r != nil {
				t.Fatalf("put: panic: %v", r)
			}
		}()
		must(t, v.Put(t.Context(), []Block{later}, received(testRecord(3, ver(1, 3), later))))
	}()
	gives(t, v, []Block{b, later})
}

func TestWhatWasReplacedDoesNotComeBackFromTheStore(t *testing.T) {
	c := newClock()
	s := directoryAt(t, t.TempDir())
	v := testVaultOn(t, t.TempDir(), c, s)
	w := newWorld(v, c, 11)
	w.live(t, 120)
	stow(t, v)
	for range 4 {
		w.live(t, 40)
		prunes(t, v, c, testPolicy) // without the store having been cleared
	}
	checkReadable(t, v)
	checkRebuilt(t, v)
	checkReadable(t, v)
}

func TestAnIndexIsRebuiltFromTheHeadsOfPacksThatReplaceOthers(t *testing.T) {
	s := storetest.Start(t)
	place, err := s.Address.Open("folder/device")
	must(t, err)
	c := newClock()
	v := testVaultOn(t, t.TempDir(), c, place)
	for n := range uint64(160) { // of the first half, a quarter stays
		path := n
		if n >= 80 {
			path = (n - 80) / 3 * 4
		}
		b := testBlock(n, 20<<10, anna)
		put(t, v, []Block{b}, testRecord(path, ver(1, n+1), b))
		c.pass(time.Minute)
	}
	c.pass(time.Hour)
	prunes(t, v, c, retention.Policy{Last: 1})
	stow(t, v)
	copied := 0
	for _, f := range v.stowedPacks() {
		if h, err := v.readHeader(f); err == nil && h.copied && f.class == classBlocks {
			copied++
		}
	}
	if copied < 3 {
		t.Fatalf("%d packs were rewritten", copied)
	}
	s.Down.Store(0)
	v = fromTheStoreAlone(t, v, c)
	totals, err := v.Totals()
	must(t, err)
	if down := s.Down.Load(); down > totals.BlockBytes/4 {
		t.Errorf("%d bytes were read, of blocks that have %d; %d packs replace others", down, totals.BlockBytes, copied)
	}
}

func TestAListThatIsNotCompleteIsNoLoss(t *testing.T) {
	v, s, c, all := stowedVault(t, 20)
	must(t, v.Close())
	must(t, os.RemoveAll(v.dir))
	s.listed = func(name string) bool { return name != packName(1, classBlocks) }
	got, err := Open(Options{Dir: v.dir, Folder: testFolder, PackSize: minPack, Clock: c.read, Store: s, noSync: true})
	if err == nil {
		must(t, got.Close())
	} else if !errors.Is(err, ErrStore) {
		t.Error(err)
	}
	s.listed = nil
	v = testVaultOn(t, v.dir, c, s)
	gives(t, v, all)
}

func TestADirectoryThatWasSetBackCallsNothingDamagedThatTheStoreHas(t *testing.T) {
	c := newClock()
	place := t.TempDir()
	dir := t.TempDir()
	v := testVaultOn(t, dir, c, directoryAt(t, place))
	w := newWorld(v, c, 5)
	w.live(t, 60)
	stow(t, v)
	must(t, v.Close())
	old := filepath.Join(t.TempDir(), "copy")
	must(t, os.CopyFS(old, os.DirFS(dir)))
	v = testVaultOn(t, dir, c, v.store)
	w.v = v
	w.live(t, 100)
	prunes(t, v, c, testPolicy)
	stow(t, v)
	must(t, v.Close())
	must(t, os.RemoveAll(dir))
	must(t, os.CopyFS(dir, os.DirFS(old)))
	v = testVaultOn(t, dir, c, directoryAt(t, place))
	for {
		s, err := v.Scrub(t.Context(), 1<<30)
		must(t, err)
		if s.Round {
			break
		}
	}
	if _, err := v.Stow(t.Context(), 1<<30, true); errors.Is(err, fs.ErrExist) {
		must(t, v.Rebuild())
	}
	checkReadable(t, v)
}

func TestWhatOnlyReplacedOthersLeavesAWordOfIt(t *testing.T) {
	c := newClock()
	s := directoryAt(t, t.TempDir())
	v := testVaultOn(t, t.TempDir(), c, s)
	n := uint64(0)
	change := func(paths func(uint64) bool) {
		for i := range uint64(60) {
			if !paths(i) {
				continue
			}
			n++
			b := testBlock(n, 9000, anna)
			put(t, v, []Block{b}, testRecord(1+i, ver(1, n), b))
			c.pass(time.Minute)
		}
		c.pass(time.Hour)
	}
	change(func(uint64) bool { return true })
	stow(t, v)
	for _, paths := range []func(uint64) bool{
		func(i uint64) bool { return i%4 != 0 },
		func(i uint64) bool { return i%4 == 0 },
		func(uint64) bool { return true },
	} {
		change(paths)
		prunes(t, v, c, retention.Policy{Last: 1})
	}
	before := contents(t, v)
	must(t, v.Rebuild())
	after := contents(t, v)
	for _, table := range []string{"blocks", "records"} {
		if len(after[table]) != len(before[table]) {
			t.Errorf("%s: %d rows were rebuilt of %d", table, len(after[table]), len(before[table]))
		}
	}
	checkReadable(t, v)
}

func TestAnInventoryThatHasJustGoneIsNotTheEnd(t *testing.T) {
	v, s, c, all := stowedVault(t, 5)
	must(t, v.Close())
	must(t, os.RemoveAll(v.dir))
	old := &ghost{Store: s.Store}
	for _, old.name = range []string{"00000000.inventory", "00000009.inventory"} {
		v = testVaultOn(t, v.dir, c, old)
		gives(t, v, all)
		must(t, v.Close())
		must(t, os.RemoveAll(v.dir))
	}
}

// ghost is a store that lists a file which is gone.
type ghost struct {
	Store
	name string
}

func (g *ghost) List(ctx context.Context, each func(string, int64) error) error {
	if err := g.Store.List(ctx, each); err != nil {
		return err
	}
	return each(g.name, 200)
}

func TestADirectoryThatWasSetBackAndWentAnotherWayLosesNothing(t *testing.T) {
	c := newClock()
	place, dir, old := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "copy")
	v := testVaultOn(t, dir, c, directoryAt(t, place))
	n := uint64(0)
	more := func(v *Vault, paths uint64) (all []Block) {
		for range paths {
			n++
			b := testBlock(n, 9000, anna)
			all = append(all, b)
			put(t, v, []Block{b}, testRecord(n, ver(1, n), b))
			c.pass(time.Minute)
		}
		return all
	}
	first := more(v, 4)
	stow(t, v)
	must(t, v.Close())
	must(t, os.CopyFS(old, os.DirFS(dir)))
	v = testVaultOn(t, dir, c, v.store)
	second := more(v, 2)
	stow(t, v)
	prunes(t, v, c, retention.Policy{Within: retention.Forever}) // small packs become one, which replaces them
	stow(t, v)
	must(t, v.Close())
	must(t, os.RemoveAll(dir))
	must(t, os.CopyFS(dir, os.DirFS(old)))
	v = testVaultOn(t, dir, c, directoryAt(t, place))
	third := more(v, 2)
	for range 3 {
		if _, err := v.Stow(t.Context(), 1<<30, true); errors.Is(err, fs.ErrExist) {
			must(t, v.Rebuild())
		} else {
			must(t, err)
		}
		c.pass(time.Hour)
	}
	must(t, v.Rebuild())
	for what, all := range map[string][]Block{"what came before": first, "what came after the copy": second, "what came at last": third} {
		for _, b := range all {
			if _, err := v.Block(b.ID); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	checkReadable(t, v)
}

func TestARebuildKeepsWhatCameIntoAnOlderPackAfterTheInventory(t *testing.T) {
	for what, last := range map[string]func(*testing.T, *Vault, Block){
		"a record": func(t *testing.T, v *Vault, b Block) {
			must(t, v.PutRecords(t.Context(), received(testRecord(2, ver(1, 2), b))))
		},
		"a pin": func(t *testing.T, v *Vault, _ Block) {
			_, err := v.Pin(v.Head().Moment, []byte("another"))
			must(t, err)
		},
		"a pin that goes": func(t *testing.T, v *Vault, _ Block) {
			pins, err := v.Pins()
			must(t, err)
			must(t, v.Unpin(pins[0].ID))
		},
	} {
		t.Run(what, func(t *testing.T) {
			c := newClock()
			v := testVaultOn(t, t.TempDir(), c, directoryAt(t, t.TempDir()))
			first, second := testBlock(1, 5000, anna), testBlock(2, 5000, anna)
			put(t, v, []Block{first}, testRecord(1, ver(1, 1), first))
			_, err := v.Pin(c.read(), []byte("label"))
			must(t, err)
			stow(t, v)
			for _, b := range []Block{second, testBlock(3, 5000, anna)} { // of which no record says anything yet
				must(t, v.PutBlocks(t.Context(), []Block{b}))
				stow(t, v)
			}
			last(t, v, second)
			before := contents(t, v)
			must(t, v.Rebuild())
			after := contents(t, v)
			for _, table := range []string{"blocks", "records", "pins"} {
				same(t, table, map[string]map[string]string{table: after[table]}, map[string]map[string]string{table: before[table]})
			}
			gives(t, v, []Block{first, second})
		})
	}
}

// TestNoWayBackLosesWhatIsSaidToBeHeld is a random life in which the directory
// is lost, or set back to what it was at some time, while the store goes on.
func TestNoWayBackLosesWhatIsSaidToBeHeld(t *testing.T) {
	for seed := range uint64(waysBack) {
		setBack(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func setBack(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 9))
	c := newClock()
	place, dir, old := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "copy")
	v := testVaultOn(t, dir, c, directoryAt(t, place))
	var held, heldThen, safe []Block // now, at the copy, and as of the last inventory
	n := uint64(0)
	settle := func(all bool) {
		for try := 0; ; try++ {
			done, err := v.Stow(t.Context(), 1<<30, all)
			if errors.Is(err, fs.ErrExist) && try < 3 {
				must(t, v.Rebuild())
				continue
			}
			if err != nil {
				t.Fatalf("seed %d: stow: %v", seed, err)
			}
			if !done.AsOf.IsZero() {
				safe = slices.Clone(held)
			}
			return
		}
	}
	first := testBlock(1<<32, 5000, anna)
	put(t, v, []Block{first}, testRecord(1<<32, ver(1, 1<<32), first))
	held = append(held, first)
	settle(true)
	for range 40 {
		c.pass(time.Duration(r.Int64N(int64(time.Hour))))
		switch r.IntN(12) {
		case 0, 1:
			settle(true)
		case 2:
			settle(false)
		case 3:
			if _, err := v.Prune(t.Context(), retention.Policy{Within: retention.Forever}); err != nil && !errors.Is(err, ErrStore) {
				t.Fatalf("seed %d: prune: %v", seed, err)
			}
		case 4:
			must(t, v.Close())
			must(t, os.RemoveAll(old))
			must(t, os.CopyFS(old, os.DirFS(dir)))
			heldThen = slices.Clone(held)
			v = testVaultOn(t, dir, c, directoryAt(t, place))
		case 5:
			if r.IntN(2) == 0 {
				continue
			}
			must(t, v.Close())
			must(t, os.RemoveAll(dir))
			if _, err := os.Stat(old); err == nil && r.IntN(3) > 0 {
				must(t, os.CopyFS(dir, os.DirFS(old)))
				held = slices.Clone(heldThen)
			} else {
				held = slices.Clone(safe)
			}
			v = testVaultOn(t, dir, c, directoryAt(t, place))
		case 6:
			if err := v.Rebuild(); err != nil {
				t.Fatalf("seed %d: rebuild: %v", seed, err)
			}
		default:
			for range 1 + r.IntN(6) {
				n++
				b := testBlock(n, 3000+r.IntN(9)*1000, anna)
				put(t, v, []Block{b}, testRecord(n, ver(1, n), b))
				held = append(held, b)
			}
		}
	}
	settle(true)
	gives(t, v, held)
	checkReadable(t, v)
	must(t, v.Rebuild())
	gives(t, v, held)
	checkReadable(t, v)
}
