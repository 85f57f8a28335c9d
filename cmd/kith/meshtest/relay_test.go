//go:build linux

package meshtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"
)

// relay is a directory in which one user at a time is busy, its holder. The
// holder passes it on to another, who begins only when all of it is there just
// as the holder has left it. So whoever changes something has seen all that
// went before, on whatever device, and nothing there is ever in contention,
// whatever befalls the devices and the network: the relay has to be in the end
// just what its last holder made it, with no conflict copy and with nothing
// that ever was deleted (I2, I3).
//
// For that to be so, what a user finds must tell that all before has arrived:
// no state of a path comes twice, and what is new has a name that nobody has
// had, or one that this very user has deleted.
type relay struct {
	mesh *mesh
	dir  string

	mu      sync.Mutex
	holder  *device
	next    *device // who is to take it, if it is being passed on
	want    listing // what it is to be
	last    map[string]*device
	arrived time.Time // since when it is complete at the next holder's
	luck    int64     // and what had befallen that device by then
	turns   int
	done    int
}

// relayRest is how long a relay has to be complete at a device that nothing
// befalls, before its user goes on: what has only just been put there may not
// be in the index, and if the device were killed then, it would not know.
const relayRest = 2 * time.Second

// relayPaths is from how many paths on users rather delete.
const relayPaths = 40

// newRelays makes the relays, each with a first holder.
func (m *mesh) newRelays(n int, r *rand.Rand) {
	for i := range n {
		l := &relay{
			mesh: m, dir: fmt.Sprintf("relay-%d", i+1), holder: m.devices[r.IntN(len(m.devices))],
			want: listing{}, last: map[string]*device{},
		}
		u := &user{m: m, d: l.holder, rng: r, step: m.nextStep()}
		m.book.touch(u.d.name, l.dir)
		if err := os.Mkdir(u.abs(l.dir), 0o755); err != nil {
			m.fail("make %q: %v", l.dir, err)
			return
		}
		l.want[l.dir] = node{kind: 'd'}
		m.relays = append(m.relays, l)
	}
}

// relayed has a user do something in one of the relays, if the user may;
// "" if not.
func (m *mesh) relayed(u *user) string {
	for _, i := range u.rng.Perm(len(m.relays)) {
		if text := m.relays[i].use(u); text != "" {
			return text
		}
	}
	return ""
}

func (l *relay) use(u *user) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.next == u.d:
		if !l.complete(u) {
			return ""
		}
		l.holder, l.next = u.d, nil
		l.turns++
		return fmt.Sprintf("relay takes %q with %d paths", l.dir, len(l.want))
	case l.next != nil || l.holder != u.d:
		return ""
	}
	if diffs := l.differences(u); len(diffs) > 0 {
		l.mesh.fail("I3: %s holds %q, and now that is not as its user has left it: %q", u.d.name, l.dir, diffs)
		return ""
	}
	if u.chance(0.15) {
		for l.next == nil || l.next == l.holder {
			l.next = l.mesh.devices[u.rng.IntN(len(l.mesh.devices))]
		}
		l.arrived = time.Time{}
		return fmt.Sprintf("relay passes %q on to %s", l.dir, l.next.name)
	}
	name, made := l.act(u)
	if made == nil {
		return ""
	}
	l.done++
	l.note(u, made)
	return fmt.Sprintf("relay %s %q", name, slices.Sorted(maps.Keys(made)))
}

// complete tells whether a relay has arrived at the device of its next holder,
// and rested there.
func (l *relay) complete(u *user) bool {
	luck, up := u.d.fortune()
	if !up || len(l.differences(u)) > 0 {
		l.arrived = time.Time{}
		return false
	}
	if l.arrived.IsZero() || luck != l.luck {
		l.arrived, l.luck = time.Now(), luck
	}
	return time.Since(l.arrived) >= relayRest
}

// differences compares what is there with what is to be.
func (l *relay) differences(u *user) []string {
	return l.mesh.book.compareExactly(l.want, u.area(l.dir), "(wanted)", u.d.name)
}

// area lists a directory and what is in it.
func (u *user) area(dir string) listing {
	out := u.within(u.abs(dir), dir)
	if n := u.node(dir); n.kind != 0 {
		out[dir] = n
	}
	return out
}

// note takes what a user has made: by path, kind 0 for what went.
func (l *relay) note(u *user, made map[string]node) {
	now := u.area(l.dir)
	for p, n := range made {
		l.last[p] = u.d
		switch have := now[p]; {
		case n.kind == 0:
			delete(l.want, p)
		case have.kind != n.kind || have.sum != n.sum:
			l.mesh.fail("I3: %s holds %q; its user has just made %q %s, and it is %s", u.d.name, l.dir, p, u.known(n), u.known(have))
		default:
			l.want[p] = have
		}
	}
}

// judgeRelays compares each device's relays with what they are to be.
func (m *mesh) judgeRelays() {
	for _, l := range m.relays {
		for _, d := range m.devices {
			u := &user{m: m, d: d}
			for _, diff := range l.differences(u) {
				m.fail("I3: %q, in which no two users were busy at a time: %s", l.dir, diff)
			}
		}
	}
}
