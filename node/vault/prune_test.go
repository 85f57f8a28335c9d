package vault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/vault/retention"
	"github.com/kithmesh/kith/protocol/seal"
)

// world makes up what the devices of a folder do.
type world struct {
	r      *rand.Rand
	v      *Vault
	c      *clock
	counts map[version.ReplicaID]uint64
	newest map[uint64][]version.Version // of each path
	blocks []Block
	seed   uint64
}

func newWorld(v *Vault, c *clock, seed uint64) *world {
	return &world{
		r: rand.New(rand.NewPCG(seed, 1)), v: v, c: c, seed: seed << 32,
		counts: map[version.ReplicaID]uint64{}, newest: map[uint64][]version.Version{},
	}
}

// change has some device change a path that it knows the newest or an older
// version of.
func (w *world) change() (*seal.Record, []Block) {
	path := w.r.Uint64N(12)
	me := version.ReplicaID(1 + w.r.Uint64N(3))
	w.counts[me]++
	var parent version.Version
	if known := w.newest[path]; len(known) > 0 {
		parent = known[max(0, len(known)-1-w.r.IntN(3))]
	}
	v := parent.Next(me, w.counts[me], version.Clock(w.r.Uint64N(1000)+1))
	w.newest[path] = append(w.newest[path], v)
	var blocks []Block
	for range w.r.IntN(4) {
		if len(w.blocks) > 0 && w.r.IntN(3) == 0 {
			blocks = append(blocks, w.blocks[w.r.IntN(len(w.blocks))])
			continue
		}
		w.seed++
		b := testBlock(w.seed, 100+w.r.IntN(6000), []entry.DeviceID{anna, ben, ""}[w.r.IntN(3)])
		blocks, w.blocks = append(blocks, b), append(w.blocks, b)
	}
	return testRecord(path, v, blocks...), blocks
}

func (w *world) live(t testing.TB, n int) {
	t.Helper()
	for range n {
		w.c.pass(time.Duration(w.r.Int64N(int64(3 * time.Hour))))
		r, blocks := w.change()
		must(t, w.v.Put(t.Context(), blocks, received(r)))
	}
}

var testPolicy = retention.Policy{Within: 24 * time.Hour, WithinDaily: 7 * 24 * time.Hour, WithinWeekly: retention.Forever, Hold: 12 * time.Hour}

// prunes runs prune until there is nothing left to be done.
func prunes(t testing.TB, v *Vault, c *clock, p retention.Policy) (sum Pruned) {
	t.Helper()
	for range 3 {
		done, err := v.Prune(t.Context(), p)
		must(t, err)
		sum.Versions += done.Versions
		sum.Blocks += done.Blocks
		sum.Packs += done.Packs
		sum.Freed += done.Freed
		c.pass(2 * v.grace)
	}
	return sum
}

func TestKeptMomentsAreTheSameBeforeAndAfterAPrune(t *testing.T) {
	for seed := range uint64(4) {
		c := newClock()
		v := testVault(t, t.TempDir(), c)
		v.grace = time.Millisecond // hardly anything grows too old while it prunes
		w := newWorld(v, c, seed)
		w.live(t, 300)
		pin := c.read().Add(-17 * 24 * time.Hour)
		_, err := v.Pin(pin, nil)
		must(t, err)

		plan, err := v.Plan(t.Context(), testPolicy, c.read(), nil)
		must(t, err)
		moments := []time.Time{c.read(), plan.Since, pin}
		for _, m := range plan.Moments {
			moments = append(moments, m.At)
		}
		for m := plan.Since; m.Before(c.read()); m = m.Add(37 * time.Minute) {
			moments = append(moments, m)
		}
		before := map[time.Time]map[seal.RecordID][]string{}
		for _, m := range moments {
			before[m] = asOf(t, v, m)
		}
		done := prunes(t, v, c, testPolicy)
		if done.Versions == 0 || done.Blocks == 0 || done.Freed <= 0 || done.Packs == 0 {
			t.Fatalf("seed %d: pruned %+v", seed, done)
		}
		for _, m := range moments {
			if d := cmp.Diff(before[m], asOf(t, v, m)); d != "" {
				t.Fatalf("seed %d: the state at %s (-was +is):\n%s", seed, m, d)
			}
		}
		checkReadable(t, v)
		checkRebuilt(t, v)
		v = reopened(t, v, c)
		checkReadable(t, v)
		totals, err := v.Totals()
		must(t, err)
		if totals.Exact.After(plan.Since) {
			t.Errorf("exact from %s on, and the policy keeps all from %s on", totals.Exact, plan.Since)
		}
		w.v = v
		w.live(t, 50)
		prunes(t, v, c, testPolicy)
		checkRebuilt(t, v)
		checkReadable(t, v)
	}
}

func TestPlanTellsWhatPruneDoes(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	v.grace = time.Millisecond
	newWorld(v, c, 9).live(t, 200)
	before := contents(t, v)
	kept, reasons := int64(0), map[retention.Rule]int{}
	plan, err := v.Plan(t.Context(), testPolicy, c.read(), func(d Verdict) error {
		if d.Keep() {
			kept++
		}
		for _, r := range d.Reasons {
			reasons[r.Rule]++
		}
		if d.From != anna || d.Size < headSize || d.Received.IsZero() || !d.Marked.IsZero() {
			return fmt.Errorf("verdict %+v", d)
		}
		return nil
	})
	must(t, err)
	same(t, "a plan changes nothing", contents(t, v), before)
	for _, r := range []retention.Rule{retention.Current, retention.Within, retention.Hold, retention.Daily, retention.Weekly} {
		if reasons[r] == 0 {
			t.Errorf("no version is kept for %s", r)
		}
	}
	done := prunes(t, v, c, testPolicy)
	equal(t, "versions", []int64{done.Versions, kept}, []int64{plan.Dropped, plan.Versions - plan.Dropped})
	equal(t, "blocks", done.Blocks, plan.Blocks)
	if done.Freed < plan.Bytes/2 {
		t.Errorf("freed %d bytes of %d", done.Freed, plan.Bytes)
	}
	stop := errors.New("stop")
	if _, err := v.Plan(t.Context(), testPolicy, c.read(), func(Verdict) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Plan: %v", err)
	}
	if _, err := v.Prune(t.Context(), retention.Policy{Last: -5}); !errors.Is(err, retention.ErrPolicy) {
		t.Errorf("Prune: %v", err)
	}
}

func TestNothingGoesBeforeTheGraceIsOver(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	b := testBlock(1, 5000, anna)
	put(t, v, []Block{b}, testRecord(1, ver(1, 1), b))
	c.pass(time.Hour)
	put(t, v, nil, testRecord(1, ver(1, 2)))
	c.pass(time.Hour)
	none := retention.Policy{}
	prune := func() Pruned {
		t.Helper()
		p, err := v.Prune(t.Context(), none)
		must(t, err)
		return p
	}
	has := func() bool {
		t.Helper()
		_, err := v.Block(b.ID)
		if err != nil && !errors.Is(err, ErrMissing) {
			t.Fatal(err)
		}
		return err == nil
	}
	equal(t, "the first marks the version", prune().Marked, int64(1))
	c.pass(59 * time.Minute)
	equal(t, "too early", prune(), Pruned{})
	c.pass(time.Minute)
	p := prune()
	equal(t, "the version goes, the block is marked", []int64{p.Versions, p.Marked, p.Blocks}, []int64{1, 1, 0})
	c.pass(30 * time.Minute)
	equal(t, "the block is there", has(), true)
	_, err := v.HasBlocks([]entry.BlockID{b.ID})
	must(t, err)
	c.pass(30 * time.Minute)
	equal(t, "who asked for it may need it", []any{prune().Blocks, has()}, []any{int64(0), true})
	c.pass(time.Hour)
	put(t, v, nil, testRecord(2, ver(1, 3), b))
	equal(t, "a record names it", []any{prune().Blocks, has()}, []any{int64(0), true})
	c.pass(time.Hour)
	put(t, v, nil, testRecord(2, ver(1, 4)))
	c.pass(time.Hour)
	prune()
	c.pass(time.Hour)
	prune()
	c.pass(-30 * time.Minute)
	equal(t, "a clock that goes back", []any{prune().Blocks, has()}, []any{int64(0), true})
	c.pass(2 * time.Hour)
	equal(t, "in the end it goes", []any{prune().Blocks, has()}, []any{int64(1), false})
	checkRebuilt(t, v)
}

func TestAVersionThatIsPutAgainIsNotDropped(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	old := testRecord(1, ver(1, 1))
	put(t, v, nil, old)
	c.pass(time.Hour)
	put(t, v, nil, testRecord(1, ver(1, 2)))
	_, err := v.Prune(t.Context(), retention.Policy{})
	must(t, err)
	put(t, v, nil, old)
	c.pass(2 * time.Hour)
	p, err := v.Prune(t.Context(), retention.Policy{})
	must(t, err)
	equal(t, "pruned", p, Pruned{Marked: 1})
}

func TestAPinThatComesWhileAPruneIsUnderWayCounts(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	first := c.read()
	put(t, v, nil, testRecord(1, ver(1, 1)))
	c.pass(time.Hour)
	put(t, v, nil, testRecord(1, ver(1, 2)))
	c.pass(time.Hour)
	_, err := v.Prune(t.Context(), retention.Policy{})
	must(t, err)
	c.pass(2 * time.Hour)
	pinned := make(chan error, 1)
	once := false
	v.hook = func(step string) error {
		if step == "pruned" && !once {
			once = true
			go func() {
				_, err := v.Pin(first, nil)
				pinned <- err
			}()
			return errors.New("the disk hiccups")
		}
		return nil
	}
	_, err = v.Prune(t.Context(), retention.Policy{})
	if err == nil {
		t.Error("a failed step is not told")
	}
	must(t, <-pinned)
	p, err := v.Prune(t.Context(), retention.Policy{})
	must(t, err)
	equal(t, "pruned", p, Pruned{Unmarked: 1})
	equal(t, "as of the pin", len(asOf(t, v, first)), 1)
}

func TestPruningGoesOnBesideEverythingElse(t *testing.T) {
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	w := newWorld(v, c, 5)
	w.live(t, 100)
	stop, errs := make(chan struct{}), make(chan error, 2)
	go func() {
		for {
			select {
			case <-stop:
				errs <- nil
				return
			default:
			}
			if _, err := v.Prune(t.Context(), retention.Policy{Last: 10}); err != nil {
				errs <- err
				return
			}
			c.pass(2 * time.Hour)
		}
	}()
	go func() {
		for {
			select {
			case <-stop:
				errs <- nil
				return
			default:
			}
			for s, err := range v.Current() {
				if err != nil {
					errs <- err
					return
				}
				for _, h := range s.Newest {
					for _, b := range h.Record.Blocks {
						if _, err := v.Block(b.ID); err != nil {
							errs <- fmt.Errorf("record %s, sequence %d: %w", s.ID, h.Sequence, err)
							return
						}
					}
				}
			}
		}
	}()
	w.live(t, 200)
	close(stop)
	must(t, <-errs)
	must(t, <-errs)
	prunes(t, v, c, retention.Policy{Last: 10})
	checkReadable(t, v)
	checkRebuilt(t, v)
}
