//go:build linux

package meshtest

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// relays of a storm.
const stormRelays = 4

func (m *mesh) nextStep() int { return int(m.steps.Add(1)) }

// runStorm has all users work at once while the network changes every few
// seconds and devices are killed, frozen and restarted, for as long as planned.
func (m *mesh) runStorm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.lasting)
	defer cancel()
	m.newRelays(stormRelays, rand.New(rand.NewPCG(m.seed, 13)))
	var all sync.WaitGroup
	for i, d := range m.devices {
		all.Go(func() { m.runUser(ctx, i, d) })
	}
	all.Go(func() { m.runNetwork(ctx) })
	all.Go(func() { m.runMisfortune(ctx) })
	all.Wait()
	m.note("the storm is over, after %d steps", m.steps.Load())
	for _, l := range m.relays {
		m.note("%q had %d turns and %d steps", l.dir, l.turns, l.done)
	}
}

// noteBack tells which contents are there although somebody has superseded them,
// and had seen them: where others were busy meanwhile, that may be.
func (m *mesh) noteBack(l listing) {
	for _, p := range slices.Sorted(maps.Keys(l)) {
		if n := l[p]; n.content() && !m.book.owed(p, n.sum) {
			m.note("  back: %q: %s: %s", p, m.book.label(n.sum), m.book.history(n.sum))
		}
	}
}

// runUser has one device's user work until the context ends, now at leisure and
// then in a hurry.
func (m *mesh) runUser(ctx context.Context, i int, d *device) {
	for n := uint64(1); ctx.Err() == nil && !m.failed(); n++ {
		r := rand.New(rand.NewPCG(m.seed, uint64(i+1)<<40|n<<8))
		u := &user{m: m, d: d, rng: r, step: m.nextStep()}
		text := ""
		if r.IntN(3) == 0 {
			if text = m.relayed(u); text != "" {
				m.note("step %d: %s %s", u.step, d.name, text)
			}
		}
		if text == "" {
			m.act(d, r, u.step)
		}
		switch x := r.IntN(10); {
		case x < 2:
			pause(ctx, time.Duration(r.IntN(30))*time.Millisecond)
		case x < 9:
			pause(ctx, time.Duration(100+r.IntN(600))*time.Millisecond)
		default:
			pause(ctx, time.Duration(r.IntN(3000))*time.Millisecond)
		}
	}
}

// runMisfortune kills, freezes and restarts devices until the context ends.
func (m *mesh) runMisfortune(ctx context.Context) {
	mended := make([]time.Time, len(m.devices)) // when what has befallen it is to end
	for n := uint64(0); ctx.Err() == nil && !m.failed(); n++ {
		r := rand.New(rand.NewPCG(m.seed, n<<16|12))
		pause(ctx, time.Duration(100+r.IntN(300))*time.Millisecond)
		for i, d := range m.devices {
			if !mended[i].IsZero() && time.Now().After(mended[i]) {
				mended[i] = time.Time{}
				m.mend(context.WithoutCancel(ctx), d)
			}
		}
		i, x := r.IntN(len(m.devices)), r.IntN(100)
		lasts := time.Duration(50+r.IntN(900)) * time.Millisecond
		if r.IntN(3) == 0 {
			lasts = time.Duration(1000+r.IntN(5000)) * time.Millisecond
		}
		d := m.devices[i]
		if !mended[i].IsZero() || d.isStarting() || !d.runs() {
			continue
		}
		switch {
		case x < 8:
			m.note("%s is killed, for %v", d.name, lasts)
			d.kill()
		case x < 14:
			delay := time.Duration(r.IntN(3)*r.IntN(8)) * time.Millisecond
			if !d.ambush(ctx, 2*time.Second, delay) {
				continue
			}
			m.note("%s is killed %v after something changed in its tree, for %v", d.name, delay, lasts)
		case x < 20:
			m.note("%s is frozen, for %v", d.name, lasts)
			m.freeze(d)
		case x < 24:
			m.note("%s goes down, for %v", d.name, lasts)
			m.report(d.quit(context.WithoutCancel(ctx)))
		default:
			continue
		}
		mended[i] = time.Now().Add(lasts)
	}
}
