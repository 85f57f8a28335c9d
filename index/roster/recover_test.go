package roster

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

// W is a recovery key whose words are in the owner's drawer.
var w = newDevice('w')

func (st *story) recover(by, who device) *story {
	st.t.Helper()
	return st.add(st.made(st.Recover(by, who.ID(), []byte("sealed by "+letters[by.ID()]), st.tick())))
}

func (st *story) addKeys(by, who device) *story {
	st.t.Helper()
	return st.add(st.made(st.AddKeys(by, who.ID(), []byte("more by "+letters[by.ID()]), st.tick())))
}

func (st *story) rawRecover(by, who device, rights Rights) Statement {
	return st.raw(by, Statement{Kind: Recover, Subject: who.ID(), Rights: rights, Payload: []byte("raw")})
}

// expectRecoveries compares the letters of the recovery keys in force.
func (st *story) expectRecoveries(want string) *story {
	st.t.Helper()
	var got []string
	for _, r := range st.Recoveries() {
		got = append(got, letters[r.Device])
		if !st.IsRecovery(r.Device) {
			st.t.Fatalf("%s is a recovery key and is not", letters[r.Device])
		}
	}
	slices.Sort(got)
	if got := strings.Join(got, " "); got != want {
		st.t.Fatalf("recovery keys are %q, want %q", got, want)
	}
	return st
}

func TestARecoveryKeyDecidesAsItsMakerCouldAndIsNoMember(t *testing.T) {
	st := found(t, a).admit(a, b, both)
	before := st.now
	st.recover(b, w).expect("[A B]").expectRecoveries("W")
	rec := st.Recoveries()[0]
	if rec.Author != b.ID() || rec.Clock != before+10 || rec.Rights != both || len(rec.Sealed) != 1 || string(rec.Sealed[0].Payload) != "sealed by B" {
		t.Fatalf("%+v", rec)
	}
	if _, member := st.Member(w.ID()); member || st.IsRecovery(b.ID()) {
		t.Fatal("a recovery key is a member, or a member is a recovery key")
	}
	// All is lost but the words: they admit a new laptop, and put the old out.
	st.admit(w, c, Every).revoke(w, b).revoke(w, a).expect("[C]").expectRecoveries("W")
	if m, _ := st.Member(c.ID()); m.Rights != both || m.AdmittedBy != w.ID() {
		t.Fatalf("C is %+v", m)
	}
	st.admit(c, d, 0).expect("[C D]")
	for name, err := range map[string]error{
		"leave":    second(st.Leave(w, 1)),
		"describe": second(st.Describe(w, "w", entry.RoleSync, 1)),
		"claim":    second(st.Claim(w, 1, 1)),
		"recover":  second(st.Recover(w, v.ID(), []byte("x"), 1)),
		"add keys": second(st.AddKeys(w, w.ID(), []byte("x"), 1)),
	} {
		if !errors.Is(err, ErrRight) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ Statement, err error) error { return err }

func TestOnlyAMemberWithTheKeyAndBothRightsMakesARecoveryKey(t *testing.T) {
	st := found(t, a).admit(a, b, MayShare).admit(a, c, MayRevoke).admit(a, d, both)
	st.add(st.made(st.Describe(d, "", entry.RoleBackup, st.tick())))
	for _, by := range []device{b, c, d, v} {
		if err := second(st.Recover(by, w.ID(), []byte("x"), 1)); !errors.Is(err, ErrRight) {
			t.Errorf("%s: %v", letters[by.ID()], err)
		}
	}
	st.add(st.rawRecover(b, w, Every), st.rawRecover(c, w, Every), st.rawRecover(v, w, Every)).expectRecoveries("")
	if err := second(st.Admit(w, Admission{Device: v.ID(), Role: entry.RoleSync}, 1)); !errors.Is(err, ErrRight) {
		t.Error(err)
	}
	st.add(st.rawAdmit(w, v), st.rawRevoke(w, b)).expect("[A B C D]")
	for name, err := range map[string]error{
		"a member":        second(st.Recover(a, b.ID(), []byte("x"), 1)),
		"itself":          second(st.Recover(a, a.ID(), []byte("x"), 1)),
		"nothing to keep": second(st.Recover(a, w.ID(), nil, 1)),
		"too much":        second(st.Recover(a, w.ID(), make([]byte, MaxPayload+1), 1)),
	} {
		if !errors.Is(err, ErrRight) && !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
	st.add(st.made(st.Recover(a, w.ID(), make([]byte, MaxPayload), 1))).expectRecoveries("W")
}

func TestALostPhraseIsReplacedAndNeverComesBack(t *testing.T) {
	st := found(t, a).admit(a, b, both).recover(a, w).admit(w, c, both)
	old := st.rawRecover(b, w, Every)
	st.revoke(a, w).expectRecoveries("").expect("[A B C]") // what it did so far remains
	st.recover(a, v).expectRecoveries("V")
	for name, err := range map[string]error{
		"made again":      second(st.Recover(a, w.ID(), []byte("x"), 1)),
		"given more":      second(st.AddKeys(a, w.ID(), []byte("x"), 1)),
		"admits":          second(st.Admit(w, Admission{Device: d.ID(), Role: entry.RoleSync}, 1)),
		"revokes":         second(st.Revoke(w, a.ID(), 1)),
		"given to nobody": second(st.AddKeys(a, u.ID(), []byte("x"), 1)),
	} {
		if !errors.Is(err, ErrRight) {
			t.Errorf("%s: %v", name, err)
		}
	}
	st.add(old, st.rawAdmit(w, d), st.rawRevoke(w, b), st.rawRecover(w, u, Every)).expect("[A B C]").expectRecoveries("V")
	if len(st.SealedTo(w.ID())) != 2 {
		t.Fatal("who still has the old words cannot read what was sealed to them")
	}
}

func TestKeysAreAddedByAnyMemberThatHoldsThemNewestFirst(t *testing.T) {
	st := found(t, a).admit(a, b, 0).admit(a, c, 0).recover(a, w).addKeys(b, w).addKeys(a, w)
	st.add(st.made(st.Describe(c, "", entry.RoleBackup, st.tick())))
	if err := second(st.AddKeys(c, w.ID(), []byte("x"), 1)); !errors.Is(err, ErrRight) {
		t.Fatalf("a device without the key: %v", err)
	}
	var got []string
	for _, s := range st.Recoveries()[0].Sealed {
		got = append(got, string(s.Payload)+" of "+letters[s.Author])
	}
	if want := "more by A of A, more by B of B, sealed by A of A"; strings.Join(got, ", ") != want {
		t.Fatalf("%q", got)
	}
	clear(st.SealedTo(w.ID())[0].Payload)
	if string(st.SealedTo(w.ID())[0].Payload) != "more by A" {
		t.Fatal("a roster was changed through what it gave out")
	}
}

// The laptop that made the words is stolen: the words go on.
func TestAPhraseOutlivesItsMakerIfTheRevokerKnewOfIt(t *testing.T) {
	st := found(t, a).admit(a, t0, both).admit(a, b, both).recover(t0, w)
	st.revoke(b, t0).expect("[A B]").expectRecoveries("W").admit(w, c, both).expect("[A B C]")
	// And so it does where the words themselves revoke it, or the founder made them.
	st = found(t, a).recover(a, w).admit(w, c, both).revoke(w, a).expect("[C]").expectRecoveries("W")
	st.admit(c, d, 0).expect("[C D]")
}

func TestAThiefsPhraseThatItsRevokerDidNotKnowOfIsVoid(t *testing.T) {
	st := found(t, a).admit(a, t0, both).admit(a, b, both)
	sly := st.rawRecover(t0, u, Every)
	before := &story{t: t, now: st.now, Roster: st.Roster}
	before.add(sly).addKeys(b, u) // B has heard of it, and takes it for honest
	goodFaith := before.SealedTo(u.ID())
	st.revoke(a, t0)
	st.add(before.Statements()...).expectRecoveries("").expect("[A B]")
	st.add(st.rawAdmit(u, v), st.rawRevoke(u, b), st.rawRecover(u, v, Every), st.rawAdmit(v, t0), st.rawRecover(t0, v, Every))
	st.expect("[A B]").expectRecoveries("")
	if len(goodFaith) != 2 || second(st.AddKeys(b, u.ID(), []byte("x"), 1)) == nil {
		t.Fatal("the thief's phrase is still given keys")
	}
}

// Its owner sees it, and ends it.
func TestAThiefsPhraseThatWasKnownIsListedWithItsMakerAndCanBeEnded(t *testing.T) {
	st := found(t, a).admit(a, t0, both).admit(a, b, 0).recover(a, w).recover(t0, u).revoke(a, t0).expectRecoveries("U W")
	for _, rec := range st.Recoveries() {
		if want := map[entry.DeviceID]entry.DeviceID{u.ID(): t0.ID(), w.ID(): a.ID()}[rec.Device]; rec.Author != want {
			t.Fatalf("%s is of %s", letters[rec.Device], letters[rec.Author])
		}
	}
	st.revoke(a, u).expectRecoveries("W")
	st.add(st.rawAdmit(u, v), st.rawRevoke(u, b), st.rawRevoke(u, w)).expect("[A B]").expectRecoveries("W")
}

// A thief that ends the phrase while the phrase ends the thief: as with devices.
func TestAThiefAndAPhraseThatRevokeEachOtherAreBothOut(t *testing.T) {
	st := found(t, a).admit(a, t0, both).recover(a, w)
	x, y := st.made(st.Revoke(w, t0.ID(), 5000)), st.made(st.Revoke(t0, w.ID(), 6000))
	st.add(x, y).expect("[A]").expectRecoveries("")
	st.revoke(a, t0).expectRecoveries("W") // a third settles it
}

func TestARecoveryThatCannotBeIsRefused(t *testing.T) {
	st := found(t, a)
	good := Statement{Kind: Recover, Subject: w.ID(), Rights: Every, Payload: []byte("x")}
	for name, change := range map[string]func(*Statement){
		"of itself":       func(s *Statement) { s.Subject = a.ID() },
		"with nothing":    func(s *Statement) { s.Payload = nil },
		"with too much":   func(s *Statement) { s.Payload = make([]byte, MaxPayload+1) },
		"with a name":     func(s *Statement) { s.Name = "x" },
		"with a role":     func(s *Statement) { s.Role = entry.RoleSync },
		"with a label":    func(s *Statement) { s.Label = "x" },
		"with a replica":  func(s *Statement) { s.Replica = 1 },
		"that sets aside": func(s *Statement) { s.Knows = []ID{{1}} },
	} {
		s := good
		change(&s)
		s = st.raw(a, s)
		if _, _, refused := st.Add(s); len(refused) != 1 || !errors.Is(refused[0], ErrStatement) {
			t.Errorf("%s: %v", name, refused)
		}
		if _, err := Decode(s.Encode()); !errors.Is(err, ErrStatement) {
			t.Errorf("%s, decoded: %v", name, err)
		}
	}
	st.add(st.raw(a, good)).expectRecoveries("W")
}

// A version that does not know the kind must pass it on: no field of it may be
// out of the bounds that hold for kinds yet to come.
func TestOlderVersionsPassRecoveriesOn(t *testing.T) {
	s := Statement{Kind: Recover, Subject: w.ID(), Rights: Every, Payload: make([]byte, MaxPayload)}
	s = found(t, a).raw(a, s)
	s.Kind = 99
	if err := s.check(); err != nil || MaxPayload != 4096 {
		t.Fatal(err)
	}
}

// These bytes are on people's disks: if this test fails, the code is wrong.
func TestTheEncodingOfRecoveriesNeverChanges(t *testing.T) {
	const file = "testdata/recover.hex"
	st := found(t, a).recover(a, w).addKeys(a, w)
	var got strings.Builder
	for _, s := range st.Statements() {
		got.WriteString(hex.EncodeToString(s.Encode()) + "\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got.String() != string(want) {
		t.Fatalf("the encoding has changed (%v):\n%s", err, got.String())
	}
	again := &story{t: t, Roster: New(st.folder, verify)}
	for line := range bytes.Lines(want) {
		raw, _ := hex.DecodeString(string(bytes.TrimSpace(line)))
		s, err := Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		again.add(s)
	}
	again.expectRecoveries("W")
}

func TestTheZeroRosterHasNoRecoveries(t *testing.T) {
	var r Roster
	if len(r.Recoveries()) != 0 || r.IsRecovery(w.ID()) || len(r.SealedTo(w.ID())) != 0 {
		t.Fatal("the zero roster has a recovery key")
	}
	if err := second(r.Recover(a, w.ID(), []byte("x"), 1)); !errors.Is(err, ErrRight) {
		t.Fatal(err)
	}
	if err := second(r.AddKeys(a, w.ID(), []byte("x"), 1)); !errors.Is(err, ErrRight) {
		t.Fatal(err)
	}
}

// A member that fills the roster with recoveries is revoked all the same, and
// the roster keeps to its size.
func TestAFloodOfRecoveriesKeepsToTheBounds(t *testing.T) {
	st := found(t, a).admit(a, b, both)
	st.verify = func(entry.DeviceID, []byte, []byte) bool { return true }
	flood := []Statement{st.rawAdmit(a, t0), st.rawAdmit(a, c), st.rawAdmit(a, d)}
	for i := range 3 * MaxByAuthor {
		flood = append(flood, Statement{
			Folder: st.folder, Kind: Recover, Clock: version.Clock(i + 1), Author: []device{t0, c, d}[i%3].ID(),
			Subject: w.ID(), Rights: Every, Payload: make([]byte, MaxPayload),
		})
	}
	next, _, refused := st.Add(flood...)
	size := 0
	for _, s := range next.Statements() {
		size += len(s.Encode())
	}
	if len(refused) == 0 || !errors.Is(refused[0], ErrFull) || size > MaxSize-reserveSize {
		t.Fatalf("%d refused, %d bytes kept", len(refused), size)
	}
	st.Roster = next
	st.revoke(b, t0)
	if _, ok := st.Member(t0.ID()); ok {
		t.Fatal("a full roster protects a member from revocation")
	}
}
