package main

import (
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func TestProtectionNamesThoseThatHoldWhatWasHereThen(t *testing.T) {
	at := theHour.Add(-time.Hour)
	backup := func(who control.Identity, asOf, proven, drilled time.Time) control.MemberStatus {
		return control.MemberStatus{Identity: who, Role: entry.RoleBackup, ProtectedAsOf: asOf, LastProven: proven, LastDrill: drilled}
	}
	other := control.Identity{ID: "other", Name: "attic"}
	for name, c := range map[string]struct {
		members []control.MemberStatus
		want    string
	}{
		"one": {
			[]control.MemberStatus{backup(nas, at, theHour.Add(-time.Minute), time.Time{})}, "protected 13:03 by nas (2 copies, proven 1 min ago)",
		},
		"two that hold it now, said one after the other": {
			[]control.MemberStatus{backup(nas, at, time.Time{}, time.Time{}), backup(other, at.Add(-time.Millisecond), time.Time{}, theHour.Add(-time.Minute))},
			"protected 13:03 by nas, attic (3 copies, proven 1 min ago)",
		},
		"one that is behind, whose proof counts for nothing": {
			[]control.MemberStatus{backup(nas, at, time.Time{}, time.Time{}), backup(other, at.Add(-day), theHour, theHour)},
			"protected 13:03 by nas (3 copies, never proven)",
		},
		"one that told nothing": {
			[]control.MemberStatus{backup(nas, at, time.Time{}, time.Time{}), backup(other, time.Time{}, theHour, theHour)},
			"protected 13:03 by nas (3 copies, never proven)",
		},
	} {
		got := statusPage{now: theHour}.protection(control.FolderStatus{Folder: docs, ProtectedAsOf: at, Members: c.members})
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
