package main

import (
	"fmt"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// remembered has a past, and vaults in order.
func remembered() *controltest.Device {
	d := library()
	d.Now.Folders[0].Vault = &control.VaultStatus{Versions: 300, Bytes: 1_200_000_000, Since: theHour.AddDate(0, 0, -2)}
	hour := func(back int) time.Time { return theHour.Add(-time.Duration(back) * time.Hour) }
	event := func(path string, what control.Happening, at time.Time) control.LogEvent {
		return control.LogEvent{
			Folder: docs, Path: path, What: what, Kind: entry.File, Device: phone, At: at, Received: at.Add(123456 * time.Microsecond),
			Size: 12_300, Before: 11_000, Batch: "k3f9", Kept: true,
		}
	}
	edited, gone, moved := event("plan.txt", control.Edited, hour(1)), event("ca\xfe\x1b", control.Deleted, hour(2)), event("new.txt", control.Renamed, hour(30))
	edited.Received, edited.Device, edited.Batch = time.Time{}, laptop, ""
	gone.Kind, gone.Kept = entry.Deleted, false
	moved.OldPath, moved.At, moved.Kept = "old.txt", hour(50), false
	d.Past = controltest.Past{
		Events: []control.LogEvent{edited, gone, moved, event("letters/home.odt", control.Created, hour(60))},
		Differences: []control.Difference{
			{Folder: docs, Path: "letters", What: control.Created, Kind: entry.Directory, TimeChanged: hour(3)},
			{Folder: docs, Path: "letters/home.odt", What: control.Edited, Kind: entry.File, OldKind: entry.File, Size: 12_300, Before: 11_000, TimeChanged: hour(3)},
			{Folder: docs, Path: "link", What: control.Edited, Kind: entry.File, OldKind: entry.Symlink, Size: 7, TimeChanged: hour(3)},
			{Folder: docs, Path: "run.sh", What: control.Modified, Kind: entry.File, OldKind: entry.File, Size: 7, Before: 7, TimeChanged: hour(3)},
			{Folder: docs, Path: "ca\xfe", What: control.Deleted, Kind: entry.Deleted, OldKind: entry.File, Before: 500},
		},
		Listed: []control.PathEntry{
			{Folder: docs, Path: "letters", Kind: entry.Directory}, {Folder: docs, Path: "letters/home.odt", Kind: entry.File, Size: 12_300, ModTime: hour(60)},
		},
		Steps: []control.RestoreProgress{{Folder: docs, TotalFiles: 14, TotalBytes: 41_000_000}, {Folder: docs, Files: 14, Bytes: 41_000_000, TotalFiles: 14, TotalBytes: 41_000_000}},
		Restored: control.Restored{
			Folder: docs, At: hour(24), Source: nas, Snapshot: "before restore 2026-11-22 14.03.07", Files: 12, Bytes: 41_000_000, Same: 3,
			Paths: []control.RestoredPath{
				{Path: "plan.txt", As: "plan (restored 2026-11-22 14.03.07).txt", What: control.OutcomeBeside},
				{Path: "letters/home.odt", What: control.OutcomeWritten}, {Path: "ca\xfe", What: control.OutcomeReplaced},
			},
		},
		Snapshots: []control.Snapshot{
			{Folder: docs, Label: "before the move", At: theHour, Kept: []control.Identity{nas, laptop}},
			{Folder: docs, Label: "v1", At: hour(100), Kept: []control.Identity{nas}},
		},
	}
	d.Vaults = keptWell()
	d.Recovery = controltest.Recovery{
		Draft: control.RecoveryDraft{ID: "5f0c", Words: phraseWords(), Ask: []int{3, 17, 22}},
		State: control.RecoveryState{Created: theHour, Matches: true, Folders: []control.RecoveryFolder{
			{Folder: docs, Covered: true, Epochs: 2, At: []control.Identity{nas}},
		}},
		Steps:     []string{"looking for a member on the local network", "nas keeps 1 folder"},
		Recovered: control.Recovered{From: nas, Folders: []control.Folder{docs}, Revoked: []control.Identity{phone}},
	}
	return d
}

func keptWell() controltest.Vaults {
	retained := control.Keeping{
		Last: new(0), Hourly: new(0), Daily: new(7), Weekly: new(0), Monthly: new(0), Yearly: new(control.KeepAll),
		Within: new(2 * day), WithinHourly: new(7 * day), WithinDaily: new(30 * day), WithinWeekly: new(year),
		WithinMonthly: new(control.KeepForever), WithinYearly: new(time.Duration(0)), MinimumHold: new(36 * time.Hour), Quota: new(int64(500_000_000_000)),
	}
	return controltest.Vaults{
		Retention: control.Retention{Folder: docs, Keep: retained, History: true, Versions: 12408, Bytes: 61_200_000_000, Since: theHour.Add(-2 * day)},
		Schedule:  control.Schedule{Folder: docs, When: "daily 02:00", Hook: "mail me", Last: theHour.Add(-12 * time.Hour), Next: theHour.Add(12 * time.Hour)},
		Pruned: control.Pruned{
			Folder: docs, DryRun: true, Versions: 12408, Dropped: 1200, Freed: 41_000_000, Waiting: 300, Since: theHour.Add(-2 * day),
			Moments: []control.KeptMoment{
				{At: theHour.AddDate(-1, 0, 0), Reasons: []string{"monthly", "yearly"}}, {At: theHour.AddDate(0, 0, -20), Reasons: []string{"daily"}},
				{At: theHour.Add(-day), Reasons: []string{"within"}}, {At: theHour.Add(-time.Hour), Reasons: []string{"snapshot v1", "within"}},
			},
		},
		Steps: []control.VerifyProgress{{Device: nas, TotalBlock: 20_000}, {Device: nas, Blocks: 20_000, TotalBlock: 20_000}, {Device: nas, Blocks: 20_000, TotalBlock: 20_000}},
		Verified: []control.Verified{
			{Folder: docs, Device: nas, At: theHour, Files: 12408, Blocks: 20_000, Bytes: 61_200_000_000},
			{Folder: docs, Device: laptop, At: theHour, Files: 300, Blocks: 400, Bytes: 1_200_000_000, Mended: 1},
		},
	}
}

// phraseWords are 24 words in the order of the alphabet.
func phraseWords() []string {
	var out []string
	for i := range 24 {
		out = append(out, fmt.Sprintf("word%c", 'a'+i))
	}
	return out
}

// forgotten has a past with holes, and vaults that are not what they say.
func forgotten() *controltest.Device {
	d := remembered()
	problem := control.Problem{Path: "plan.txt", Code: "missing_block", Message: "no history has all of its content", Hint: "connect phone"}
	d.Past.Events, d.Past.Differences, d.Past.Snapshots = nil, nil, nil
	d.Past.Restored.Snapshot, d.Past.Restored.To = "", "/home/me/th\x1ben"
	d.Past.Restored.Paths = []control.RestoredPath{
		{Path: "plan.txt", What: control.OutcomeMissing}, {Path: "b\xfe", What: control.OutcomeSkipped}, {Path: "made", What: control.OutcomeRemoved},
	}
	d.Past.Restored.More, d.Past.Restored.Removed, d.Past.Restored.Problems = 2, 1, []control.Problem{problem}
	d.Vaults.Verified[0].Problems = []control.Problem{{Code: "withheld", Message: "nas tells less than it told before", Hint: "kith verify Documents --accept"}}
	d.Vaults.Retention = control.Retention{Folder: docs}
	d.Vaults.Schedule = control.Schedule{Folder: docs}
	d.Vaults.Pruned = control.Pruned{Folder: docs, Versions: 7}
	d.Recovery.State = control.RecoveryState{Created: theHour, Folders: []control.RecoveryFolder{{Folder: docs}}}
	d.Recovery.Recovered = control.Recovered{From: nas, Left: []string{"work"}}
	return d
}

// amnesiac knows nothing of the past.
func amnesiac() *controltest.Device {
	none := fmt.Errorf("restore %q: %w", "Documents", control.ErrNoHistory)
	vault := fmt.Errorf("retention of %q: %w", "Documents", control.ErrNoVault)
	words := fmt.Errorf("recover: %w: not the words of a phrase", control.ErrInvalid)
	return &controltest.Device{Errors: map[string]error{
		"Log": none, "Diff": none, "ListAt": none, "Restore": none, "Undo": fmt.Errorf("undo %q: %w", "k3f9", control.ErrNoBatch),
		"Snapshot": none, "DropSnapshot": fmt.Errorf("drop %q: %w", "v9", control.ErrNoSnapshot), "Retention": vault, "Prune": vault, "SetSchedule": vault,
		"Verify": none, "Drill": fmt.Errorf("drill: %w", control.ErrNotHere), "TestRecovery": words, "ConfirmRecovery": words, "Recover": words,
	}}
}

// keepers is a nas: a backup of two folders, one of which is in a bad way.
func keepers() *controltest.Device {
	folder := func(label string, id byte, v control.VaultStatus, problems ...control.Problem) control.FolderStatus {
		return control.FolderStatus{
			Folder: control.Folder{ID: entry.FolderID{id}, Label: label, Role: entry.RoleBackup}, State: control.StateInSync, Vault: &v, Problems: problems,
			Members: []control.MemberStatus{{Identity: laptop, Role: entry.RoleSync, Connected: true}},
		}
	}
	waiting := folder("work", 3, control.VaultStatus{Versions: 7, Bytes: 1000})
	waiting.State, waiting.NeedFiles, waiting.NeedBytes = control.StateSyncing, 3, 2000
	return &controltest.Device{Now: control.Status{Identity: nas, Folders: []control.FolderStatus{
		folder("Documents", 1, control.VaultStatus{Versions: 12408, Bytes: 61_200_000_000, Quota: 80_000_000_000, LastRun: theHour.Add(-time.Minute)}),
		folder("Photos", 2, control.VaultStatus{
			Versions: 300_000, Bytes: 1_200_000_000_000, Schedule: "daily 02:00", LastRun: theHour.Add(-60 * time.Hour), NextRun: theHour.Add(12 * time.Hour), Damaged: 2,
		}, control.Problem{Code: "backup_stale", Message: "nothing new came for 3 days", Hint: "start kith on laptop"}),
		waiting,
	}, Peers: []control.PeerStatus{{Identity: laptop, Connected: true, Via: control.ViaLAN, Transport: control.QUIC}}}}
}
