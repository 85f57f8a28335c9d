package roster

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

func TestMalformedStatementsAreRefusedByName(t *testing.T) {
	st := found(t, a)
	admit := func(change func(*Statement)) Statement {
		s := Statement{Kind: Admit, Subject: b.ID(), Role: entry.RoleSync, Clock: 5}
		change(&s)
		return st.raw(a, s)
	}
	two := []ID{{2}, {1}}
	for name, s := range map[string]Statement{
		"no kind":               admit(func(s *Statement) { s.Kind = 0 }),
		"clock beyond the end":  admit(func(s *Statement) { s.Clock = version.MaxClock + 1 }),
		"no role":               admit(func(s *Statement) { s.Role = 0 }),
		"itself admitted":       admit(func(s *Statement) { s.Subject = a.ID() }),
		"long name":             admit(func(s *Statement) { s.Name = strings.Repeat("n", MaxName+1) }),
		"name not UTF-8":        admit(func(s *Statement) { s.Name = "\xff" }),
		"name with a bell":      admit(func(s *Statement) { s.Name = "a\a" }),
		"name with an escape":   admit(func(s *Statement) { s.Name = "\x1b[2J" }),
		"name running back":     admit(func(s *Statement) { s.Name = "a\u202eb" }),
		"name of two lines":     admit(func(s *Statement) { s.Name = "a\nb" }),
		"label out of place":    admit(func(s *Statement) { s.Label = "x" }),
		"replica out of place":  admit(func(s *Statement) { s.Replica = 1 }),
		"payload out of place":  admit(func(s *Statement) { s.Payload = []byte{1} }),
		"payload of later kind": admit(func(s *Statement) { s.Kind = 99; s.Payload = make([]byte, MaxPayload+1) }),
		"known out of order":    admit(func(s *Statement) { s.Knows = two }),
		"known twice":           admit(func(s *Statement) { s.Knows = []ID{{1}, {1}} }),
		"too many known":        admit(func(s *Statement) { s.Knows = make([]ID, MaxKnows+1) }),
		"subject with a space":  admit(func(s *Statement) { s.Subject = "a b" }),
		"long subject":          admit(func(s *Statement) { s.Subject = entry.DeviceID(strings.Repeat("x", maxDevice+1)) }),
		"leaving for another":   st.raw(a, Statement{Kind: Leave, Subject: b.ID()}),
		"claiming for another":  st.raw(a, Statement{Kind: Replica, Subject: b.ID(), Replica: 1}),
		"claiming nothing":      st.raw(a, Statement{Kind: Replica}),
		"revoking with a name":  st.raw(a, Statement{Kind: Revoke, Subject: b.ID(), Name: "b"}),
		"describing rights":     st.raw(a, Statement{Kind: Describe, Role: entry.RoleSync, Rights: 1}),
		"founding, no salt":     st.raw(a, Statement{Kind: Found, Role: entry.RoleSync, Label: "x"}),
	} {
		_, added, refused := st.Add(s)
		if len(added) != 0 || len(refused) != 1 || !errors.Is(refused[0], ErrStatement) {
			t.Errorf("%s: added %d, refused %v", name, len(added), refused)
		} else if !strings.Contains(refused[0].Error(), string(a.ID())) {
			t.Errorf("%s: the refusal names nobody: %v", name, refused[0])
		}
	}
}

func TestScriptsThatNeedJoinersMakeGoodNames(t *testing.T) {
	for _, name := range []string{"", "laptop", "Jörgs Gerät", "گوشی\u200cمن", "👩\u200d💻 work"} {
		if !clean(name, MaxName) {
			t.Errorf("%q is refused", name)
		}
	}
}

func TestEverySignedFieldIsCoveredByTheSignature(t *testing.T) {
	st := found(t, a)
	good := st.raw(a, Statement{Kind: 77, Subject: b.ID(), Clock: 5})
	for name, change := range map[string]func(*Statement){
		"kind":    func(s *Statement) { s.Kind = 78 },
		"clock":   func(s *Statement) { s.Clock++ },
		"author":  func(s *Statement) { s.Author = c.ID() },
		"subject": func(s *Statement) { s.Subject = c.ID() },
		"name":    func(s *Statement) { s.Name = "x" },
		"role":    func(s *Statement) { s.Role++ },
		"rights":  func(s *Statement) { s.Rights++ },
		"label":   func(s *Statement) { s.Label = "x" },
		"replica": func(s *Statement) { s.Replica++ },
		"knows":   func(s *Statement) { s.Knows = []ID{{1}} },
		"payload": func(s *Statement) { s.Payload = []byte{0} },
		"sig":     func(s *Statement) { s.Signature = bytes.Repeat([]byte{1}, 64) },
		"no sig":  func(s *Statement) { s.Signature = nil },
	} {
		s := good.Clone()
		change(&s)
		if _, _, refused := st.Add(s); len(refused) != 1 || !errors.Is(refused[0], ErrSignature) {
			t.Errorf("%s changed: %v", name, refused)
		}
	}
	other := good.Clone()
	other.Folder[0]++
	if _, _, refused := st.Add(other); len(refused) != 1 || !errors.Is(refused[0], ErrFolder) {
		t.Errorf("folder changed: %v", refused)
	}
}

func TestAMemberThatFillsTheRosterCanStillBeRevoked(t *testing.T) {
	st := found(t, a).admit(a, b, both)
	st.verify = func(entry.DeviceID, []byte, []byte) bool { return true }
	var flood []Statement
	for who := range 12 { // more than fit, by the member and its creatures
		by := device{newDevice(byte(who)).key}
		if who == 0 {
			by = t0
		}
		flood = append(flood, st.rawAdmit(a, by))
		for i := range MaxByAuthor + 5 {
			flood = append(flood, Statement{Folder: st.folder, Kind: Replica, Clock: 9, Author: by.ID(), Subject: by.ID(), Replica: version.ReplicaID(i + 1)})
		}
	}
	next, _, refused := st.Add(flood...)
	if len(refused) == 0 || !errors.Is(refused[0], ErrFull) || len(next.Statements()) != MaxStatements-reserve {
		t.Fatalf("%d refused, %d kept", len(refused), len(next.Statements()))
	}
	if n := len(next.Replicas(t0.ID())); n > MaxByAuthor {
		t.Fatalf("%d statements of one author", n)
	}
	st.Roster = next
	st.revoke(b, t0)
	if _, ok := st.Member(t0.ID()); ok {
		t.Fatal("a full roster protects a member from revocation")
	}
	if _, _, refused := st.Add(st.raw(b, Statement{Kind: Leave})); len(refused) != 1 || !errors.Is(refused[0], ErrFull) {
		t.Fatalf("the reserve is used for something else: %v", refused)
	}
}

func TestStrangersCannotFillARoster(t *testing.T) {
	st := found(t, a)
	st.verify = func(entry.DeviceID, []byte, []byte) bool { return true }
	var flood []Statement
	for i := range 2 * maxStrays {
		id := newDevice(byte(i)).ID() + entry.DeviceID(rune('a'+i/256))
		flood = append(flood, Statement{Folder: st.folder, Kind: Replica, Clock: 9, Author: id, Subject: id, Replica: 1})
	}
	next, added, refused := st.Add(flood...)
	if len(added) != maxStrays || len(refused) != maxStrays || next.Digest() != st.Digest() {
		t.Fatalf("%d strays kept", len(added))
	}
	st.Roster = next
	st.admit(a, b, both).expect("[A B]")
}

// A hostile member arranges as many revocations as fit in ways that take the
// longest to settle.
func TestSettlingHostileRevocationsIsQuick(t *testing.T) {
	st := found(t, a)
	st.verify = func(entry.DeviceID, []byte, []byte) bool { return true }
	ids := make([]entry.DeviceID, 900)
	for i := range ids {
		ids[i] = entry.DeviceID("device" + strings.Repeat("x", i/256) + string(rune('!'+i%90)) + string(rune('!'+i/90)))
	}
	var all []Statement
	say := func(kind Kind, by, about entry.DeviceID, role entry.Role, clock int) {
		s := Statement{Folder: st.folder, Kind: kind, Author: by, Subject: about, Role: role, Clock: version.Clock(clock + 1)}
		if kind == Admit {
			s.Rights = both
		}
		all = append(all, s)
	}
	for i, id := range ids {
		by := a.ID()
		if i >= 400 {
			by = ids[i-400]
		}
		say(Admit, by, id, entry.RoleSync, i)
		say(Revoke, id, ids[(i+1)%len(ids)], 0, i)
		say(Revoke, id, ids[(i+7)%len(ids)], 0, i)
	}
	for i := range 400 {
		say(Revoke, ids[i], ids[500], 0, 5000+i)
		say(Admit, ids[500], ids[i], entry.RoleSync, 9000+i)
	}
	start := time.Now()
	next, added, _ := st.Add(all...)
	if took := time.Since(start); took > 2*time.Second {
		t.Fatalf("%d statements took %v", len(added), took)
	}
	t.Logf("%d statements, %d members, %v", len(added), len(next.Members()), time.Since(start))
}
