package rescue_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery/recoverytest"
	"github.com/kithmesh/kith/node/recovery/rescue"
)

func labels(folders []rescue.Folder) (out []string) {
	for _, f := range folders {
		out = append(out, f.Label)
	}
	return out
}

// mesh is a folder of a laptop and a backup, and words that open it.
func mesh(t testing.TB, label string) (f *recoverytest.Folder, laptop, nas *identity.Identity) {
	t.Helper()
	laptop, nas = recoverytest.Device(t), recoverytest.Device(t)
	f = recoverytest.New(t, laptop, label)
	f.Admit(laptop, nas, "nas", entry.RoleBackup, 0)
	return f, laptop, nas
}

func TestOnlyFoldersInWhichTheWordsAreInForceAreOpened(t *testing.T) {
	in(t, func(t *testing.T) {
		words, others := recoverytest.Secret(t), recoverytest.Secret(t)
		open, laptop, nas := mesh(t, "open")
		open.Recover(laptop, words, recoverytest.Founding(1))
		also, laptop2, _ := mesh(t, "also")
		also.Recover(laptop2, words, recoverytest.Founding(2))
		foreign, laptop3, _ := mesh(t, "foreign")
		foreign.Recover(laptop3, others, recoverytest.Founding(3))
		ended, laptop4, _ := mesh(t, "ended")
		ended.Recover(laptop4, words, recoverytest.Founding(4))
		ended.Revoke(laptop4, words.Public().Device())
		keyless, laptop5, _ := mesh(t, "keyless")
		keyless.Recover(laptop5, words, recoverytest.After(7, 5))

		x := rescue.New(words)
		newMember(nas.ID(), open.Roster, also.Roster, foreign.Roster, ended.Roster, keyless.Roster).meet(t.Context(), t, x)
		listed(t, x, 1)
		opened, left := x.Folders()
		if got := labels(opened); !slices.Equal(got, []string{"also", "open"}) {
			t.Errorf("opened: %q", got)
		}
		if got := labels(left); !slices.Equal(got, []string{"keyless"}) {
			t.Errorf("left: %q", got)
		}
		if k := opened[1].Keys; len(k) != 1 || k[1][0] != recoverytest.Founding(1)[1] {
			t.Errorf("keys of %d epochs", len(k))
		}
		if want := []rescue.Teller{{ID: nas.ID(), Name: "name of " + string(nas.ID())}}; !slices.Equal(opened[0].Tellers, want) {
			t.Errorf("it is told by %v", opened[0].Tellers)
		}
		made := opened[1].Made(words.Public(), recoverytest.Began.AddDate(1, 0, 0))
		if want := open.Recoveries()[0].Clock.Time(); !made.Equal(want) || !opened[1].Made(words.Public(), recoverytest.Began).Equal(recoverytest.Began) {
			t.Errorf("made %v, not %v", made, want)
		}
	})
}

// What witnesses know counts together; what one of them makes up does not.
func TestRostersThatDifferCountTogetherAndALieCountsForNothing(t *testing.T) {
	in(t, func(t *testing.T) {
		words := recoverytest.Secret(t)
		f, laptop, nas := mesh(t, "docs")
		old := f.Roster
		f.Recover(laptop, words, recoverytest.Founding(1))
		made := f.Roster
		phone := recoverytest.Device(t)
		f.Admit(laptop, phone, "phone", entry.RoleSync, roster.Every)

		// The liar is no member: it says that it is one, and the laptop none.
		liar := recoverytest.Device(t)
		var lies []roster.Statement
		for _, st := range []roster.Statement{
			{Kind: roster.Admit, Folder: f.Folder(), Author: liar.ID(), Subject: liar.ID(), Role: entry.RoleSync, Rights: roster.Every, Name: "laptop", Clock: f.Now()},
			{Kind: roster.Revoke, Folder: f.Folder(), Author: liar.ID(), Subject: laptop.ID(), Clock: f.Now()},
			{Kind: roster.Revoke, Folder: f.Folder(), Author: liar.ID(), Subject: words.Public().Device(), Clock: f.Now()},
		} {
			st, err := st.Sign(liar)
			if err != nil {
				t.Fatal(err)
			}
			lies = append(lies, st)
		}
		lying, _, _ := old.Add(lies...)

		x := rescue.New(words)
		newMember(liar.ID(), lying).meet(t.Context(), t, x)
		listed(t, x, 1)
		if opened, _ := x.Folders(); len(opened) != 0 {
			t.Errorf("before anybody told of the words: %q", labels(opened))
		}
		newMember(nas.ID(), made).meet(t.Context(), t, x)
		newMember("12D3KooWother", f.Roster).meet(t.Context(), t, x)
		listed(t, x, 3)
		opened, _ := x.Folders()
		if len(opened) != 1 || len(opened[0].Tellers) != 3 {
			t.Fatalf("%+v", opened)
		}
		var members []entry.DeviceID
		for _, m := range opened[0].Roster.Members() {
			members = append(members, m.Device)
		}
		want := []entry.DeviceID{laptop.ID(), nas.ID(), phone.ID()}
		slices.Sort(want)
		if slices.Sort(members); !slices.Equal(members, want) {
			t.Errorf("members: %v", members)
		}
	})
}

func TestWhatTheWordsSayIsTakenByAWitnessAndToldOnlyOfFoldersThatItTold(t *testing.T) {
	in(t, func(t *testing.T) {
		words := recoverytest.Secret(t)
		docs, laptop, nas := mesh(t, "docs")
		docs.Recover(laptop, words, recoverytest.Founding(1))
		photos, laptop2, _ := mesh(t, "photos")
		photos.Recover(laptop2, words, recoverytest.Founding(1))
		x := rescue.New(words)
		one, two := newMember(nas.ID(), docs.Roster), newMember("12D3KooWother", photos.Roster)
		one.deaf = make(chan struct{})
		one.meet(t.Context(), t, x)
		two.meet(t.Context(), t, x)
		listed(t, x, 2)
		if !x.Taken(docs.Folder()) {
			t.Error("what a witness told is not known to it")
		}
		fresh := recoverytest.Device(t)
		if err := x.Admit(docs.Folder(), fresh.ID(), "fresh"); err != nil {
			t.Fatal(err)
		}
		if err := x.Revoke(docs.Folder(), laptop.ID()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if x.Taken(docs.Folder()) {
			t.Error("taken before it could be")
		}
		close(one.deaf)
		if !x.Await(t.Context(), time.Minute, func() bool { return x.Taken(docs.Folder()) }) {
			t.Fatal("nobody has taken it")
		}
		r := one.knows(docs.Folder())
		m, in := r.Member(fresh.ID())
		if _, still := r.Member(laptop.ID()); !in || still || m.Role != entry.RoleSync || m.Rights != roster.Every || m.Name != "fresh" {
			t.Errorf("the backup knows %+v, and the laptop: %v", m, still)
		}
		if r.Digest() != x.Roster(docs.Folder()).Digest() {
			t.Error("the two do not know the same")
		}
		if one.was(photos.Folder()) || two.was(docs.Folder()) || len(two.knows(docs.Folder()).Statements()) > 0 {
			t.Error("a witness was told of a folder that it did not tell of")
		}
		if err := x.Revoke(entry.FolderID{1}, laptop.ID()); err == nil {
			t.Error("the words speak of a folder that nobody told of")
		}
	})
}

func TestWhoCanReadAndWasNotMetIsAbsent(t *testing.T) {
	in(t, func(t *testing.T) {
		words := recoverytest.Secret(t)
		docs, laptop, nas := mesh(t, "docs")
		docs.Recover(laptop, words, recoverytest.Founding(1))
		phone, fresh := recoverytest.Device(t), recoverytest.Device(t)
		docs.Admit(laptop, phone, "phone", entry.RoleReceive, 0)
		other, tablet, _ := mesh(t, "other")
		other.Recover(tablet, words, recoverytest.Founding(1))
		other.Admit(tablet, fresh, "fresh", entry.RoleSync, roster.Every)
		x := rescue.New(words)
		newMember(nas.ID(), docs.Roster, other.Roster).meet(t.Context(), t, x)
		newMember(phone.ID(), docs.Roster).meet(t.Context(), t, x)
		listed(t, x, 2)
		opened, _ := x.Folders()
		members := rescue.Members(opened, fresh.ID())
		if len(members) != 5 || !x.Met(nas.ID()) || x.Met(laptop.ID()) {
			t.Fatalf("%d members", len(members))
		}
		var absent []entry.DeviceID
		for _, m := range x.Absent(members) {
			absent = append(absent, m.Device)
		}
		want := []entry.DeviceID{laptop.ID(), tablet.ID()}
		if slices.Sort(want); !slices.Equal(absent, want) {
			t.Errorf("absent: %v, not %v", absent, want)
		}
	})
}

func TestAWitnessIsNotReadyBeforeItHasToldTheRosters(t *testing.T) {
	in(t, func(t *testing.T) {
		words := recoverytest.Secret(t)
		f, laptop, nas := mesh(t, "docs")
		f.Recover(laptop, words, recoverytest.Founding(1))
		x := rescue.New(words)
		if x.Await(t.Context(), 3*time.Second, func() bool { return len(x.Listed()) > 0 }) || !x.QuietFor(3*time.Second) {
			t.Error("somebody was met who is not there")
		}
		slow := newMember(nas.ID(), f.Roster)
		slow.until = make(chan struct{})
		slow.meet(t.Context(), t, x)
		if !x.Await(t.Context(), time.Minute, func() bool { return len(x.Listed()) == 1 }) || x.QuietFor(time.Second) {
			t.Error("it was not heard")
		}
		synctest.Wait()
		if opened, left := x.Folders(); len(opened)+len(left) > 0 || x.Ready() {
			t.Errorf("it has told %q, %q, ready: %v", labels(opened), labels(left), x.Ready())
		}
		close(slow.until)
		listed(t, x, 1)
		if opened, _ := x.Folders(); len(opened) != 1 {
			t.Errorf("then it has told %q", labels(opened))
		}
	})
}

func TestWaitingEndsWithItsContextAndByAChange(t *testing.T) {
	in(t, func(t *testing.T) {
		x := rescue.New(recoverytest.Secret(t))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if x.Await(ctx, time.Hour, func() bool { return false }) {
			t.Error("what is not so was found so")
		}
		begun, looks := time.Now(), 0
		x.Changed() // between two looks: it is seen at the next
		if !x.Await(t.Context(), time.Hour, func() bool {
			if looks++; looks == 1 {
				x.Changed()
			}
			return looks == 2
		}) || time.Since(begun) > 0 {
			t.Errorf("a change was slept over for %v", time.Since(begun))
		}
	})
}
