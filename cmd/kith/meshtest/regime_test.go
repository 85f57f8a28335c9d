//go:build linux

package meshtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// regime is a state of the network for some seconds.
type regime struct {
	name   string
	weight int
	cuts   func(r *rand.Rand, n *network) []way
}

var regimes = []regime{
	{"whole", 5, func(*rand.Rand, *network) []way { return nil }},
	{"groups", 6, func(r *rand.Rand, n *network) []way {
		groups := make([]int, n.devices)
		for i := range groups {
			groups[i] = r.IntN(2 + r.IntN(n.devices-1))
		}
		return n.but(func(w way) bool { return groups[w.from] == groups[w.to] })
	}},
	{"one alone", 3, func(r *rand.Rand, n *network) []way {
		alone := r.IntN(n.devices)
		return n.but(func(w way) bool { return w.from != alone && w.to != alone })
	}},
	{"all alone", 2, func(_ *rand.Rand, n *network) []way { return n.ways() }},
	{"chain", 4, func(r *rand.Rand, n *network) []way {
		at := r.Perm(n.devices)
		return n.but(func(w way) bool { return at[w.from]-at[w.to] == 1 || at[w.to]-at[w.from] == 1 })
	}},
	{"star", 3, func(r *rand.Rand, n *network) []way {
		middle := r.IntN(n.devices)
		return n.but(func(w way) bool { return w.from == middle || w.to == middle })
	}},
	{"one-way", 4, func(r *rand.Rand, n *network) []way {
		return n.but(func(way) bool { return r.IntN(3) > 0 })
	}},
	{"one speaks and does not hear", 2, func(r *rand.Rand, n *network) []way {
		deaf := r.IntN(n.devices)
		return n.but(func(w way) bool { return w.to != deaf })
	}},
	{"any", 3, func(r *rand.Rand, n *network) []way {
		open := map[way]bool{}
		for _, w := range n.ways() {
			if back := (way{w.to, w.from}); w.from < w.to {
				open[w] = r.IntN(2) == 0
			} else {
				open[w] = open[back]
			}
		}
		return n.but(func(w way) bool { return open[w] })
	}},
}

// but are all ways that do not stay open.
func (n *network) but(open func(way) bool) []way {
	var out []way
	for _, w := range n.ways() {
		if !open(w) {
			out = append(out, w)
		}
	}
	return out
}

// runNetwork lets the network come under one regime after the other, until the
// context ends. Some stutter: the ways are lost and come back several times a
// second.
func (m *mesh) runNetwork(ctx context.Context) {
	total := 0
	for _, g := range regimes {
		total += g.weight
	}
	for n := uint64(0); ctx.Err() == nil && !m.failed(); n++ {
		r := rand.New(rand.NewPCG(m.seed, n<<16|11))
		x := r.IntN(total)
		for _, g := range regimes {
			if x -= g.weight; x < 0 {
				m.rule(ctx, r, g)
				break
			}
		}
	}
}

func (m *mesh) rule(ctx context.Context, r *rand.Rand, g regime) {
	cuts := g.cuts(r, m.net)
	lasts := time.Duration(300+r.IntN(1200)) * time.Millisecond
	if r.IntN(4) > 0 {
		lasts = time.Duration(1500+r.IntN(5500)) * time.Millisecond
	}
	stutters := len(cuts) > 0 && r.IntN(6) == 0
	text := ""
	if stutters {
		text = ", again and again"
	}
	var slow []int
	if canSlow && r.IntN(4) == 0 {
		slow = r.Perm(len(m.devices))[:1+r.IntN(2)]
		for _, i := range slow {
			text += ", slow to " + m.devices[i].name
		}
	}
	if err := m.net.slowOnly(context.WithoutCancel(ctx), slow); err != nil {
		m.fail("%v", err)
	}
	m.note("network: %s for %v%s: cut are %s", g.name, lasts, text, m.wayNames(cuts))
	end := time.Now().Add(lasts)
	for stutters && time.Now().Before(end) && ctx.Err() == nil {
		m.cut(ctx, cuts)
		pause(ctx, time.Duration(50+r.IntN(300))*time.Millisecond)
		m.cut(ctx, nil)
		pause(ctx, time.Duration(50+r.IntN(300))*time.Millisecond)
	}
	if !stutters {
		m.cut(ctx, cuts)
		pause(ctx, lasts)
	}
}

func (m *mesh) cut(ctx context.Context, cuts []way) {
	if err := m.net.cutOnly(context.WithoutCancel(ctx), cuts); err != nil {
		m.fail("%v", err)
	}
}

// wayNames tells ways by the names of devices; = is both ways.
func (m *mesh) wayNames(ways []way) string {
	if len(ways) == len(m.net.ways()) {
		return "all"
	}
	cut := map[way]bool{}
	for _, w := range ways {
		cut[w] = true
	}
	text, all := "", m.all()
	for _, w := range ways {
		switch back := cut[way{w.to, w.from}]; {
		case back && w.from < w.to:
			text += fmt.Sprintf(" %s=%s", all[w.from].name, all[w.to].name)
		case !back:
			text += fmt.Sprintf(" %s>%s", all[w.from].name, all[w.to].name)
		}
	}
	if text == "" {
		return "none"
	}
	return text[1:]
}
