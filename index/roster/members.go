package roster

import (
	"cmp"
	"slices"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// Member is a device that belongs to the folder.
type Member struct {
	Device     entry.DeviceID
	Name       string // as it calls itself, or was called when admitted; may be empty
	Role       entry.Role
	Rights     Rights
	AdmittedBy entry.DeviceID // itself, for the founder
	// Granted is the role it was admitted with. A member chooses another role
	// itself, but none that holds the key if this one does not.
	Granted entry.Role
}

// collectOuts gathers what puts devices out, in canonical order.
func (st *state) collectOuts(count []bool) {
	st.outs = make(map[entry.DeviceID][]signed)
	st.revoked = make(map[entry.DeviceID]bool)
	for i, s := range st.set {
		if s.Kind == Revoke && count[i] || s.Kind == Leave {
			st.outs[s.Subject] = append(st.outs[s.Subject], s)
		}
		if s.Kind == Revoke && count[i] {
			st.revoked[s.Subject] = true
		}
	}
}

// collectMembers finds for each device the newest grant that nothing beats,
// and then what the device says of itself since.
func (st *state) collectMembers() {
	st.members = make(map[entry.DeviceID]Member)
	since := make(map[entry.DeviceID]version.Clock)
	for i := range st.set {
		s := &st.set[i]
		if s.Kind != Found && s.Kind != Admit || !st.final.stands[i] || st.beaten(s) {
			continue
		}
		m := Member{Device: s.Subject, Name: s.Name, Role: s.Role, Granted: s.Role, AdmittedBy: s.Author}
		if !st.revoked[m.Device] {
			m.Rights = st.final.rights[m.Device]
		}
		st.members[m.Device], since[m.Device] = m, s.Clock
	}
	for i := range st.set {
		s := &st.set[i]
		m, ok := st.members[s.Author]
		if !ok || s.Kind != Describe || s.Clock <= since[s.Author] {
			continue
		}
		m.Name = cmp.Or(s.Name, m.Name)
		if m.mayBe(s.Role) {
			m.Role = s.Role
		}
		st.members[s.Author] = m
	}
}

// beaten tells whether something put the subject out that the grant does not
// know of.
func (st *state) beaten(grant *signed) bool {
	return slices.ContainsFunc(st.outs[grant.Subject], func(out signed) bool { return !grant.knows(out.ID) })
}

// mayBe tells whether the member may choose a role itself.
func (m *Member) mayBe(r entry.Role) bool {
	return understood(r) && (m.Granted.HoldsKey() || !r.HoldsKey())
}

// Members are the devices that belong to the folder, by device ID.
func (r Roster) Members() []Member {
	if r.state == nil {
		return nil
	}
	out := make([]Member, 0, len(r.state.members))
	for _, m := range r.state.members {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Device, b.Device) })
	return out
}

// Member is the member of that device ID, if it is one.
func (r Roster) Member(d entry.DeviceID) (Member, bool) {
	if r.state == nil {
		return Member{}, false
	}
	m, ok := r.state.members[d]
	return m, ok
}

// Revoked tells whether a revocation of the device counts. It may be a member
// all the same, if it was admitted again.
func (r Roster) Revoked(d entry.DeviceID) bool { return r.state != nil && r.state.revoked[d] }

// Label is what the founder called the folder; empty while the founding
// statement is not known.
func (r Roster) Label() string {
	for i := range r.rooted {
		if r.rooted[i].Kind == Found {
			return r.rooted[i].Label
		}
	}
	return ""
}

// Founded tells whether the founding statement is known, without which nobody
// is a member.
func (r Roster) Founded() bool { return r.Label() != "" }

// Replicas are those that a device claims, in the order of its clock.
func (r Roster) Replicas(d entry.DeviceID) []version.ReplicaID {
	var out []version.ReplicaID
	for i := range r.rooted {
		s := &r.rooted[i]
		if s.Kind == Replica && s.Author == d && !slices.Contains(out, s.Replica) {
			out = append(out, s.Replica)
		}
	}
	return out
}

// Claimed are those of [Roster.Replicas] that a device has claimed since it last
// left or was put out: none until it has joined again.
func (r Roster) Claimed(d entry.DeviceID) []version.ReplicaID {
	out, last := []version.ReplicaID(nil), version.Clock(0)
	if r.state != nil {
		for _, s := range r.state.outs[d] {
			last = max(last, s.Clock)
		}
	}
	for i := range r.rooted {
		s := &r.rooted[i]
		if s.Kind == Replica && s.Author == d && s.Clock > last && !slices.Contains(out, s.Replica) {
			out = append(out, s.Replica)
		}
	}
	return out
}

// DeviceOf is the device of a replica, member or not. Of several that claim
// it, a member goes before others, and then the earlier claim.
func (r Roster) DeviceOf(replica version.ReplicaID) (entry.DeviceID, bool) {
	var first entry.DeviceID
	for i := range r.rooted {
		s := &r.rooted[i]
		if s.Kind != Replica || s.Replica != replica {
			continue
		}
		if _, ok := r.Member(s.Author); ok {
			return s.Author, true
		}
		first = cmp.Or(first, s.Author)
	}
	return first, first != ""
}
