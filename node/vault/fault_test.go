package vault

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kithmesh/kith/protocol/seal"
)

// Every step of every kind of change fails once. Nothing of what failed may be
// seen, and the next attempt succeeds.
func TestAStepThatFailsLeavesEverythingAsItWas(t *testing.T) {
	broken := errors.New("the disk says no")
	for _, step := range []string{"create", "created", "written", "sync", "synced"} {
		for _, nth := range []int{1, 2} {
			t.Run(fmt.Sprint(step, nth), func(t *testing.T) {
				c := newClock()
				v := testVault(t, t.TempDir(), c)
				w := newWorld(v, c, 21)
				w.live(t, 40)
				before := contents(t, v)
				n := 0
				v.hook = func(at string) error {
					if at == step {
						if n++; n == nth {
							return broken
						}
					}
					return nil
				}
				var blocks []Block
				var records []*seal.Record
				for i := range uint64(40) { // more than a pack
					b := testBlock(1000+i, 4000, anna)
					blocks = append(blocks, b)
					records = append(records, testRecord(100+i, ver(1, i+1000), b))
				}
				err := v.Put(t.Context(), blocks, received(records...))
				if n < nth {
					t.Skip("there are not so many")
				}
				if !errors.Is(err, broken) {
					t.Fatalf("Put: %v", err)
				}
				same(t, "after the failure", contents(t, v), before)
				v.hook = nil
				checkReadable(t, v)
				put(t, v, blocks, records...)
				checkReadable(t, v)
				checkRebuilt(t, v)
				v = reopened(t, v, c)
				checkReadable(t, v)
			})
		}
	}
}

func TestAPruneThatFailsAnywhereIsDoneByALaterOne(t *testing.T) {
	broken := errors.New("the disk says no")
	c := newClock()
	v := testVault(t, t.TempDir(), c)
	w := newWorld(v, c, 23)
	w.live(t, 250)
	n := 0
	for nth := 1; ; nth++ {
		n = 0
		v.hook = func(string) error {
			if n++; n == nth {
				return broken
			}
			return nil
		}
		_, err := v.Prune(t.Context(), testPolicy)
		v.hook = nil
		if v.broken != nil {
			v = reopened(t, v, c)
		}
		if err == nil && n < nth && nth > 20 {
			break
		}
		if err != nil && !errors.Is(err, broken) {
			t.Fatalf("step %d: %v", nth, err)
		}
		checkReadable(t, v)
		if nth%5 == 0 {
			c.pass(2 * w.c.read().Sub(c.read()))
			w.v = v
			w.live(t, 3)
		}
	}
	prunes(t, v, c, testPolicy)
	checkReadable(t, v)
	checkRebuilt(t, v)
}

func TestOneThatCannotBePutIsNoHarmToTheOthers(t *testing.T) {
	v := testVault(t, t.TempDir(), newClock())
	b := testBlock(1, 1000, anna)
	bad := &putting{blocks: []Block{b}}
	fails := &job{do: func(t *tx) error {
		p, err := newPutting(testContext{}, bad.blocks, nil)
		if err == nil {
			err = p.do(t)
		}
		return errors.Join(err, errors.New("it cannot be done"))
	}}
	good := &job{do: func(t *tx) error {
		p, err := newPutting(testContext{}, []Block{testBlock(2, 1000, anna)}, nil)
		if err == nil {
			err = p.do(t)
		}
		return err
	}}
	v.queue.add(fails)
	v.queue.add(good)
	must(t, v.PutBlocks(t.Context(), []Block{testBlock(3, 1000, anna)}))
	if fails.err == nil || good.err != nil {
		t.Errorf("the bad one: %v, the good one: %v", fails.err, good.err)
	}
	totals, err := v.Totals()
	must(t, err)
	equal(t, "blocks", totals.Blocks, int64(2))
	checkReadable(t, v)
}
