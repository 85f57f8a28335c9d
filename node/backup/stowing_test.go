package backup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/vault"
	"github.com/kithmesh/kith/node/vault/store"
)

// backedUp is a box that holds n versions with a block each.
func backedUp(t *testing.T, n uint64) (*box, []block) {
	t.Helper()
	b, anna := newBox(t, defaults()), newTeller(t, "anna")
	var all []block
	for i := range n {
		x := newBlock(i, 4000)
		all = append(all, x)
		anna.has(newRecord(i, 1, x), x)
	}
	anna.join(b)
	pass(time.Second)
	anna.leave(b)
	return b, all
}

// gives tells whether a box gives all of some blocks.
func (b *box) gives(all []block) {
	b.t.Helper()
	for _, x := range all {
		if got, err := b.Vault().Block(x.id); err != nil || string(got) != string(x.sealed) {
			b.t.Fatalf("block %s: %v", x.id, err)
		}
	}
}

func files(t testing.TB, dir, suffix string) (out []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, suffix) {
			out = append(out, path)
		}
		return err
	}))
	return out
}

func TestPacksGoToAStoreAndComeBack(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		b, all := backedUp(t, 50)
		must(t, b.KeepRoster(statements(t, 3)))
		must(t, b.SetStore(t.Context(), store.Address{URL: dir}))
		pass(time.Second)
		st := b.Status().Store
		if st == nil || st.AsOf.IsZero() || st.Failed != nil || st.Bytes < 50*4000 || st.Waiting > 1000 {
			t.Fatalf("%+v", st)
		}
		if n := len(files(t, dir, ".blocks")); n != 1 {
			t.Errorf("%d packs of blocks there", n)
		}
		b.gives(all)
		b.down()
		b.up()
		b.gives(all)
		if at := b.StoreAddress(); at.URL != dir {
			t.Errorf("after a restart: %+v", at)
		}
		mirror, scratch := t.TempDir(), t.TempDir()
		must(t, Mirror(t.Context(), store.Address{URL: st.Where}, mirror))
		if got, err := ReadRoster(mirror); err != nil || len(got) != 3 {
			t.Errorf("the roster there: %d, %v", len(got), err)
		}
		alone, err := OpenReading(Options{ID: testFolder, Dir: mirror, Store: store.Address{URL: st.Where}}, scratch)
		must(t, err)
		if totals, err := alone.Vault().Totals(); err != nil || totals.Versions != 50 || totals.Damaged != 0 {
			t.Errorf("from there alone: %+v, %v", totals, err)
		}
		must(t, alone.Close())

		must(t, b.SetStore(t.Context(), store.Address{}))
		pass(time.Second)
		if st := b.Status().Store; st != nil {
			t.Errorf("still there: %+v", st)
		}
		for _, suffix := range []string{".blocks", ".records", ".heads", ".inventory", ".roster"} {
			if left := files(t, dir, suffix); len(left) != 0 {
				t.Errorf("left: %q", left)
			}
		}
		must(t, os.RemoveAll(dir))
		b.down()
		b.up()
		b.gives(all)
	})
}

func TestAStoreThatIsAwayIsSaidAndWaitedFor(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "disk")
		b, all := backedUp(t, 20)
		must(t, b.SetStore(t.Context(), store.Address{URL: dir}))
		pass(time.Second)
		must(t, os.Rename(dir, dir+".away"))
		ben := newTeller(t, "ben")
		late := newBlock(1000, 4000)
		ben.has(newRecord(1000, 1, late), late)
		ben.join(b)
		pass(2 * time.Hour)
		if p := b.Status().Problems; len(p) != 1 || p[0].Code != "store_failed" {
			t.Errorf("%+v", p)
		}
		b.gives([]block{late})
		if _, err := b.Vault().Block(all[0].id); !errors.Is(err, vault.ErrStore) {
			t.Errorf("what lies there: %v", err)
		}
		if b.Status().Totals.Damaged != 0 {
			t.Errorf("%+v", b.Status().Totals)
		}
		must(t, os.Rename(dir+".away", dir))
		pass(2 * time.Hour)
		if p := b.Status().Problems; len(p) != 0 {
			t.Errorf("%+v", p)
		}
		if st := b.Status().Store; st.Waiting > 1000 {
			t.Errorf("%+v", st)
		}
		b.gives(append(all, late))
		pass(10 * time.Minute) // away from the full hour
		later := newBlock(2000, 4000)
		ben.has(newRecord(2000, 1, later), later)
		pass(stowRest / 2)
		if st := b.Status().Store; st.Waiting < 4000 {
			t.Errorf("it went at once: %+v", st)
		}
		pass(stowRest)
		if st := b.Status().Store; st.Waiting > 1000 {
			t.Errorf("at rest: %+v", st)
		}
		before := files(t, dir, ".inventory")
		pass(stowAllEvery / 2)
		if after := files(t, dir, ".inventory"); !slices.Equal(after, before) {
			t.Errorf("nothing has come, and there is another inventory: %q, %q", before, after)
		}
	})
}

func TestAStoreIsNotChangedForAnother(t *testing.T) {
	in(t, func(t *testing.T) {
		dir := t.TempDir()
		b, all := backedUp(t, 5)
		must(t, b.SetStore(t.Context(), store.Address{URL: dir}))
		pass(time.Second)
		if err := b.SetStore(t.Context(), store.Address{URL: t.TempDir()}); !errors.Is(err, ErrStored) {
			t.Errorf("another: %v", err)
		}
		if err := b.SetStore(t.Context(), store.Address{URL: "disk"}); err == nil {
			t.Error("a relative path was taken")
		}
		must(t, b.SetStore(t.Context(), store.Address{}))
		must(t, b.SetStore(t.Context(), store.Address{URL: dir})) // it is to stay after all, if it still is
		pass(3 * time.Hour)
		if st := b.Status().Store; st == nil || st.Leaving || st.Waiting > 1000 {
			t.Errorf("%+v", st)
		}
		b.gives(all)
	})
}
