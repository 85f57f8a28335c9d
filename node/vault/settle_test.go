package vault

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/kithmesh/kith/node/vault/retention"
)

func TestARecordIsRefusedIfItsBlockIsDamaged(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	b := testBlock(1, 1000, anna)
	put(t, v, []Block{b})
	f := packFiles(t, v)[0]
	flip(t, packPath(v.packDir, f.id, f.class), f.size-1)
	scrubAll(t, v)
	if err := v.PutRecords(t.Context(), received(testRecord(1, ver(1, 1), b))); !errors.Is(err, ErrMissing) {
		t.Errorf("PutRecords: %v", err)
	}
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
}

func TestAMarkOfAClockThatWasAheadBeginsAnew(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	b := testBlock(1, 1000, anna)
	put(t, v, []Block{b})
	c.pass(10 * 365 * 24 * time.Hour)
	_, err := v.Prune(t.Context(), retention.Policy{})
	must(t, err)
	c.pass(-10 * 365 * 24 * time.Hour)
	var dropped int64
	for range 2 {
		p, err := v.Prune(t.Context(), retention.Policy{})
		must(t, err)
		dropped += p.Blocks
		c.pass(2 * time.Hour)
	}
	equal(t, "dropped", dropped, int64(1))
}

func TestWhatAPackKnewWhenItWasBegunIsTakenIn(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	put(t, v, nil, testRecord(1, ver(1, 1)))
	later := momentOf(c.read().Add(time.Hour))
	h := header{
		class: classRecords, number: v.st.next, folder: testFolder, vault: v.st.vault, marker: v.st.marker,
		head: 1, moment: later, thinned: later - 5,
	}
	must(t, v.Close())
	must(t, os.WriteFile(packPath(v.packDir, h.number, h.class), h.append(nil), 0o600))
	v = testVault(t, v.dir, c)
	equal(t, "moment", v.Head().Moment.Equal(later.time()), true)
	equal(t, "exact", v.st.thinned, later-5)
	put(t, v, nil, testRecord(2, ver(1, 2)))
	checkRebuilt(t, v)
}

func TestAPackThatComesBackIsNotTakenIn(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	newWorld(v, c, 31).live(t, 100)
	saved := map[string][]byte{}
	for _, f := range packFiles(t, v) {
		path := packPath(v.packDir, f.id, f.class)
		data, err := os.ReadFile(path)
		must(t, err)
		saved[path] = data
	}
	prunes(t, v, c, retention.Policy{Last: 3})
	want := contents(t, v)
	must(t, v.Close())
	back := 0
	for path, data := range saved {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			must(t, os.WriteFile(path, data, 0o600))
			back++
		}
	}
	if back == 0 {
		t.Fatal("no pack was removed")
	}
	v = testVault(t, v.dir, c)
	got := contents(t, v)
	delete(got, tablePacks) // one that nothing replaced may stay until the next prune
	delete(want, tablePacks)
	same(t, "after packs came back", got, want)
	checkReadable(t, v)
}

func TestAnIndexThatLacksRowsIsRebuilt(t *testing.T) {
	c := newClock()
	v, _, _ := filled(t, c)
	want := contents(t, v)
	for _, name := range []string{tableBlocks, tableRecords, tableState} {
		must(t, v.Close())
		bolt, err := bbolt.Open(filepath.Join(v.dir, "index.db"), 0o600, nil)
		must(t, err)
		must(t, bolt.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(name))
			k, _ := b.Cursor().First()
			return b.Delete(k)
		}))
		must(t, bolt.Close())
		v = testVault(t, v.dir, c)
		same(t, "without a row of "+name, contents(t, v), want)
	}
}

func TestACopyIsNotRemovedWhereItsOriginalsAreGone(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	w := newWorld(v, c, 33)
	w.live(t, 100)
	must(t, v.Close())
	old, err := os.ReadFile(v.indexPath())
	must(t, err)
	v = testVault(t, v.dir, c)
	prunes(t, v, c, retention.Policy{Last: 5})
	must(t, v.Close())
	copies := 0
	for _, f := range packFiles(t, v) {
		h, err := v.readHeader(f)
		must(t, err)
		if h.copied { // the entry that says what it replaces is damaged
			flip(t, packPath(v.packDir, f.id, f.class), f.size-1)
			copies++
		}
	}
	if copies == 0 {
		t.Fatal("no pack was copied")
	}
	must(t, os.WriteFile(v.indexPath(), old, 0o600))
	v = testVault(t, v.dir, c)
	for s, err := range v.Current() {
		must(t, err)
		for _, h := range s.Newest {
			for _, b := range h.Record.Blocks {
				if _, err := v.Block(b.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestNothingIsDroppedOnceAMomentWasPinned(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	put(t, v, nil, testRecord(1, ver(1, 1)))
	s := sweep{v: v, done: &Pruned{}, now: momentOf(c.read()), pins: v.pinsMade.Load()}
	s.mark = [][]byte{{'b', 1}}
	_, err := v.Pin(c.read(), nil)
	must(t, err)
	if err := s.do(t.Context(), nil); !errors.Is(err, errPinned) {
		t.Errorf("do: %v", err)
	}
	equal(t, "done", *s.done, Pruned{})
}
