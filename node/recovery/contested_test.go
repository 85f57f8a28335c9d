package recovery_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/index/roster"
	"github.com/kithmesh/kith/node/epochs"
	"github.com/kithmesh/kith/node/recovery"
	"github.com/kithmesh/kith/node/recovery/recoverytest"
	"github.com/kithmesh/kith/protocol/seal"
)

// one is the only epoch of some keys, and its key.
func one(keys recoverytest.Keys) (entry.Epoch, seal.FolderKey) {
	for e, k := range keys {
		return e, k
	}
	return 0, seal.FolderKey{}
}

func TestWhatMembersOfTodayHaveSealedComesFirstAndThenTheEarliest(t *testing.T) {
	laptop, phone, thief := recoverytest.Device(t), recoverytest.Device(t), recoverytest.Device(t)
	words := recoverytest.Secret(t)
	f := recoverytest.New(t, laptop, "docs")
	f.Admit(laptop, phone, "phone", entry.RoleSync, roster.Every)
	f.Admit(laptop, thief, "thief", entry.RoleSync, roster.Every)
	lie, late, truth := recoverytest.Founding(66), recoverytest.Founding(67), recoverytest.Founding(1)
	f.Recover(laptop, words, recoverytest.After(1, 9)) // there is no such generation yet
	f.Keep(thief, words, lie)
	f.Keep(phone, words, truth)
	f.Keep(laptop, words, late)
	got := words.Candidates(f.Roster)
	if want := []seal.FolderKey{lie[1], truth[1], late[1]}; len(got) != 1 || !slices.Equal(got[1], want) {
		t.Errorf("of all members: %d epochs, %d keys", len(got), len(got[1]))
	}
	f.Revoke(laptop, thief.ID())
	got = words.Candidates(f.Roster)
	if want := []seal.FolderKey{truth[1], late[1], lie[1]}; !slices.Equal(got[1], want) {
		t.Error("who was put out is believed before members")
	}
	if e, k := one(recoverytest.After(1, 9)); !slices.Equal(got[e], []seal.FolderKey{k}) {
		t.Error("the key of the removal that has come is not among them")
	}
}

func TestAKeyUnderANameThatIsNotItsOwnIsNoCandidate(t *testing.T) {
	laptop, words := recoverytest.Device(t), recoverytest.Secret(t)
	f := recoverytest.New(t, laptop, "docs")
	e, k := one(recoverytest.After(1, 3))
	f.Recover(laptop, words, recoverytest.Keys{1: {1}, e ^ 1: k, epochs.Name(0, k): k})
	f.Admit(laptop, recoverytest.Device(t), "phone", entry.RoleSync, roster.Every)
	for _, m := range f.Members() {
		if m.Device != laptop.ID() {
			f.Revoke(laptop, m.Device)
		}
	}
	if got := words.Candidates(f.Roster); len(got) != 1 || len(got[1]) != 1 {
		t.Errorf("%d epochs", len(got))
	}
	if got := recoverytest.Secret(t).Candidates(f.Roster); len(got) != 0 {
		t.Errorf("other words: %d epochs", len(got))
	}
	if got := words.Candidates(roster.Roster{}); len(got) != 0 {
		t.Errorf("no roster: %d epochs", len(got))
	}
}

// told is a history, and how many of its versions were asked for.
func told(n *int, all ...*seal.Record) recovery.History {
	return func(each func(*seal.Record) error) error {
		for _, r := range all {
			*n++
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestTheTrueKeyIsTheOneThatOpensWhatIsThere(t *testing.T) {
	f := recoverytest.New(t, recoverytest.Device(t), "docs")
	second, key := one(recoverytest.After(1, 2))
	third, other := one(recoverytest.After(2, 3))
	lie, another := seal.FolderKey{66}, seal.FolderKey{67}
	all := map[entry.Epoch][]seal.FolderKey{1: {lie, {1}}, second: {another, lie, key}, third: {other}}
	truth := recoverytest.Keys{1: {1}, second: key, third: other}

	first, next := f.Record(1, seal.FolderKey{1}, "a"), f.Record(second, key, "b")
	var n, m int
	keys, unsure := recovery.TrueKeys(f.Folder(), all, told(&n, f.Record(third, other, "c"), first, next, first), told(&m, first))
	if !maps.Equal(keys, truth) || len(unsure) > 0 {
		t.Errorf("%d keys, unsure of %v", len(keys), unsure)
	}
	if n != 3 || m != 0 {
		t.Errorf("it went on when all was known: %d and %d versions", n, m)
	}

	// What one history does not decide the next may, though the first fails.
	failing := func(each func(*seal.Record) error) error { return errors.Join(each(first), errors.New("gone")) }
	if keys, unsure = recovery.TrueKeys(f.Folder(), all, failing, told(&m, next)); !maps.Equal(keys, truth) || len(unsure) > 0 {
		t.Errorf("by two histories: unsure of %v", unsure)
	}

	// Where nothing is opened the likeliest counts, and that is said.
	foreign := f.Record(1, seal.FolderKey{99}, "d")
	keys, unsure = recovery.TrueKeys(f.Folder(), all, told(&m, foreign, next))
	if keys[1] != lie || keys[second] != key || !slices.Equal(unsure, []entry.Epoch{1}) {
		t.Errorf("with nothing of the first epoch: unsure of %v", unsure)
	}
	if keys, unsure = recovery.TrueKeys(f.Folder(), all); len(keys) != 3 || !slices.Equal(unsure, []entry.Epoch{1, second}) {
		t.Errorf("with nothing at all: unsure of %v", unsure)
	}
}
