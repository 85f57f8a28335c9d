package roster

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

var cast = []device{a, b, c, d, t0, u, v, w}

// anything draws a signed statement such as any holder of a key could make,
// sensible or not, that may name earlier ones.
func anything(t *rapid.T, folder entry.FolderID, by device, said []Statement) Statement {
	s := Statement{
		Folder: folder, Author: by.ID(), Subject: by.ID(),
		Kind:  rapid.SampledFrom([]Kind{Admit, Admit, Admit, Revoke, Revoke, Leave, Describe, Replica, Recover, Recover, 99}).Draw(t, "kind"),
		Clock: version.Clock(rapid.IntRange(1, 50).Draw(t, "clock")),
	}
	if s.Kind == Admit || s.Kind == Revoke || s.Kind == Recover {
		for s.self() {
			s.Subject = rapid.SampledFrom(cast).Draw(t, "subject").ID()
		}
		for i := range said {
			if s.Kind != Recover && rapid.IntRange(0, 2).Draw(t, "knows") == 0 {
				s.Knows = append(s.Knows, said[i].ID())
			}
		}
		s.Knows = slices.Compact(sorted(s.Knows))
	}
	if s.Kind == Admit || s.Kind == Describe {
		s.Name = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "name")
		s.Role = entry.Role(rapid.IntRange(1, 6).Draw(t, "role"))
	}
	if s.Kind == Recover {
		s.Payload = []byte{rapid.Byte().Draw(t, "payload")}
	}
	if s.Kind == Admit || s.Kind == Recover {
		s.Rights = Rights(rapid.IntRange(0, 3).Draw(t, "rights"))
	}
	if s.Kind == Replica {
		s.Replica = version.ReplicaID(rapid.IntRange(1, 3).Draw(t, "replica"))
	}
	s, err := s.Sign(by)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// view is all that a roster tells.
func view(r Roster) string {
	out := fmt.Sprintf("%+v %x %q", r.Members(), r.Digest(), r.Label()) + fmt.Sprintf("%+v", r.Recoveries())
	for _, who := range cast {
		out += fmt.Sprint(r.Replicas(who.ID()), r.Revoked(who.ID()), r.SealedTo(who.ID()))
	}
	for replica := range version.ReplicaID(4) {
		out += fmt.Sprint(r.DeviceOf(replica))
	}
	return out
}

func TestTheOrderOfStatementsDoesNotMatter(t *testing.T) {
	start := found(t, a)
	rapid.Check(t, func(t *rapid.T) {
		said := start.Statements()
		for range rapid.IntRange(0, 15).Draw(t, "statements") {
			said = append(said, anything(t, start.folder, rapid.SampledFrom(cast).Draw(t, "by"), said))
		}
		all, _, refused := New(start.folder, verify).Add(said...)
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		shuffled := rapid.Permutation(said).Draw(t, "order")
		parts := New(start.folder, verify)
		for len(shuffled) > 0 {
			n := rapid.IntRange(1, len(shuffled)).Draw(t, "part")
			parts, _, _ = parts.Add(shuffled[:n]...)
			parts, _, _ = parts.Add(shuffled[:n]...) // and once more
			shuffled = shuffled[n:]
		}
		if x, y := view(all), view(parts); x != y {
			t.Fatalf("in one go:\n%s\nin parts:\n%s", x, y)
		}
	})
}

// honest tells a story in which A, B, C, D and T admit each other as people do,
// and one of them makes the recovery key W.
func honest(t *rapid.T, start Roster) Roster {
	r := start
	inside := []device{a}
	for _, who := range []device{b, c, d, t0} {
		by := rapid.SampledFrom(inside).Draw(t, "admitted by")
		s, err := r.Admit(by, Admission{Device: who.ID(), Role: entry.RoleSync, Rights: both}, 100)
		if err != nil {
			t.Fatal(err)
		}
		r, _, _ = r.Add(s)
		inside = append(inside, who)
	}
	s, err := r.Recover(rapid.SampledFrom(inside).Draw(t, "recovery made by"), w.ID(), []byte("sealed"), 100)
	if err != nil {
		t.Fatal(err)
	}
	r, _, _ = r.Add(s)
	return r
}

// A thief has the key of T, or of the founder, and makes keys of its own (U,
// V). One that was an honest member before revokes the stolen device. Whatever
// the thief signs then, with whatever clock, in whatever order it arrives: it
// is out, and so is all that it admits.
func TestARevokedDeviceCannotComeBackThroughOldStatements(t *testing.T) {
	start := found(t, a).Roster
	rapid.Check(t, func(t *rapid.T) {
		before := honest(t, start)
		stolen := rapid.SampledFrom([]device{a, b, t0}).Draw(t, "stolen")
		owner := rapid.SampledFrom([]device{c, d, w}).Draw(t, "owner")
		revoke, err := before.Revoke(owner, stolen.ID(), 200)
		if err != nil {
			t.Fatal(err)
		}
		known := append(before.Statements(), revoke)
		said := known
		for range rapid.IntRange(1, 15).Draw(t, "statements") {
			by := rapid.SampledFrom([]device{stolen, stolen, u, v}).Draw(t, "by")
			said = append(said, anything(t, start.folder, by, said))
		}
		said = rapid.Permutation(said).Draw(t, "order")
		r := New(start.folder, verify)
		for len(said) > 0 {
			n := rapid.IntRange(1, len(said)).Draw(t, "part")
			r, _, _ = r.Add(said[:n]...)
			said = said[n:]
		}
		for _, out := range []device{stolen, u, v} {
			if m, ok := r.Member(out.ID()); ok {
				t.Fatalf("%s is a member: %+v\n%s", letters[out.ID()], m, who(r))
			}
			if r.IsRecovery(out.ID()) {
				t.Fatalf("%s is a recovery key\n%s", letters[out.ID()], who(r))
			}
		}
	})
}

// The same thief without keys of its own, against an owner whose admission
// does not hang on someone that the thief can revoke: nobody else is harmed.
func TestAThiefCannotThrowOutThoseWhoHaveRevokedIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := found(t, a)
		start.admit(a, b, both).admit(a, c, both).admit(a, t0, both).revoke(a, t0).revoke(b, t0).revoke(c, t0)
		r := start.Roster
		for range rapid.IntRange(1, 10).Draw(t, "statements") {
			s := anything(t, start.folder, t0, r.Statements())
			if s.Kind == Revoke && s.Subject == a.ID() {
				continue // this one puts out A and, with it, all of A's guests: fail closed
			}
			r, _, _ = r.Add(s)
		}
		if got := who(r); got != "[A B C]" {
			t.Fatalf("members are %s", got)
		}
	})
}

// A thief who revokes nobody changes nothing about the words that
// were known when it was put out, whoever made them; nor do its own words count.
func TestAThiefCannotTakeAwayOrReplaceTheOwnersPhrase(t *testing.T) {
	start, fresh := found(t, a).Roster, newDevice('n')
	rapid.Check(t, func(t *rapid.T) {
		r := honest(t, start)
		stolen := rapid.SampledFrom([]device{a, b, t0}).Draw(t, "stolen")
		owner := rapid.SampledFrom([]device{c, d, w}).Draw(t, "owner")
		revoke, err := r.Revoke(owner, stolen.ID(), 200)
		if err != nil {
			t.Fatal(err)
		}
		r, _, _ = r.Add(revoke)
		for range rapid.IntRange(1, 15).Draw(t, "statements") {
			s := anything(t, start.folder, rapid.SampledFrom([]device{stolen, stolen, u, v}).Draw(t, "by"), r.Statements())
			if s.Kind != Revoke { // of those it would be: fail closed
				r, _, _ = r.Add(s)
			}
		}
		if recs := r.Recoveries(); len(recs) != 1 || recs[0].Device != w.ID() || recs[0].Rights != both && recs[0].Rights != Every {
			t.Fatalf("recovery keys are %+v", recs)
		}
		made, err := r.Admit(w, Admission{Device: fresh.ID(), Role: entry.RoleSync, Rights: both}, 300)
		if err != nil {
			t.Fatal(err)
		}
		if r, _, _ = r.Add(made); !slices.ContainsFunc(r.Members(), func(m Member) bool { return m.Device == fresh.ID() && m.AdmittedBy == w.ID() }) {
			t.Fatalf("the words admit nobody: %s", who(r))
		}
	})
}
