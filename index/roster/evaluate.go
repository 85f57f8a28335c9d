package roster

import (
	"bytes"
	"slices"

	"github.com/kithmesh/kith/index/entry"
)

// maxRounds bounds the work of settling revocations that strike each other.
// Stopping early counts too many of them, never too few.
const maxRounds = 64

// state is what a set of statements amounts to.
type state struct {
	set []signed
	// ever are the devices ever admitted, revoked or not.
	ever map[entry.DeviceID]bool
	// final is what stands under the revocations that count.
	final verdict
	// outs are the statements that put a device out: those revocations, and
	// its own leaving.
	outs    map[entry.DeviceID][]signed
	revoked map[entry.DeviceID]bool
	members map[entry.DeviceID]Member
	// recoveries are the recovery keys that were made and not revoked.
	recoveries map[entry.DeviceID]Recovery
}

// verdict is what stands once some revocations are applied.
type verdict struct {
	stands []bool // by index into the set; Found, Admit, Revoke and Recover only
	rights map[entry.DeviceID]Rights
}

// evaluate reads a set in canonical order. What a revocation strikes may be
// another revocation, so they cannot be settled one by one. Two sets of them
// are narrowed in turn: sure, those that stand even if every possible one is
// applied, and possible, those that stand if only the sure ones are. What
// remains in doubt, rings of revocations that strike each other, counts.
//
// This is the alternating fixpoint of Van Gelder (1989), read so that doubt is
// resolved against membership.
func evaluate(set []signed) *state {
	c := newReading(set)
	possible := c.stand(nil)
	st := &state{set: set, ever: make(map[entry.DeviceID]bool)}
	for device := range possible.rights {
		st.ever[device] = true
	}
	for range maxRounds {
		sure := c.stand(possible.stands)
		next := c.stand(sure.stands)
		if slices.Equal(next.stands, possible.stands) {
			break
		}
		possible = next
	}
	st.final = c.stand(possible.stands)
	st.collectOuts(possible.stands)
	st.collectMembers()
	st.collectRecoveries()
	return st
}

// reading is a set of statements prepared for being read many times.
type reading struct {
	set      []signed
	founder  int // index, or -1
	byAuthor map[entry.DeviceID][]int
	strikes  [][]int // for each statement, the revocations that would strike it
}

func newReading(set []signed) *reading {
	c := &reading{set: set, founder: -1, byAuthor: make(map[entry.DeviceID][]int), strikes: make([][]int, len(set))}
	revokes := make(map[entry.DeviceID][]int)
	for i := range set {
		switch s := &set[i]; s.Kind {
		case Found:
			if c.founder < 0 {
				c.founder = i
			}
		case Revoke:
			revokes[s.Subject] = append(revokes[s.Subject], i)
			c.byAuthor[s.Author] = append(c.byAuthor[s.Author], i)
		case Admit, Recover:
			c.byAuthor[s.Author] = append(c.byAuthor[s.Author], i)
		case Leave, Replica, Describe:
		}
	}
	for _, said := range c.byAuthor {
		for _, i := range said {
			for _, j := range revokes[set[i].Author] {
				if !set[j].knows(set[i].ID) {
					c.strikes[i] = append(c.strikes[i], j)
				}
			}
		}
	}
	return c
}

func (s *Statement) knows(id ID) bool {
	_, ok := slices.BinarySearchFunc(s.Knows, id, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return ok
}

// stand spreads rights from the founder along the statements that grant them
// and that no applied revocation strikes. Applying more revocations lets no more statements stand.
func (c *reading) stand(applied []bool) verdict {
	v := verdict{stands: make([]bool, len(c.set)), rights: make(map[entry.DeviceID]Rights)}
	if c.founder < 0 {
		return v
	}
	first := &c.set[c.founder]
	v.stands[c.founder] = true
	v.rights[first.Subject] = first.granted(Every)
	for queue := []entry.DeviceID{first.Subject}; len(queue) > 0; queue = queue[1:] {
		author := queue[0]
		held := v.rights[author]
		for _, i := range c.byAuthor[author] {
			s := &c.set[i]
			if c.struck(i, applied) || !s.allowed(held) {
				continue
			}
			v.stands[i] = true
			if s.Kind == Revoke || s.keysOnly() {
				continue
			}
			old, known := v.rights[s.Subject]
			if now := old | s.granted(held); !known || now != old {
				v.rights[s.Subject] = now
				queue = append(queue, s.Subject)
			}
		}
	}
	return v
}

func (c *reading) struck(i int, applied []bool) bool {
	return applied != nil && slices.ContainsFunc(c.strikes[i], func(j int) bool { return applied[j] })
}

// allowed tells whether an author who holds these rights may make s. Roles of
// later versions have no effect here.
func (s *Statement) allowed(held Rights) bool {
	switch {
	case s.Kind == Revoke:
		return held.Has(MayRevoke)
	case s.Kind == Recover:
		return s.keysOnly() || held.Has(mayRecover)
	default:
		return held.Has(MayShare) && understood(s.Role)
	}
}

// granted is what s grants if its author holds these rights.
func (s *Statement) granted(held Rights) Rights {
	if s.Kind == Recover {
		return s.Rights & held
	}
	if !understood(s.Role) || !s.Role.HoldsKey() {
		return 0
	}
	return s.Rights & held
}

func understood(r entry.Role) bool { return r >= entry.RoleSync && r <= entry.RoleBackup }
