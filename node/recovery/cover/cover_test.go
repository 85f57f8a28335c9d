package cover_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/epochs"
	"github.com/kithmesh/kith/node/identity"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/node/recovery/cover"
	"github.com/kithmesh/kith/node/recovery/recoverytest"
)

// run has a device make the statements that are lacking, and the folder take
// them.
func run(f *recoverytest.Folder, by *identity.Identity, keys recoverytest.Keys, own recovery.Public, replaced ...entry.DeviceID) *cover.Cover {
	f.T.Helper()
	c := &cover.Cover{By: by, Roster: f.Roster, Keys: keys, Own: own, Replaced: replaced}
	if err := c.Run(); err != nil {
		f.T.Fatal(err)
	}
	r, added, refused := f.Add(c.Said...)
	if len(added) != len(c.Said) || len(refused) > 0 || r.Digest() != c.Roster.Digest() {
		f.T.Fatalf("of %d statements others take %d: %v", len(c.Said), len(added), refused)
	}
	f.Roster = r
	return c
}

// both are all of two maps.
func both(a, b recoverytest.Keys) recoverytest.Keys {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func TestTheWordsOfADeviceOpenAllKeysAndEachMemberSeesToThatOnce(t *testing.T) {
	laptop, phone := recoverytest.Device(t), recoverytest.Device(t)
	words := recoverytest.Secret(t)
	f := recoverytest.New(t, laptop, "docs")
	f.Admit(laptop, phone, "phone", entry.RoleSync, roster.Every)
	keys := recoverytest.Founding(1)
	if c := run(f, laptop, keys, words.Public()); len(c.Said) != 1 || c.Ended || !f.IsRecovery(words.Public().Device()) {
		t.Fatalf("the first time: %d statements", len(c.Said))
	}
	if n, all := cover.Opens(words, f.Roster, keys); n != 1 || !all {
		t.Errorf("the words open %d keys", n)
	}
	if c := run(f, laptop, keys, words.Public()); len(c.Said) != 0 {
		t.Errorf("once more: %d statements", len(c.Said))
	}
	keys = both(keys, recoverytest.After(0, 2))
	if n, all := cover.Opens(words, f.Roster, keys); n != 1 || all {
		t.Errorf("without the new key they open %d, all: %v", n, all)
	}
	// The phone cannot see whether the laptop sealed what it says.
	if c := run(f, phone, keys, recovery.Public{}); len(c.Said) != 1 {
		t.Errorf("the phone: %d statements", len(c.Said))
	}
	if c := run(f, laptop, keys, words.Public()); len(c.Said) != 1 {
		t.Errorf("a new key: %d statements", len(c.Said))
	}
	if n, all := cover.Opens(words, f.Roster, keys); n != 2 || !all {
		t.Errorf("of both keys the words open %d", n)
	}
}

func TestWhoMayNotMakesNoWordsAndWhatWasRevokedStaysSo(t *testing.T) {
	laptop, viewer, nas := recoverytest.Device(t), recoverytest.Device(t), recoverytest.Device(t)
	words := recoverytest.Secret(t)
	f := recoverytest.New(t, laptop, "docs")
	f.Admit(laptop, viewer, "viewer", entry.RoleReceive, 0)
	f.Admit(laptop, nas, "nas", entry.RoleBackup, 0)
	keys := recoverytest.Founding(1)
	for name, by := range map[string]*identity.Identity{"who receives only": viewer, "a backup": nas, "a stranger": recoverytest.Device(t)} {
		if c := run(f, by, keys, words.Public()); len(c.Said) != 0 {
			t.Errorf("%s: %d statements", name, len(c.Said))
		}
	}
	run(f, laptop, keys, words.Public())
	if c := run(f, viewer, keys, recovery.Public{}); len(c.Said) != 1 {
		t.Error("who receives only keeps no keys")
	}
	f.Revoke(laptop, words.Public().Device())
	if c := run(f, laptop, keys, words.Public()); len(c.Said) != 0 || f.IsRecovery(words.Public().Device()) {
		t.Errorf("after they were revoked: %d statements", len(c.Said))
	}
	if n, all := cover.Opens(words, f.Roster, keys); n != 1 || all {
		t.Errorf("revoked words open %d keys, in force: %v", n, all)
	}
}

func TestNewWordsEndThoseBeforeAndThoseOfWhoIsGone(t *testing.T) {
	laptop, phone, gone := recoverytest.Device(t), recoverytest.Device(t), recoverytest.Device(t)
	old, theirs, orphan, next := recoverytest.Secret(t), recoverytest.Secret(t), recoverytest.Secret(t), recoverytest.Secret(t)
	f := recoverytest.New(t, laptop, "docs")
	f.Admit(laptop, phone, "phone", entry.RoleSync, roster.Every)
	f.Admit(laptop, gone, "gone", entry.RoleSync, roster.Every)
	keys := recoverytest.Founding(1)
	run(f, laptop, keys, old.Public())
	run(f, phone, keys, theirs.Public())
	f.Recover(gone, orphan, keys)
	f.Say(f.Leave(gone, f.Now()))
	replaced := cover.Superseded(f.Roster, laptop.ID())
	want := []entry.DeviceID{old.Public().Device(), orphan.Public().Device()}
	slices.Sort(want)
	if !slices.Equal(replaced, want) {
		t.Fatalf("%d words are superseded", len(replaced))
	}
	// As long as the new ones are not in force, the old ones stay.
	early := &cover.Cover{By: phone, Roster: f.Roster, Keys: keys, Replaced: replaced}
	if err := early.Run(); err != nil || early.Ended {
		t.Errorf("without new words: %v", err)
	}
	c := run(f, laptop, keys, next.Public(), replaced...)
	if !c.Ended || epochs.Removals(f.Statements()) != 2 {
		t.Errorf("%d are ended", epochs.Removals(f.Statements()))
	}
	for name, s := range map[string]*recovery.Secret{"old": old, "orphaned": orphan} {
		if f.IsRecovery(s.Public().Device()) {
			t.Errorf("the %s words are still in force", name)
		}
	}
	if !f.IsRecovery(theirs.Public().Device()) || !f.IsRecovery(next.Public().Device()) {
		t.Error("words that nobody replaced are not in force")
	}
	if c := run(f, laptop, keys, next.Public(), replaced...); c.Ended || len(c.Said) > 0 {
		t.Error("they are ended twice")
	}
}

// Whoever may make words makes many: keys are kept for this device's own and the
// earliest of the others, and for no more.
func TestKeysAreKeptForFewWordsTheOwnFirst(t *testing.T) {
	laptop, phone := recoverytest.Device(t), recoverytest.Device(t)
	f := recoverytest.New(t, laptop, "docs")
	f.Admit(laptop, phone, "phone", entry.RoleSync, roster.Every)
	keys := recoverytest.Founding(1)
	var all []*recovery.Secret
	for range cover.MaxWords + 2 {
		s := recoverytest.Secret(t)
		f.Recover(phone, s, keys)
		all = append(all, s)
	}
	own := recoverytest.Secret(t)
	c := run(f, laptop, keys, own.Public())
	if len(c.Said) != cover.MaxWords { // one of which made its own
		t.Fatalf("%d statements", len(c.Said))
	}
	for i, s := range all {
		kept := slices.ContainsFunc(f.SealedTo(s.Public().Device()), func(k roster.SealedKeys) bool { return k.Author == laptop.ID() })
		if kept != (i < cover.MaxWords-1) {
			t.Errorf("words %d: kept %v", i, kept)
		}
	}
}

func TestAMemberThatHasSaidALotKeepsNoMoreAndSaysSo(t *testing.T) {
	laptop, words := recoverytest.Device(t), recoverytest.Secret(t)
	f := recoverytest.New(t, laptop, "docs")
	keys := recoverytest.Founding(1)
	run(f, laptop, keys, words.Public())
	var many []roster.Statement
	r := f.Roster
	for i := range roster.MaxByAuthor - 128 {
		st, err := roster.Statement{
			Kind: roster.Revoke, Folder: f.Folder(), Author: laptop.ID(), Subject: entry.DeviceID("nobody" + string(rune('a'+i%26)) + string(rune('a'+i/26))), Clock: f.Now(),
		}.Sign(laptop)
		if err != nil {
			t.Fatal(err)
		}
		many = append(many, st)
	}
	f.Roster, _, _ = r.Add(many...)
	c := &cover.Cover{By: laptop, Roster: f.Roster, Keys: both(keys, recoverytest.After(1, 2)), Own: words.Public()}
	if err := c.Run(); err == nil || len(c.Said) > 0 {
		t.Errorf("%d statements, %v", len(c.Said), err)
	}
	if p := cover.Problems(f.Roster, c.Keys, name); len(p) != 1 || p[0].Code != "recovery_incomplete" {
		t.Errorf("a person sees %+v", p)
	}
}
