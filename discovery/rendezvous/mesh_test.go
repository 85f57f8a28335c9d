package rendezvous

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// mesh is devices of which each knows one node at first, and no other.
func mesh(t testing.TB, n int, dir func(int) string) (first *actor, others []*actor) {
	t.Helper()
	first = enact(t, Options{})
	for i := range n {
		others = append(others, enact(t, Options{Bootstrap: first.Nodes(), Dir: dir(i)}))
	}
	for _, a := range others {
		eventually(t, "all are in the DHT", func() bool { return a.Health().Nodes > min(n/2, 6) })
	}
	return first, others
}

func nowhere(int) string { return "" }

// publishAll has each tell each where it is: at place(base + its number).
func publishAll(t testing.TB, all []*actor, base int) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	for i, a := range all {
		for _, b := range all {
			if a != b {
				g.Go(func() error { return a.Publish(within(t), b.id, place(base+i)) })
			}
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// findAll has each look for each.
func findAll(t testing.TB, all []*actor, base int) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	for i, a := range all {
		for j, b := range all {
			if a == b {
				continue
			}
			g.Go(func() error {
				got, err := last(t, b, a.id)
				if err != nil || !same(got, place(base+i)) {
					return fmt.Errorf("device %d found %d at %v (want %v): %w", j, i, got, place(base+i), err)
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestTwentyDevicesFindEachOtherWhenTheirBeginningIsGone(t *testing.T) {
	first, all := mesh(t, 20, nowhere)
	first.stop()

	start := time.Now()
	publishAll(t, all, 0)
	t.Logf("380 notices in %s", time.Since(start))
	for i, a := range all {
		of := (i + 1) % len(all)
		if got, err := last(t, a, all[of].id); err != nil || !same(got, place(of)) {
			t.Errorf("device %d found %d at %v, %v", i, of, got, err)
		}
	}

	// They have moved, and some of those that stored it are off.
	for _, gone := range all[:3] {
		gone.stop()
	}
	publishAll(t, all[3:], 100)
	start = time.Now()
	findAll(t, all[3:], 100)
	t.Logf("272 searches in %s", time.Since(start))
}

func TestADHTIsFoundAgainByWhatIsKept(t *testing.T) {
	dirs := [3]string{t.TempDir(), t.TempDir(), t.TempDir()}
	first, all := mesh(t, 3, func(i int) string { return dirs[i] })
	again := all[2]
	eventually(t, "the nodes of the DHT are known", func() bool { return again.Health().Known >= 3 })
	id := again.Health().ID
	again.stop()
	first.stop()

	back := enact(t, Options{Dir: dirs[2]})
	if back.Health().ID != id {
		t.Error("the node is another")
	}
	eventually(t, "the DHT is entered", func() bool { return back.Health().Nodes >= 2 })
	publishAll(t, []*actor{all[0], all[1], back}, 0)
	findAll(t, []*actor{all[0], all[1], back}, 0)
}

func TestADeviceThatMovesIsFoundWhileOthersLook(t *testing.T) {
	_, all := mesh(t, 4, nowhere)
	mover, seeker := all[0], all[1]
	if err := mover.Publish(within(t), seeker.id, place(1)); err != nil {
		t.Fatal(err)
	}
	if got, err := last(t, seeker, mover.id); err != nil || !same(got, place(1)) {
		t.Fatal(got, err)
	}
	var moved sync.WaitGroup
	start := time.Now()
	moved.Go(func() {
		mover.Moved()
		if err := mover.Publish(within(t), seeker.id, place(2)); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the new address is found", func() bool {
		got, err := last(t, seeker, mover.id)
		return err == nil && same(got, place(2))
	})
	moved.Wait()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("found after %s", took)
	} else {
		t.Logf("found after %s", took)
	}
}

func TestNodesThatAreToldOfBringTwoNetworksTogether(t *testing.T) {
	a, b := enact(t, Options{}), enact(t, Options{})
	c, d := enact(t, Options{Bootstrap: a.Nodes()}), enact(t, Options{Bootstrap: b.Nodes()})
	eventually(t, "there are two networks", func() bool { return c.Health().Nodes == 1 && d.Health().Nodes == 1 })
	if err := c.Publish(within(t), d.id, place(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := last(t, d, c.id); err == nil {
		t.Fatal("found in another network")
	}
	d.Meet(c.Nodes())
	eventually(t, "they are one", func() bool {
		got, err := last(t, d, c.id)
		return err == nil && same(got, place(1))
	})
}

func TestConnectionsThatNobodyUsesAreClosed(t *testing.T) {
	a := enact(t, Options{})
	b := enact(t, Options{Bootstrap: a.Nodes()})
	eventually(t, "they have met", func() bool { return b.Health().Nodes == 1 && b.Health().Connections > 0 })
	if wait := b.thin(time.Now().Add(idleAfter / 2)); wait <= 0 || b.Health().Connections == 0 {
		t.Errorf("closed too early; next look in %s", wait)
	}
	eventually(t, "no connection is left", func() bool {
		later := time.Now().Add(2 * idleAfter)
		quiet := a.thin(later) < 0 && b.thin(later) < 0
		return quiet && b.Health().Connections == 0 && a.Health().Connections == 0
	})
	if b.Health().Nodes != 1 {
		t.Error("the node is forgotten with the connection")
	}
	if err := b.Publish(within(t), a.id, place(1)); err != nil {
		t.Error(err)
	}
}
