package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/index/version"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/proto/wirepb"
)

// contact is a well-formed one.
func contact(id entry.DeviceID, addrs ...string) *wirepb.Contact {
	return &wirepb.Contact{Device: string(id), Name: "somebody", Addresses: addrs, LastSeen: uint64(time.Now().Unix()), Connected: true}
}

func (h *hostile) introduces(all ...*wirepb.Contact) {
	h.t.Helper()
	h.say(&wirepb.Tell{What: &wirepb.Tell_Contacts{Contacts: &wirepb.Contacts{Contacts: all}}})
}

// TestContactsProveNothing: a member says that others are where they are not,
// that it itself is the other, that strangers are members.
func TestContactsProveNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	stranger, err := identity.Create(t.TempDir() + "/key")
	if err != nil {
		t.Fatal(err)
	}
	var bogus []string
	for i := range 16 {
		bogus = append(bogus, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", i+1))
	}
	never := uint64(time.Now().Add(24 * time.Hour).Unix())
	later := contact(w.honest.id, bogus...)
	later.LastSeen = never
	nonsense := []string{"no address", "/ip4/999.1.1.1/tcp/1", "/dns4/example.com/tcp/80", "/unix/etc/passwd", "/ip4/127.0.0.1/tcp/0",
		"/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/" + string(stranger.ID())}
	m.introduces(contact(w.honest.id, bogus...), contact(stranger.ID(), bogus...), contact(w.victim.id, bogus...), contact(m.ID(), bogus...))
	m.introduces(contact(w.honest.id, nonsense...), contact("nobody", nonsense...), contact("../../x", bogus...))
	m.introduces(later)
	m.introduces()
	b := m.barrier(w.victim)
	s, err := w.victim.Status(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Peers) != 2 {
		t.Errorf("the victim knows %d devices: %v", len(s.Peers), s.Peers)
	}
	if p, _ := w.victim.peer(w.honest); !p.Connected || p.LastSeen.After(time.Now().Add(time.Minute)) {
		t.Errorf("of the honest device it says %+v", p)
	}
	w.unharmed(before, b)
	// The lies are tried only until the truth is met again.
	down(w.honest)
	m.introduces(contact(w.honest.id, bogus...))
	again([]*device{w.victim}, w.honest)
	meet(t, w.victim, w.honest)
	w.syncs()
}

// TestBogusAddressesHideNobody: of a member that the victim has never met, the
// liar tells so many addresses first that there is no room for a true one.
func TestBogusAddressesHideNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	c := start(t, "cleo")
	w.victim.down()
	c.join(w.honest)
	c.down()
	again([]*device{w.honest}, w.victim)
	m.reconnect(w.victim)
	m.tell()
	until(t, "the third to be known", func() bool { _, ok := w.victim.peer(c); return ok })
	for n := range 4 {
		var bogus []string
		for i := range 16 {
			bogus = append(bogus, fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", 16*n+i+1))
		}
		m.introduces(contact(c.id, bogus...))
		m.introduces()
	}
	m.barrier(w.victim)
	again([]*device{w.honest}, c)
	meet(t, w.victim, c) // c may be the one who calls
	exchange(t, "all the same", w.victim, c)
}

// forged are statements as no member could make them, and what the roster is
// to come to: nothing.
func (h *hostile) forged(w *world) map[string]roster.Statement {
	now := version.ClockAt(time.Now())
	sign := func(s roster.Statement, by *identity.Identity) roster.Statement {
		s.Folder, s.Clock = h.folder, now
		if s.Author == "" {
			s.Author = by.ID()
		}
		if s.Subject == "" {
			s.Subject = by.ID()
		}
		s, err := s.Sign(by)
		if err != nil {
			h.t.Error(err)
		}
		return s
	}
	stranger, err := identity.Create(h.t.TempDir() + "/stranger")
	if err != nil {
		h.t.Fatal(err)
	}
	admit := roster.Statement{Kind: roster.Admit, Subject: stranger.ID(), Name: "x", Role: entry.RoleSync, Rights: roster.Every}
	inTheNameOf := func(s roster.Statement, id entry.DeviceID) roster.Statement {
		s = sign(s, h.id)
		s.Author = id
		return s
	}
	other := sign(admit, h.id)
	other.Folder[0] ^= 1
	flipped := sign(admit, h.id)
	flipped.Signature = slices.Clone(flipped.Signature)
	flipped.Signature[7] ^= 1
	return map[string]roster.Statement{
		"an admission in the victim's name":   inTheNameOf(admit, w.victim.id),
		"a removal in the victim's name":      inTheNameOf(roster.Statement{Kind: roster.Revoke, Subject: w.honest.id}, w.victim.id),
		"a departure in another's name":       inTheNameOf(roster.Statement{Kind: roster.Leave, Subject: w.honest.id}, w.honest.id),
		"a name in another's name":            inTheNameOf(roster.Statement{Kind: roster.Describe, Subject: w.honest.id, Name: "evil", Role: entry.RoleReceive}, w.honest.id),
		"an admission by who is no member":    sign(roster.Statement{Kind: roster.Admit, Subject: h.ID(), Name: "x", Role: entry.RoleSync, Rights: roster.Every}, stranger),
		"a removal by who is no member":       sign(roster.Statement{Kind: roster.Revoke, Subject: w.honest.id}, stranger),
		"a claim by who is no member":         sign(roster.Statement{Kind: roster.Replica, Replica: 77}, stranger),
		"an admission of another folder":      other,
		"an admission with a wrong signature": flipped,
	}
}

func TestForgedStatementsChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	members := func() string {
		var out []string
		for _, d := range []*device{w.victim, w.honest} {
			for _, x := range d.folder().Members {
				out = append(out, fmt.Sprint(x.ID, x.Name, x.Role))
			}
		}
		return strings.Join(out, "\n")
	}
	was := members()
	for what, s := range m.forged(w) {
		m.say(&wirepb.Tell{What: &wirepb.Tell_Statements{Statements: &wirepb.Statements{Folder: m.folder[:], Statements: [][]byte{s.Encode()}}}})
		m.barrier(w.victim)
		if now := members(); now != was {
			t.Errorf("%s: the members were\n%s\nand are\n%s", what, was, now)
			was = now
		}
	}
	for name := range listing(t, w.victim.root) {
		if strings.HasPrefix(name, "zz-barrier") {
			before[name] = listing(t, w.victim.root)[name]
		}
	}
	w.unharmed(before)
}

// TestAMemberThatFillsTheRosterCanBePutOut: it says as much as it may, all of
// it properly signed.
func TestAMemberThatFillsTheRosterCanBePutOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.mallory
	before := listing(t, w.victim.root)
	var all [][]byte
	for i := range 600 {
		s, err := roster.Statement{
			Kind: roster.Describe, Folder: m.folder, Author: m.ID(), Subject: m.ID(), Clock: version.ClockAt(time.Now()) + version.Clock(i),
			Name: fmt.Sprintf("name %d", i), Role: entry.RoleSync,
		}.Sign(m.id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s.Encode())
	}
	m.say(&wirepb.Tell{What: &wirepb.Tell_Statements{Statements: &wirepb.Statements{Folder: m.folder[:], Statements: all}}})
	m.barrier(w.victim)
	w.victim.unshare(&device{id: m.ID()})
	until(t, "the other to have heard", func() bool { return !w.honest.counts(&device{id: m.ID()}) })
	w.unharmed(before, namesWith(t, w.victim.root, "zz-barrier")...)
	w.victim.down()
	if n := len(w.victim.membership().Folders()[0].Roster); n > 600 {
		t.Errorf("the roster has %d statements", n)
	}
	again([]*device{w.honest}, w.victim)
	meet(t, w.victim, w.honest)
	w.syncs()
}

func namesWith(t testing.TB, root, prefix string) (out []string) {
	for _, name := range namesIn(t, root) {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	return out
}

// addrsOf are where a device listens, for one that is to be dialled.
func (h *hostile) addrsOf(d *device) (out []multiaddr.Multiaddr) {
	h.t.Helper()
	for _, a := range d.addrs {
		m, err := multiaddr.NewMultiaddr(a)
		if err != nil {
			h.t.Fatal(err)
		}
		bare, _ := peer.SplitAddr(m)
		out = append(out, bare)
	}
	return out
}
