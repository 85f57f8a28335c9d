//go:build linux

package meshtest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"
	"time"
)

// runAftermath has the users put in order what a storm has left: each path is
// one user's. All know of all then, so nothing is in contention any more,
// however entangled its past: the trees come to be just what the users make
// of them, round after round. In between all devices are killed at once, which
// must change nothing.
func (m *mesh) runAftermath(ctx context.Context) {
	for round := range uint64(2) {
		if m.failed() {
			return
		}
		if round > 0 {
			m.note("all are killed")
			for _, d := range m.devices {
				d.kill()
			}
			m.heal(ctx)
			m.settle(ctx)
		}
		want, err := look(m.devices[0].root)
		if err != nil {
			m.fail("look at the tree: %v", err)
			return
		}
		m.note("aftermath, round %d: %d paths", round+1, len(want))
		m.putInOrder(ctx, round, want)
		m.heal(ctx)
		m.settle(ctx)
		for _, d := range m.devices {
			now, _ := look(d.root)
			for _, diff := range m.book.compareExactly(want, now, "(wanted)", d.name) {
				m.fail("I3: in order, round %d: %s", round+1, diff)
			}
		}
	}
}

// putInOrder deals the paths out to the users, who go about them all at once,
// and makes of want what is to be.
func (m *mesh) putInOrder(ctx context.Context, round uint64, want listing) {
	r := rand.New(rand.NewPCG(m.seed, round<<16|14))
	deals := make([][]string, len(m.devices))
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if want[p].content() && !m.inRelay(p) {
			i := r.IntN(len(deals))
			deals[i] = append(deals[i], p)
		}
	}
	var all sync.WaitGroup
	var mu sync.Mutex // on want
	for i, d := range m.devices {
		all.Go(func() {
			r := rand.New(rand.NewPCG(m.seed, round<<16|uint64(i)<<8|15))
			for _, p := range deals[i] {
				u := &user{m: m, d: d, rng: r, step: m.nextStep()}
				mu.Lock()
				n := want[p]
				mu.Unlock()
				text, made := u.order(p, n)
				mu.Lock()
				for q, n := range made {
					if want[q] = n; n.kind == 0 {
						delete(want, q)
					}
				}
				mu.Unlock()
				if text != "" {
					m.note("step %d: %s %s", u.step, d.name, text)
				}
				pause(ctx, time.Duration(r.IntN(20))*time.Millisecond)
			}
		})
	}
	all.Wait()
}

func (m *mesh) inRelay(p string) bool {
	return slices.ContainsFunc(m.relays, func(l *relay) bool { return p == l.dir || below(p, l.dir) })
}

// order does what there is to do about one path, and tells what it is to be
// then, and what another is to be if that has changed too.
func (u *user) order(p string, n node) (text string, made map[string]node) {
	switch x := u.rng.IntN(100); {
	case x < 15:
		if u.m.report(os.Remove(u.abs(p))); u.node(p).kind != 0 {
			return "", nil
		}
		u.m.book.erase(u, p, n.sum)
		return fmt.Sprintf("deletes %q: %s", p, u.known(n)), map[string]node{p: {}}
	case x < 35:
		temp := path.Join(path.Dir(p), fmt.Sprintf(".t%d", u.step))
		body, s := u.fresh()
		u.m.book.put(u, temp, s)
		u.m.book.put(u, p, s)
		if !u.make(u.abs(temp), body) || os.Rename(u.abs(temp), u.abs(p)) != nil {
			u.m.fail("%s cannot write %q", u.d.name, p)
			return "", nil
		}
		u.m.book.erase(u, temp, s)
		u.m.book.drop(u, p, n.sum)
		return fmt.Sprintf("writes %q: %s over %s", p, u.m.book.label(s), u.known(n)), map[string]node{p: u.node(p)}
	case x < 45:
		q := path.Join(path.Dir(p), fmt.Sprintf("o%d", u.step))
		u.m.book.put(u, q, n.sum)
		if os.Rename(u.abs(p), u.abs(q)) != nil {
			u.m.fail("%s cannot rename %q", u.d.name, p)
			return "", nil
		}
		u.m.book.erase(u, p, n.sum)
		return fmt.Sprintf("renames %q to %q: %s", p, q, u.known(n)), map[string]node{p: {}, q: n}
	case x < 50 && n.kind == 'f' && !u.linked(p):
		u.m.book.touch(u.d.name, p)
		n.exec = !n.exec
		mode := os.FileMode(0o644)
		if n.exec {
			mode = 0o755
		}
		u.m.report(os.Chmod(u.abs(p), mode))
		return fmt.Sprintf("chmods %q to %o", p, mode), map[string]node{p: n}
	}
	return "", nil
}

// linked tells whether a file has other names too.
func (u *user) linked(p string) bool {
	var st syscall.Stat_t
	return syscall.Lstat(u.abs(p), &st) != nil || st.Nlink > 1
}
