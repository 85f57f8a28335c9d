package node_test

import (
	"errors"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// three are devices of which the second was admitted by the first, and the
// third by the second: the first and the third have never been paired.
func three(t testing.TB) (a, b, c *device) {
	t.Helper()
	a, b, c = start(t, "anna"), start(t, "bert"), start(t, "cleo")
	addFolder(t, a)
	b.join(a)
	c.join(b)
	meet(t, a, b, c)
	return a, b, c
}

func TestMembersThatWereNeverPairedMeet(t *testing.T) {
	t.Parallel()
	a, b, c := three(t)
	for d, o := range map[*device]*device{a: c, c: a} {
		if p, _ := d.peer(o); p.Name != o.name {
			t.Errorf("%s calls %s %q", d.name, o.name, p.Name)
		}
	}
	b.down()
	exchange(t, "while the one between is down", a, c)
	same(t, a, c)
	// None of the addresses holds any more: who was between them tells the new.
	down(a, c)
	again(nil, b)
	again([]*device{b}, a, c)
	meet(t, a, b, c)
	exchange(t, "all up again", a, b, c)
}

func TestWhoIsNotThereIsKnownByNameAndLastSeen(t *testing.T) {
	t.Parallel()
	a, b, c := start(t, "anna"), start(t, "bert"), start(t, "cleo")
	addFolder(t, a)
	b.join(a)
	until(t, "the member", func() bool { return b.counts(a) })
	a.down()
	c.join(b)
	meet(t, b, c)
	c.down()
	again([]*device{b}, a)
	until(t, "the name of one that was never met", func() bool { p, ok := a.peer(c); return ok && p.Name == "cleo" && !p.Connected })
	until(t, "when another has last seen it", func() bool { p, _ := a.peer(c); return !p.LastSeen.IsZero() })
	if m := a.member(c); m.Name != "cleo" || m.Connected || m.Role != entry.RoleSync {
		t.Errorf("as a member it is %+v", m)
	}
}

func TestANewNameTravelsAtOnce(t *testing.T) {
	t.Parallel()
	a, b, c := three(t)
	if _, err := b.Rename(t.Context(), control.RenameRequest{Device: "cleo", Name: "my own name for it"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Rename(t.Context(), control.RenameRequest{Device: string(c.id), Name: "cleopatra"}); err != nil {
		t.Fatal(err)
	}
	until(t, "the new name", func() bool { p, _ := a.peer(c); return p.Name == "cleopatra" && a.member(c).Name == "cleopatra" })
	if p, _ := b.peer(c); p.Name != "my own name for it" {
		t.Errorf("what a person calls it has become %q", p.Name)
	}
}

// TestWhatIsKnownOfAnAcquaintanceSurvivesARestart of a device with two
// folders: while it starts there is a moment at which it has only the other.
func TestWhatIsKnownOfAnAcquaintanceSurvivesARestart(t *testing.T) {
	t.Parallel()
	a, b, c := three(t)
	for range 3 {
		if _, err := a.AddFolder(t.Context(), control.AddRequest{Path: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Rename(t.Context(), control.RenameRequest{Device: "cleo", Name: "my own name for it"}); err != nil {
		t.Fatal(err)
	}
	before, _ := a.peer(c)
	down(a, b, c)
	a.up()
	if p, ok := a.peer(c); !ok || p.Name != "my own name for it" || p.Addr == "" || before.LastSeen.Sub(p.LastSeen) > time.Minute {
		t.Errorf("of the third it knew %+v, and now %+v", before, p)
	}
}

func TestAnUnsharedDeviceStaysOut(t *testing.T) {
	t.Parallel()
	a, b, c := three(t) // c is known to a through the folder alone, and paired with b
	exchange(t, "as members", a, b, c)
	down(b, c) // who has not heard, and who is put out
	a.unshare(c)
	if _, known := a.peer(c); known {
		t.Error("whoever was known through the folder alone is known still")
	}
	a.down()

	// Two that have not heard go on: nothing else can be asked of them.
	again(nil, b, c)
	exchange(t, "not heard yet", b, c)

	again([]*device{b, c}, a)
	until(t, "the other member to have heard", func() bool { return !b.counts(c) })
	if p, ok := b.peer(c); !ok || !p.Connected {
		t.Error("a paired device is not paired any more after unshare")
	}
	until(t, "the removed device to say so", func() bool { return c.folder().State == control.StateError })
	stays := func(what string) {
		t.Helper()
		c.write(what+": from outside", what)
		if _, err := c.ScanFolders(t.Context(), "docs"); err != nil {
			t.Fatal(err)
		}
		exchange(t, what, a, b)
		settled(t, a, b)
		if !a.gone(what+": from outside") || !b.gone(what+": from outside") {
			t.Errorf("%s: a change of the removed device has come in", what)
		}
		if !c.gone(what+" of anna") || !c.gone(what+" of bert") {
			t.Errorf("%s: the removed device was told of a change", what)
		}
		if p, known := a.peer(c); known {
			t.Errorf("%s: the first knows the removed device: %+v", what, p)
		}
		if c.member(a).Connected {
			t.Errorf("%s: the removed device is connected with the first", what)
		}
	}
	stays("heard")

	down(a, b, c)
	again(nil, b, c)
	again([]*device{b, c}, a)
	meet(t, a, b)
	meet(t, b, c)
	stays("after all have restarted")

	// And the other way round: the removed device is the one that calls.
	c.down()
	c.finds(a, b)
	c.up()
	meet(t, b, c)
	stays("when it calls")
}

func TestARevokedDeviceIsNoLongerPaired(t *testing.T) {
	t.Parallel()
	a, b, c := start(t, "anna"), start(t, "bert"), start(t, "cleo")
	addFolder(t, a)
	b.join(a)
	c.join(a)
	b.pair(c)
	meet(t, a, b, c)
	exchange(t, "as members", a, b, c)
	gone, err := a.Revoke(t.Context(), "cleo")
	if err != nil {
		t.Fatal(err)
	}
	if gone.Name != "cleo" || len(gone.Folders) != 1 || len(gone.Kept) != 0 {
		t.Errorf("the revocation came to %+v", gone)
	}
	if _, known := a.peer(c); known {
		t.Error("it is paired still where it was revoked")
	}
	until(t, "the other member to have heard", func() bool { return !b.counts(c) })
	if _, known := b.peer(c); !known {
		t.Error("a pairing of others has ended")
	}
	until(t, "it to know itself", func() bool { return c.folder().State == control.StateError })
	down(a, c)
	again([]*device{b}, a)
	again([]*device{a, b}, c)
	meet(t, a, b)
	meet(t, b, c)
	c.write("from outside", "x")
	if _, err := c.ScanFolders(t.Context(), "docs"); err != nil {
		t.Fatal(err)
	}
	exchange(t, "later", a, b)
	if _, known := a.peer(c); known || !a.gone("from outside") || !b.gone("from outside") || !c.gone("later of anna") {
		t.Error("the revoked device is in again")
	}
	if _, err := a.Revoke(t.Context(), "cleo"); !errors.Is(err, control.ErrNoDevice) {
		t.Errorf("revoked once more: %v", err)
	}
}

func TestWhoWasPutOutCanBeAdmittedAgain(t *testing.T) {
	t.Parallel()
	a, b, c := start(t, "anna"), start(t, "bert"), start(t, "cleo")
	addFolder(t, a)
	b.join(a)
	c.join(a)
	meet(t, a, b, c)
	exchange(t, "as members", a, b, c)
	a.unshare(c)
	until(t, "it to know", func() bool { return c.folder().State == control.StateError })
	a.write("meanwhile", "sealed with a new key")
	exchange(t, "without it", a, b)
	if !c.gone("meanwhile") {
		t.Error("it was told of a change")
	}
	if _, err := a.Share(t.Context(), control.ShareRequest{Folder: "docs", Device: "cleo"}); err != nil {
		t.Fatal(err)
	}
	until(t, "what it has missed", func() bool { return c.holds("meanwhile", "sealed with a new key") })
	meet(t, a, b, c)
	exchange(t, "all together again", a, b, c)
	settled(t, a, b, c)
	same(t, a, b, c)
}

func TestWhoOnlyReceivesDecidesAboutNobody(t *testing.T) {
	t.Parallel()
	a, b, c := start(t, "anna"), start(t, "bert"), start(t, "cleo")
	addFolder(t, a)
	a.pair(b)
	b.pair(c)
	if _, err := a.Share(t.Context(), control.ShareRequest{Folder: "docs", Device: "bert", Role: entry.RoleReceive}); err != nil {
		t.Fatal(err)
	}
	until(t, "an offer", func() bool { o, err := b.Offers(t.Context()); return err == nil && len(o) == 1 })
	if _, err := b.AcceptOffer(t.Context(), control.AcceptRequest{Folder: "docs", Path: b.root}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Share(t.Context(), control.ShareRequest{Folder: "docs", Device: "cleo"}); err == nil {
		t.Error("it has admitted another")
	}
	if _, err := b.Unshare(t.Context(), control.UnshareRequest{Folder: "docs", Device: "anna"}); err == nil {
		t.Error("it has put out another")
	}
	r, err := b.Revoke(t.Context(), "anna")
	if err != nil || len(r.Folders) != 0 || len(r.Kept) != 1 {
		t.Errorf("its revocation came to %+v, %v", r, err)
	}
	a.write("there", "all the same") // it is met for the folder alone now
	until(t, "the file", func() bool { return b.holds("there", "all the same") })
	if o, err := c.Offers(t.Context()); err != nil || len(o) > 0 || !a.counts(b) || a.counts(c) {
		t.Errorf("an offer: %v, %v", o, err)
	}
}

func TestOthersSeeTheRoleThatADeviceTakes(t *testing.T) {
	t.Parallel()
	a, b, c := three(t)
	for _, role := range []entry.Role{entry.RoleReceive, entry.RoleArchive, entry.RoleSend, entry.RoleSync} {
		if _, err := c.SetRole(t.Context(), control.RoleRequest{Folder: "docs", Role: role}); err != nil {
			t.Fatal(err)
		}
		if got := c.folder().Role; got != role {
			t.Errorf("as %s it says %s of itself", role, got)
		}
		for _, d := range []*device{a, b} {
			until(t, "the role "+role.String(), func() bool { return d.member(c).Role == role })
		}
	}
	exchange(t, "with the last role", a, b, c)
}

func TestAnOfferCanBeTakenInAnotherRole(t *testing.T) {
	t.Parallel()
	a, b := start(t, "anna"), start(t, "bert")
	addFolder(t, a)
	a.write("there", "before")
	a.pair(b)
	if _, err := a.Share(t.Context(), control.ShareRequest{Folder: "docs", Device: "bert"}); err != nil {
		t.Fatal(err)
	}
	until(t, "an offer", func() bool {
		o, err := b.Offers(t.Context())
		return err == nil && len(o) == 1 && o[0].Role == entry.RoleSync
	})
	f, err := b.AcceptOffer(t.Context(), control.AcceptRequest{Folder: "docs", Path: b.root, Role: entry.RoleReceive})
	if err != nil {
		t.Fatal(err)
	}
	if f.Role != entry.RoleReceive {
		t.Errorf("accepted as %s", f.Role)
	}
	until(t, "the other to know", func() bool { return a.member(b).Role == entry.RoleReceive })
	until(t, "the file", func() bool { return b.holds("there", "before") })
	b.write("of its own", "stays here")
	until(t, "the edit to be seen", func() bool { return b.folder().LocalEdits == 1 })
	b.down()
	again([]*device{a}, b)
	a.write("after", "a restart")
	until(t, "the next file", func() bool { return b.holds("after", "a restart") })
	if b.folder().Role != entry.RoleReceive || !a.gone("of its own") {
		t.Error("the role did not last")
	}
}
