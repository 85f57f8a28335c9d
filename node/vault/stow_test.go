package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/vault/store"
	"github.com/kithmesh/kith/node/vault/store/storetest"
)

func directoryAt(t testing.TB, dir string) Store {
	t.Helper()
	p, err := store.Address{URL: dir}.Open("")
	must(t, err)
	must(t, p.Prepare(context.Background()))
	return p
}

// stores are where packs can lie; what holds for a vault holds on each.
var stores = map[string]func(testing.TB) Store{
	"no store":  func(testing.TB) Store { return nil },
	"directory": func(t testing.TB) Store { return directoryAt(t, t.TempDir()) },
	"bucket": func(t testing.TB) Store {
		p, err := storetest.Start(t).Address.Open("folder/device")
		must(t, err)
		return p
	},
}

func stow(t testing.TB, v *Vault) Stowed {
	t.Helper()
	if v.store == nil {
		return Stowed{}
	}
	s, err := v.Stow(t.Context(), 1<<40, true)
	must(t, err)
	if s.Left != 0 || s.AsOf.IsZero() {
		t.Fatalf("stowed: %+v", s)
	}
	return s
}

// fromTheStoreAlone stows everything, and opens the vault anew after its
// directory is lost.
func fromTheStoreAlone(t *testing.T, v *Vault, c *clock) *Vault {
	t.Helper()
	stow(t, v)
	before := contents(t, v)
	must(t, v.Close())
	must(t, os.RemoveAll(v.dir))
	v = testVaultOn(t, v.dir, c, v.store)
	withoutOpenPacks(before)
	after := contents(t, v)
	withoutOpenPacks(after)
	same(t, "the index from the store alone", after, before)
	return v
}

// withoutOpenPacks forgets the packs that are appended to: they are empty, and
// lie in the directory.
func withoutOpenPacks(all map[string]map[string]string) {
	for key, row := range all["packs"] {
		if p := []byte(row); string(p[2:4]) == "00" {
			delete(all["packs"], key)
		}
	}
}

func names(t testing.TB, s Store) (out []string) {
	t.Helper()
	must(t, s.List(t.Context(), func(name string, _ int64) error {
		out = append(out, name)
		return nil
	}))
	return out
}

// TestAVaultKeepsItsPromisesWhereverItsPacksLie is what any store has to bear:
// the same random life on each, with the same outcome.
func TestAVaultKeepsItsPromisesWhereverItsPacksLie(t *testing.T) {
	outcomes := map[string]string{}
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			c := newClock()
			v := testVaultOn(t, t.TempDir(), c, open(t))
			w := newWorld(v, c, 7)
			said := ""
			for range 6 {
				w.live(t, 60)
				_, err := v.Pin(c.read().Add(-time.Minute), []byte("label"))
				must(t, err)
				w.live(t, 20)
				prunes(t, v, c, testPolicy)
				if v.store != nil {
					_, err := v.Stow(t.Context(), 128<<10, false)
					must(t, err)
				}
				checkReadable(t, v)
				v = reopened(t, v, c)
				w.v = v
				for d := range 40 {
					at := c.read().Add(-time.Duration(d) * 11 * time.Hour)
					said += fmt.Sprint(at, asOf(t, v, at))
				}
				stow(t, v)
				checkReadable(t, v)
				checkRebuilt(t, v)
			}
			if v.store != nil {
				v = fromTheStoreAlone(t, v, c)
				checkReadable(t, v)
				far := names(t, v.store)
				for {
					left, err := v.Unstow(t.Context(), 256<<10)
					must(t, err)
					if left == 0 {
						break
					}
				}
				if left := names(t, v.store); len(left) != 0 || len(far) == 0 {
					t.Errorf("%d files were in the store, and %v are left", len(far), left)
				}
				v.store = nil
				checkReadable(t, v)
			}
			for d := range 40 {
				at := c.read().Add(-time.Duration(d) * 11 * time.Hour)
				said += fmt.Sprint(at, asOf(t, v, at))
			}
			outcomes[kind] = said
		})
	}
	for kind, said := range outcomes {
		if said != outcomes["no store"] {
			t.Errorf("%s: the past is another", kind)
		}
	}
}

// broken is a store that can be cut off.
type broken struct {
	Store
	cut bool
}

var errCut = errors.New("no route to host")

func (b *broken) List(ctx context.Context, each func(string, int64) error) error {
	if b.cut {
		return errCut
	}
	return b.Store.List(ctx, each)
}

func (b *broken) ReadAt(ctx context.Context, name string, p []byte, off int64) error {
	if b.cut {
		return errCut
	}
	return b.Store.ReadAt(ctx, name, p, off)
}

func TestAStoreThatCannotBeReachedIsNoDamage(t *testing.T) {
	c := newClock()
	s := &broken{Store: directoryAt(t, t.TempDir())}
	v := testVaultOn(t, t.TempDir(), c, s)
	b := testBlock(1, 5000, anna)
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
	stow(t, v)
	s.cut = true
	v = reopened(t, v, c) // which needs nothing of it
	_, err := v.Block(b.ID)
	if !errors.Is(err, ErrStore) || errors.Is(err, ErrMissing) {
		t.Errorf("read: %v", err)
	}
	if _, err := v.Scrub(t.Context(), 1<<30); !errors.Is(err, ErrStore) {
		t.Errorf("scrub: %v", err)
	}
	if err := v.Rebuild(); !errors.Is(err, ErrStore) {
		t.Errorf("rebuild: %v", err)
	}
	later := testBlock(2, 5000, anna)
	put(t, v, []Block{later}, testRecord(2, ver(1, 2), later))
	if _, err := v.Stow(t.Context(), 1<<30, true); !errors.Is(err, ErrStore) {
		t.Errorf("stow: %v", err)
	}
	must(t, v.Close())
	must(t, os.Remove(v.indexPath()))
	if _, err := Open(Options{Dir: v.dir, Folder: testFolder, Store: s}); !errors.Is(err, ErrStore) {
		t.Errorf("open without an index: %v", err)
	}
	s.cut = false
	v = testVaultOn(t, v.dir, c, s)
	checkReadable(t, v)
	for _, one := range []Block{b, later} {
		if _, err := v.Block(one.ID); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsDamagedOrMissingInTheStoreIsFound(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	v := testVaultOn(t, t.TempDir(), c, directoryAt(t, dir))
	w := newWorld(v, c, 3)
	w.live(t, 150)
	stow(t, v)
	far, err := filepath.Glob(dir + "/*.blocks")
	must(t, err)
	if len(far) < 3 {
		t.Fatalf("only %d packs", len(far))
	}
	data, err := os.ReadFile(far[0])
	must(t, err)
	data[len(data)/2] ^= 1
	must(t, os.WriteFile(far[0], data, 0o600))
	must(t, os.Remove(far[1]))
	found := int64(0)
	for {
		s, err := v.Scrub(t.Context(), 1<<30)
		must(t, err)
		found += s.Bad
		if s.Round {
			break
		}
	}
	if found < 3 {
		t.Errorf("%d damages were found", found)
	}
	all, err := v.Damaged()
	must(t, err)
	for _, d := range all { // from another device
		for _, b := range w.blocks {
			if b.ID == d.Block {
				_, err := v.Repair(t.Context(), b)
				must(t, err)
			}
		}
	}
	checkReadable(t, v)
	must(t, v.Close())
	must(t, os.RemoveAll(v.dir))
	v = testVaultOn(t, v.dir, c, v.store)
	if n, err := v.Totals(); err != nil || n.Damaged != 0 {
		t.Logf("not yet stowed again: %+v, %v", n, err)
	}
}

func TestAnIndexIsRebuiltFromTheHeadsOfBlocks(t *testing.T) {
	s := storetest.Start(t)
	place, err := s.Address.Open("folder/device")
	must(t, err)
	c := newClock()
	v := testVaultOn(t, t.TempDir(), c, place)
	for i := range uint64(40) {
		b := testBlock(i, 60<<10, anna)
		put(t, v, []Block{b}, testRecord(i, ver(1, i+1), b))
	}
	stow(t, v)
	s.Down.Store(0)
	v = fromTheStoreAlone(t, v, c)
	if down := s.Down.Load(); down > 200<<10 {
		t.Errorf("%d bytes were read of 2.4 MB", down)
	}
	checkReadable(t, v)
}

func TestADirectoryThatWasSetBackLearnsFromTheStore(t *testing.T) {
	c := newClock()
	s := directoryAt(t, t.TempDir())
	dir := t.TempDir()
	v := testVaultOn(t, dir, c, s)
	w := newWorld(v, c, 5)
	w.live(t, 40)
	must(t, v.Close())
	old := t.TempDir()
	must(t, os.CopyFS(filepath.Join(old, "copy"), os.DirFS(dir)))
	v = testVaultOn(t, dir, c, s)
	w.v = v
	w.live(t, 100)
	stow(t, v)
	want := contents(t, v)
	must(t, v.Close())
	must(t, os.RemoveAll(dir))
	must(t, os.CopyFS(dir, os.DirFS(filepath.Join(old, "copy"))))
	v = testVaultOn(t, dir, c, s)
	must(t, v.Rebuild())
	got := contents(t, v)
	for _, table := range []string{"blocks", "records", "sequence"} {
		same(t, table, map[string]map[string]string{table: got[table]}, map[string]map[string]string{table: want[table]})
	}
	checkReadable(t, v)
	w.v = v
	w.live(t, 10)
	stow(t, v)
}

func TestAnotherPackUnderTheSameNumberIsNeverReplaced(t *testing.T) {
	c := newClock()
	place := t.TempDir()
	v := testVaultOn(t, t.TempDir(), c, directoryAt(t, place))
	b := testBlock(1, 5000, anna)
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
	must(t, os.WriteFile(filepath.Join(place, "00000001.blocks"), []byte("another"), 0o600))
	must(t, os.WriteFile(filepath.Join(place, "00000002.blocks"), []byte("another"), 0o600))
	if _, err := v.Stow(t.Context(), 1<<30, true); !errors.Is(err, os.ErrExist) {
		t.Errorf("stow: %v", err)
	}
	checkReadable(t, v)
	for _, name := range []string{"00000001.blocks", "00000002.blocks"} {
		if got, err := os.ReadFile(filepath.Join(place, name)); err != nil || !strings.HasPrefix(string(got), "another") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestWithoutItsStoreAVaultDoesNotCallItsPacksDamaged(t *testing.T) {
	c := newClock()
	v := testVaultOn(t, t.TempDir(), c, directoryAt(t, t.TempDir()))
	b := testBlock(1, 5000, anna)
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
	stow(t, v)
	must(t, v.Close())
	v = testVault(t, v.dir, c)
	if _, err := v.Block(b.ID); !errors.Is(err, ErrStore) {
		t.Errorf("read: %v", err)
	}
	if totals, err := v.Totals(); err != nil || totals.Damaged != 0 {
		t.Errorf("totals: %+v, %v", totals, err)
	}
}

func TestWhatLiesInTheStoreIsWholeAtAnyTime(t *testing.T) {
	c := newClock()
	place := t.TempDir()
	v := testVaultOn(t, t.TempDir(), c, directoryAt(t, place))
	w := newWorld(v, c, uint64(time.Now().UnixNano()))
	versions := int64(0)
	for i := range 40 {
		w.live(t, 12)
		if i%10 == 9 {
			prunes(t, v, c, testPolicy)
		}
		_, err := v.Stow(t.Context(), w.r.Int64N(150<<10), w.r.IntN(3) == 0)
		must(t, err)
		if first, _ := filepath.Glob(place + "/*.inventory"); len(first) == 0 {
			continue // what has never been whole is had as far as it is there
		}
		empty := t.TempDir()
		must(t, os.Mkdir(filepath.Join(empty, "packs"), 0o700))
		alone, err := Open(Options{Dir: empty, Folder: testFolder, Scratch: t.TempDir(), Store: directoryAt(t, place), Clock: c.read})
		must(t, err)
		totals, err := alone.Totals()
		must(t, err)
		if totals.Damaged != 0 {
			t.Fatalf("after %d: %+v", i, totals)
		}
		versions = max(versions, totals.Versions)
		for h, err := range alone.Since(0) {
			must(t, err)
			for _, b := range h.Record.Blocks {
				if _, err := alone.Block(b.ID); err != nil {
					t.Fatalf("after %d: %v", i, err)
				}
			}
		}
		must(t, alone.Close())
	}
	if versions < 20 {
		t.Errorf("the store never had more than %d versions", versions)
	}
}
