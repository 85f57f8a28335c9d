package vault

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/seal"
)

const testQuota = 600 << 10

// local opens the history of a device with files.
func local(t testing.TB, dir string, c *clock) *Vault {
	t.Helper()
	return openAs(t, dir, c, func(o *Options) { o.Partial, o.Rolling, o.Quota = true, true, testQuota })
}

// edits has one path after the other take a new version with a block of its
// own, each a minute after the last.
type edits struct {
	v      *Vault
	c      *clock
	paths  uint64
	size   int
	n      uint64
	blocks map[uint64]Block // by the number of the edit
}

func newEdits(v *Vault, c *clock, paths uint64, size int) *edits {
	return &edits{v: v, c: c, paths: paths, size: size, blocks: map[uint64]Block{}}
}

func (e *edits) record(n uint64) *seal.Record {
	return testRecord(n%e.paths+1, ver(1, n/e.paths+1), e.blocks[n])
}

// next makes one edit: as a tree's history does it, the old version comes with
// its content just before the new one is told of.
func (e *edits) next() error {
	e.c.pass(time.Minute)
	n := e.n
	e.blocks[n] = testBlock(n+1, e.size, "")
	e.n++
	if n >= e.paths {
		old := n - e.paths
		if err := e.v.Put(testContext{}, []Block{e.blocks[old]}, []Received{{Record: e.record(old)}}); err != nil {
			return err
		}
	}
	return e.v.Put(testContext{}, nil, []Received{{Record: e.record(n)}})
}

func (e *edits) run(t testing.TB, n int) {
	t.Helper()
	for range n {
		must(t, e.next())
		if used := e.v.packBytes(); used > testQuota {
			t.Fatalf("edit %d: %d bytes of %d", e.n, used, testQuota)
		}
	}
}

// check looks whether just the younger history is there, and all of it whole.
// It returns how many superseded versions there are.
func (e *edits) check(t testing.TB) int {
	t.Helper()
	gone, n := -1, 0
	for i := range e.n {
		vs, err := e.v.Versions(e.record(i).ID)
		must(t, err)
		var h *Held
		for k := range vs {
			if vs[k].Record.Version.Compare(e.record(i).Version) == 0 {
				h = &vs[k]
			}
		}
		newest := i+e.paths >= e.n
		switch {
		case h == nil && newest:
			t.Fatalf("edit %d is gone, and newest", i)
		case h == nil && n > 0:
			t.Fatalf("edit %d is gone, and an older one is there", i)
		case h == nil:
			gone = int(i)
		case !newest:
			n++
			if _, err := e.v.Block(e.blocks[i].ID); err != nil {
				t.Fatalf("edit %d: %v", i, err)
			}
		}
	}
	from, err := e.v.Earliest()
	must(t, err)
	if gone < 0 {
		return n
	}
	after := e.record(uint64(gone) + e.paths)
	vs, err := e.v.Versions(after.ID)
	must(t, err)
	for _, h := range vs {
		if h.Record.Version.Compare(after.Version) == 0 && h.Received.After(from) {
			t.Errorf("history begins at %s, and what was newest until %s is gone", from, h.Received)
		}
		if !h.Until.IsZero() && h.Until.Before(from) {
			t.Errorf("history begins at %s, and a version until %s is there", from, h.Until)
		}
	}
	return n
}

func TestARollingVaultDropsTheOldestHistoryFirst(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	e := newEdits(v, c, 7, 20<<10)
	before := c.read()
	e.run(t, 20)
	if from, err := v.Earliest(); err != nil || !from.After(before) || from.After(before.Add(time.Minute)) {
		t.Errorf("history begins at %s, %v", from, err)
	}
	e.run(t, 180)
	if n := e.check(t); n < 10 || n > testQuota/(20<<10) {
		t.Errorf("%d superseded versions are left", n)
	}
	checkRebuilt(t, v)
	v = local(t, reclose(t, v), c)
	e.v = v
	e.check(t)
	e.run(t, 100)
	e.check(t)
	equal(t, "damages", damages(t, v), []Damage(nil))
	if s := scrubAll(t, v); s != 0 {
		t.Errorf("scrub finds %d", s)
	}
	prunes(t, v, c, retention.Policy{Within: 20 * time.Minute})
	checkRebuilt(t, v)
}

func reclose(t testing.TB, v *Vault) string {
	t.Helper()
	must(t, v.Close())
	return v.dir
}

func TestOnlyARollingVaultMakesRoom(t *testing.T) {
	c := newClock()
	v := openAs(t, t.TempDir(), c, func(o *Options) { o.Partial, o.Quota = true, testQuota })
	e := newEdits(v, c, 2, 100<<10)
	var err error
	for range 20 {
		if err = e.next(); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrQuota) {
		t.Errorf("Put: %v", err)
	}
	if _, err := v.MakeRoom(t.Context(), 1, 0); !errors.Is(err, ErrRefused) {
		t.Errorf("MakeRoom: %v", err)
	}
}

func TestWhatCannotFitDropsNothing(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	e := newEdits(v, c, 5, 20<<10)
	e.run(t, 20)
	before := contents(t, v)
	var blocks []Block
	for i := range uint64(8) {
		blocks = append(blocks, testBlock(1000+i, 100<<10, ""))
	}
	if err := v.Put(t.Context(), blocks, nil); !errors.Is(err, ErrQuota) {
		t.Errorf("Put: %v", err)
	}
	same(t, "after what cannot fit", contents(t, v), before)
}

func TestWhatWasPutOrAskedForOfLateStays(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	var blocks []Block
	for i := range uint64(5) {
		blocks = append(blocks, testBlock(1+i, 100<<10, ""))
		must(t, v.PutBlocks(t.Context(), blocks[i:]))
		if i == 0 {
			c.pass(2 * lentTime)
		}
	}
	if has, err := v.HasBlocks([]entry.BlockID{blocks[0].ID}); err != nil || !has[0] {
		t.Fatal(has, err)
	}
	another := []Block{testBlock(100, 100<<10, "")}
	if err := v.PutBlocks(t.Context(), another); !errors.Is(err, ErrQuota) {
		t.Errorf("while all were lent: %v", err)
	}
	must(t, v.PutRecords(t.Context(), []Received{{Record: testRecord(1, ver(1, 1), blocks[1])}}))
	c.pass(lentTime - time.Second)
	must(t, v.PutRecords(t.Context(), []Received{{Record: testRecord(1, ver(1, 1), blocks[2])}}))
	c.pass(lentTime + time.Second)
	must(t, v.PutBlocks(t.Context(), another))
	has, err := v.HasBlocks([]entry.BlockID{blocks[1].ID, blocks[2].ID})
	must(t, err)
	equal(t, "those that a version names", has, []bool{true, true})
}

func TestTheHoldIsNotCut(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	e := newEdits(v, c, 3, 20<<10)
	e.run(t, 20)
	c.pass(time.Hour)
	for _, tt := range []struct {
		hold time.Duration
		some bool
	}{{2 * time.Hour, false}, {time.Hour + 5*time.Minute, true}} {
		freed, err := v.MakeRoom(t.Context(), 50<<10, tt.hold)
		must(t, err)
		equal(t, fmt.Sprint("freed with a hold of ", tt.hold), freed >= 50<<10, tt.some)
	}
	e.check(t)
}

func TestPinsGoLastAndWithWhatTheyKeep(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	e := newEdits(v, c, 3, 20<<10)
	e.run(t, 10)
	at := c.read()
	_, err := v.Pin(at, []byte("label"))
	must(t, err)
	want := asOf(t, v, at)
	e.run(t, 100)
	pins, err := v.Pins()
	must(t, err)
	equal(t, "pins", len(pins), 1)
	equal(t, "the pinned moment", asOf(t, v, at), want)
	c.pass(time.Hour)
	freed, err := v.MakeRoom(t.Context(), v.packBytes()-40<<10, 0)
	must(t, err)
	pins, err = v.Pins()
	must(t, err)
	equal(t, "pins, where nothing else is left", len(pins), 0)
	if freed == 0 {
		t.Error("nothing became free")
	}
	checkRebuilt(t, v)
}

func TestCopiesOfWhatTheTreeHoldsTakeTheirTurn(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	for i := range uint64(100) { // each is new, and was edited often enough to be kept
		c.pass(10 * time.Minute)
		b := testBlock(i+1, 20<<10, "")
		put(t, v, []Block{b}, testRecord(i, ver(1, i+1), b))
	}
	totals, err := v.Totals()
	must(t, err)
	equal(t, "versions", totals.Versions, int64(100))
	if totals.Blocks > testQuota/(20<<10) || totals.Blocks < 20 {
		t.Errorf("%d blocks", totals.Blocks)
	}
	for i := 100 - uint64(totals.Blocks); i < 100; i++ {
		if _, err := v.Block(testBlock(i+1, 20<<10, "").ID); err != nil {
			t.Errorf("block %d of %d: %v", i, totals.Blocks, err)
		}
	}
	equal(t, "nothing of the past is missing", totals.Exact.IsZero(), true)
}

func TestAVaultThatIsNotPartialKeepsAllThatIsNewest(t *testing.T) {
	c := newClock()
	v := openAs(t, t.TempDir(), c, func(o *Options) { o.Rolling, o.Quota = true, testQuota })
	var err error
	n := uint64(0)
	for ; err == nil && n < 100; n++ {
		c.pass(10 * time.Minute)
		b := testBlock(n+1, 20<<10, "")
		err = v.Put(t.Context(), []Block{b}, received(testRecord(n, ver(1, n+1), b)))
	}
	if !errors.Is(err, ErrQuota) {
		t.Fatalf("put %d: %v", n, err)
	}
	checkReadable(t, v)
}

func TestAFullDiskMakesARollingVaultGiveWay(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	v.SetLimits(Limits{KeepFree: 1 << 20})
	free := func(string) (int64, error) { return 2<<20 - v.packBytes(), nil }
	v.free = free
	e := newEdits(v, c, 4, 50<<10)
	for range 60 {
		must(t, e.next())
		if left, _ := free(""); left < 1<<20 {
			t.Fatalf("%d bytes are left", left)
		}
	}
	e.check(t)
}

func TestMakingRoomThatFailsAnywhereLosesNoMore(t *testing.T) {
	broken := errors.New("the disk says no")
	c := newClock()
	v := local(t, t.TempDir(), c)
	e := newEdits(v, c, 7, 20<<10)
	e.run(t, 22)
	failed := map[string]int{}
	steps := []string{"evicted", "created", "copied", "written", "retired", "remove", "committed"}
	for nth := range 70 {
		n, at := 0, steps[nth%len(steps)]
		v.hook = func(step string) error {
			if step != at {
				return nil
			}
			if n++; n == 1+nth/len(steps)%3 {
				return broken
			}
			return nil
		}
		c.pass(20 * time.Minute)
		_, err := v.MakeRoom(t.Context(), 100<<10, 0)
		v.hook = nil
		if err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if err != nil {
			failed[at]++
		}
		if v.broken != nil || nth%7 == 0 {
			v = local(t, reclose(t, v), c)
			e.v = v
		}
		e.check(t)
		must(t, v.retry()) // a rebuilt index does not know what was about to be removed
		checkRebuilt(t, v)
		e.run(t, 4)
	}
	for _, step := range steps {
		if failed[step] == 0 {
			t.Errorf("never failed at %q: %v", step, failed)
		}
	}
}

func TestTheNumberOfAPackThatIsGoneIsNotUsedAgain(t *testing.T) {
	c := newClock()
	v := local(t, t.TempDir(), c)
	var blocks []Block
	for i := range uint64(3) {
		blocks = append(blocks, testBlock(1+i, 20<<10, ""))
	}
	put(t, v, blocks)
	drop := func(i int) {
		t.Helper()
		must(t, v.submit(func(t *tx) error { return t.dropBlock(blocks[i].ID) }))
		must(t, v.squeeze(t.Context(), 0))
	}
	drop(0) // the others are copied to a pack with the highest number
	copied := v.st.next - 1
	drop(1)
	must(t, v.submit(func(t *tx) error { return t.dropBlock(blocks[2].ID) }))
	must(t, v.squeeze(t.Context(), 0))
	if _, there := v.packs[v.st.next-1]; there && v.st.next-1 == copied {
		t.Fatal("the pack with the highest number is still there")
	}
	next := v.st.next
	must(t, v.Rebuild())
	equal(t, "the next number", v.st.next, next)
	put(t, v, blocks)
	checkRebuilt(t, v)
	for _, b := range blocks {
		if _, err := v.Block(b.ID); err != nil {
			t.Error(err)
		}
	}
}
