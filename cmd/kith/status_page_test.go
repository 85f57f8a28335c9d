package main

import (
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func TestAFolderThatNoBackupHoldsIsCalledUnprotected(t *testing.T) {
	since := theHour.Add(-time.Hour)
	backup := func(connected bool, schedule string) control.MemberStatus {
		return control.MemberStatus{Identity: nas, Role: entry.RoleBackup, Connected: connected, Schedule: schedule}
	}
	other := control.MemberStatus{Identity: phone, Role: entry.RoleSync, Connected: true}
	for name, c := range map[string]struct {
		asOf    time.Time
		members []control.MemberStatus
		want    string
	}{
		"the backup is away":                      {since, []control.MemberStatus{backup(false, "")}, "not protected since 13:03"},
		"it is away for a moment only":            {theHour.Add(-30 * time.Second), []control.MemberStatus{backup(false, "")}, "protected 14:02 (2 copies, never proven)"},
		"it is getting what is new":               {since, []control.MemberStatus{backup(true, "")}, "protected 13:03 (2 copies, never proven)"},
		"its time has not come":                   {since, []control.MemberStatus{backup(false, "daily 02:00")}, "protected 13:03 (2 copies, never proven)"},
		"another one gets it":                     {since, []control.MemberStatus{backup(false, ""), backup(true, "")}, "protected 13:03 (3 copies, never proven)"},
		"another one is away as well":             {since, []control.MemberStatus{backup(false, ""), backup(false, ""), other}, "not protected since 13:03"},
		"it never held anything":                  {time.Time{}, []control.MemberStatus{backup(false, "")}, "not protected yet"},
		"it has just come, and holds nothing yet": {time.Time{}, []control.MemberStatus{backup(true, "")}, ""},
		"nobody is a backup":                      {time.Time{}, []control.MemberStatus{other}, ""},
		"nobody else has it":                      {time.Time{}, nil, "only here"},
	} {
		got := statusPage{now: theHour}.progress(control.FolderStatus{Folder: docs, ProtectedAsOf: c.asOf, Members: c.members})
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

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
