package roster

import (
	"errors"
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/version"
)

func TestMembersAreThoseAdmittedByAChainFromTheFounder(t *testing.T) {
	st := found(t, a).admit(a, b, MayShare).admit(b, c, both).expect("[A B C]")
	m, ok := st.Member(c.ID())
	if !ok || m.AdmittedBy != b.ID() || m.Rights != MayShare || m.Name != "C" || m.Role != entry.RoleSync {
		t.Fatalf("C is %+v", m)
	}
	if m, _ := st.Member(a.ID()); m.Rights != Every || m.AdmittedBy != a.ID() || m.Name != "founder" {
		t.Fatalf("the founder is %+v", m)
	}
	if st.Label() != "Documents" || !st.Founded() {
		t.Fatalf("label %q", st.Label())
	}
	st.add(st.rawAdmit(c, d)) // C may share, as B could give that
	st.expect("[A B C D]")
}

func TestAdmissionsWithoutTheRightHaveNoEffect(t *testing.T) {
	st := found(t, a).admit(a, b, 0).admit(a, c, MayRevoke)
	st.add(st.rawAdmit(b, t0), st.rawAdmit(c, u), st.rawAdmit(v, d), st.rawRevoke(b, c), st.rawRevoke(v, a))
	st.expect("[A B C]")
	for _, who := range []device{b, c, d} {
		if _, err := st.Admit(who, Admission{Device: t0.ID(), Role: entry.RoleSync}, 1); !errors.Is(err, ErrRight) {
			t.Fatalf("want ErrRight, got %v", err)
		}
	}
}

func TestABackupDeviceHoldsNoRights(t *testing.T) {
	st := found(t, a)
	st.add(st.raw(a, Statement{Kind: Admit, Subject: b.ID(), Role: entry.RoleBackup, Rights: both}))
	st.add(st.rawAdmit(b, t0), st.rawRevoke(b, a)).expect("[A B]")
	if m, _ := st.Member(b.ID()); m.Rights != 0 || m.Role.HoldsKey() {
		t.Fatalf("B is %+v", m)
	}
}

func TestRevocationBeatsAdmissionWhateverTheClocksSay(t *testing.T) {
	st := found(t, a).admit(a, b, both)
	late := st.raw(b, Statement{Kind: Admit, Subject: t0.ID(), Role: entry.RoleSync, Clock: version.MaxClock})
	st.add(late).expect("[A B T]")
	st.add(st.raw(a, Statement{Kind: Revoke, Subject: t0.ID(), Clock: 1})).expect("[A B]")
	if !st.Revoked(t0.ID()) || st.Revoked(b.ID()) {
		t.Fatal("only T is revoked")
	}
}

func TestARevokedDeviceComesBackOnlyThroughAnAdmissionThatKnows(t *testing.T) {
	st := found(t, a).admit(a, b, both).admit(a, t0, both)
	old := st.made(st.Admit(b, Admission{Device: t0.ID(), Role: entry.RoleSync}, st.tick()))
	st.revoke(a, t0).expect("[A B]")
	st.add(old).expect("[A B]")
	st.admit(b, t0, both).expect("[A B T]")
	if m, _ := st.Member(t0.ID()); m.Rights != 0 {
		t.Fatalf("a device that was revoked has rights again: %v", m.Rights)
	}
	st.add(st.rawAdmit(t0, u)).expect("[A B T]")
	st.revoke(a, t0).expect("[A B]") // and again
}

func TestWhoLeftIsBackWhenAdmittedAgainAndItsGuestsStay(t *testing.T) {
	st := found(t, a).admit(a, b, both).admit(b, c, 0)
	st.add(st.made(st.Leave(b, st.tick()))).expect("[A C]")
	if _, err := st.Leave(b, 1); !errors.Is(err, ErrRight) {
		t.Fatalf("left twice: %v", err)
	}
	st.admit(a, b, both).expect("[A B C]")
	if m, _ := st.Member(b.ID()); m.Rights != both {
		t.Fatalf("B has %v", m.Rights)
	}
}

func TestTheFounderCanBeRevokedAndItsGuestsStay(t *testing.T) {
	st := found(t, a).admit(a, b, both).admit(a, c, both).admit(c, d, 0).revoke(b, a).expect("[B C D]")
	st.add(st.rawAdmit(a, u), st.rawRevoke(a, c)).expect("[B C D]")
	if st.Label() != "Documents" {
		t.Fatal("the folder has lost its label with its founder")
	}
	st.admit(c, v, 0).expect("[B C D V]")
}

func TestAThiefsBackdatedStatementsAreVoid(t *testing.T) {
	st := found(t, a).admit(a, t0, both).admit(a, b, both).admit(t0, c, both).revoke(a, t0).expect("[A B C]")
	st.add(st.rawAdmit(t0, u), st.rawAdmit(u, v), st.rawRevoke(t0, b), st.rawRevoke(u, b)).expect("[A B C]")
}

func TestTwoDevicesThatRevokeEachOtherAreBothOut(t *testing.T) {
	st := found(t, a).admit(a, b, both).admit(a, c, both)
	x, y := st.made(st.Revoke(a, b.ID(), 5000)), st.made(st.Revoke(b, a.ID(), 6000))
	st.add(x, y).expect("[C]")
	// The third settles it: its revocation strikes the thief's.
	st.revoke(c, b).expect("[A C]")
}

func TestARevocationOutlivesItsAuthorOnlyIfItWasHeardOf(t *testing.T) {
	st := found(t, a).admit(a, b, both).admit(b, c, both).admit(a, d, 0).revoke(c, d).expect("[A B C]")
	st.revoke(a, c).expect("[A B]") // upholds that D is out
	st = found(t, a).admit(a, b, both).admit(b, c, both).admit(a, d, 0)
	unheard := st.made(st.Revoke(c, d.ID(), st.tick()))
	st.revoke(a, c).add(unheard).expect("[A B D]")
}

func TestADeviceDescribesItselfWithinWhatItWasGranted(t *testing.T) {
	st := found(t, a).admit(a, b, 0)
	st.add(st.made(st.Describe(b, "phone", entry.RoleArchive, 1)))
	if m, _ := st.Member(b.ID()); m.Name != "phone" || m.Role != entry.RoleArchive || m.Granted != entry.RoleSync {
		t.Fatalf("B is %+v", m)
	}
	st.add(st.made(st.Describe(b, "phone", entry.RoleBackup, 1))).add(st.made(st.Describe(b, "phone", entry.RoleSync, 1)))
	if m, _ := st.Member(b.ID()); m.Role != entry.RoleSync {
		t.Fatalf("B is %+v", m)
	}
	st.add(st.made(st.Admit(a, Admission{Device: b.ID(), Name: "nas", Role: entry.RoleBackup}, 1)))
	if _, err := st.Describe(b, "nas", entry.RoleReceive, 1); !errors.Is(err, ErrRight) {
		t.Fatalf("a backup device chose to hold the key: %v", err)
	}
	st.add(st.raw(b, Statement{Kind: Describe, Name: "sly", Role: entry.RoleSync, Clock: version.MaxClock}))
	if m, _ := st.Member(b.ID()); m.Role != entry.RoleBackup || m.Name != "sly" {
		t.Fatalf("B is %+v", m)
	}
}

func TestReplicasBelongToWhoClaimedThemAndMembersGoFirst(t *testing.T) {
	st := found(t, a).admit(a, b, 0).admit(a, t0, 0)
	st.add(st.made(st.Claim(b, 7, st.tick())), st.made(st.Claim(b, 9, st.tick())))
	if got := st.Replicas(b.ID()); !slices.Equal(got, []version.ReplicaID{7, 9}) {
		t.Fatalf("B's replicas are %v", got)
	}
	st.revoke(a, t0).add(st.raw(t0, Statement{Kind: Replica, Replica: 7}), st.raw(t0, Statement{Kind: Replica, Replica: 8}))
	for replica, want := range map[version.ReplicaID]device{7: b, 9: b, 8: t0} {
		if got, ok := st.DeviceOf(replica); !ok || got != want.ID() {
			t.Errorf("replica %s is of %s", replica, letters[got])
		}
	}
	if _, ok := st.DeviceOf(99); ok {
		t.Error("nobody claimed replica 99")
	}
}

func TestNobodyFoundsAFolderAgain(t *testing.T) {
	st := found(t, a)
	s := st.raw(t0, Statement{Kind: Found, Role: entry.RoleSync, Rights: Every, Label: "Mine", Payload: make([]byte, saltSize)})
	if _, added, refused := st.Add(s); len(added) != 0 || len(refused) != 1 || !errors.Is(refused[0], ErrFolder) {
		t.Fatalf("a second founding: %v", refused)
	}
}

func TestKindsAndRolesOfLaterVersionsAreKeptWithoutEffect(t *testing.T) {
	st := found(t, a)
	before := st.Digest()
	later := st.raw(a, Statement{Kind: 77, Subject: b.ID(), Role: 99, Name: "x", Rights: 1 << 30, Payload: []byte("new")})
	role := st.raw(a, Statement{Kind: Admit, Subject: b.ID(), Role: 99})
	st.add(later, role).expect("[A]")
	if len(st.Statements()) != 3 || st.Digest() == before {
		t.Fatal("a later kind is not passed on")
	}
}

func TestStatementsOfStrangersCountOnceTheirAuthorIsAdmitted(t *testing.T) {
	st := found(t, a)
	digest := st.Digest()
	st.add(st.rawAdmit(b, c)).expect("[A]")
	if st.Digest() != digest || len(st.Statements()) != 1 {
		t.Fatal("a stranger's statement is passed on")
	}
	st.admit(a, b, both).expect("[A B C]")
	if len(st.Statements()) != 3 {
		t.Fatal("statements are missing")
	}
}

func TestAddTellsWhatWasNews(t *testing.T) {
	st := found(t, a)
	s := st.rawAdmit(a, b)
	_, added, refused := st.Add(s, s, st.Statements()[0])
	if len(added) != 1 || len(refused) != 0 || added[0].ID() != s.ID() {
		t.Fatalf("added %v, refused %v", added, refused)
	}
}

func TestTheZeroRosterHasNobodyAndTakesNothing(t *testing.T) {
	var r Roster
	st := found(t, a)
	if r, added, refused := r.Add(st.Statements()...); len(r.Members()) != 0 || len(added) != 0 || len(refused) != 1 {
		t.Fatal("the zero roster took a statement")
	}
	if _, ok := r.Member(a.ID()); ok || r.Founded() || r.Revoked(a.ID()) || len(r.Replicas(a.ID())) != 0 {
		t.Fatal("the zero roster knows somebody")
	}
	if _, err := r.Revoke(a, b.ID(), 1); !errors.Is(err, ErrRight) {
		t.Fatal(err)
	}
}

func TestARosterCannotBeChangedThroughWhatItGaveOut(t *testing.T) {
	st := found(t, a).admit(a, b, both).revoke(a, b)
	digest := st.Digest()
	for _, s := range st.Statements() {
		clear(s.Signature)
		clear(s.Payload)
		clear(s.Knows)
	}
	for i, s := range st.Statements() {
		if !verify(s.Author, s.Bytes(), s.Signature) {
			t.Fatalf("statement %d changed", i)
		}
	}
	if st.Digest() != digest {
		t.Fatal("the digest changed")
	}
}

func TestAClaimCountsUntilItsDeviceIsOutAndAgainWhenItIsMadeAnew(t *testing.T) {
	for name, out := range map[string]func(*story){
		"left":    func(st *story) { st.add(st.made(st.Leave(b, st.tick()))) },
		"put out": func(st *story) { st.revoke(a, b) },
	} {
		st := found(t, a).admit(a, b, 0)
		if len(st.Claimed(b.ID())) != 0 {
			t.Fatalf("%s: before anything was claimed", name)
		}
		st.add(st.made(st.Claim(b, 7, st.tick())))
		if got := st.Claimed(b.ID()); !slices.Equal(got, []version.ReplicaID{7}) {
			t.Fatalf("%s: claimed %v", name, got)
		}
		out(st)
		st.admit(a, b, 0)
		if got := st.Claimed(b.ID()); len(got) != 0 || len(st.Replicas(b.ID())) != 1 {
			t.Errorf("%s: admitted again, it has joined already: %v", name, got)
		}
		st.add(st.made(st.Claim(b, 7, st.tick())))
		if got := st.Claimed(b.ID()); !slices.Equal(got, []version.ReplicaID{7}) {
			t.Errorf("%s: it claimed again, %v", name, got)
		}
	}
}
