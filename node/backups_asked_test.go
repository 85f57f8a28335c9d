package node_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

// TestABackupIsAskedForWhatItCannotDo: everything that can be asked of a device
// is asked of one that has no files and no key; it answers, and runs on.
func TestABackupIsAskedForWhatItCannotDo(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "a"})
	ctx, at := t.Context(), control.Moment{At: time.Now()}
	entryDone := func(control.PathEntry) error { return nil }
	restored := func(control.RestoreProgress) error { return nil }
	cannot := map[string]func() error{
		"free": func() error {
			_, err := nas.Free(ctx, control.FreeRequest{Places: []control.Place{place("docs")}, Copies: 1})
			return err
		},
		"get":  func() error { return nas.gets("docs/a") },
		"why":  func() error { _, err := nas.Why(ctx, place("docs/a")); return err },
		"list": func() error { return nas.List(ctx, control.ListRequest{Place: place("docs")}, entryDone) },
		"list at": func() error {
			return nas.ListAt(ctx, control.ListAtRequest{Place: place("docs"), At: at}, entryDone)
		},
		"diff": func() error {
			return nas.Diff(ctx, control.DiffRequest{Place: place("docs"), From: at}, func(control.Difference) error { return nil })
		},
		"log": func() error {
			return nas.Log(ctx, control.LogRequest{Place: place("docs")}, func(control.LogEvent) error { return nil })
		},
		"restore": func() error {
			_, err := nas.Restore(ctx, control.RestoreRequest{Place: place("docs"), At: at, To: filepath.Join(t.TempDir(), "x")}, restored)
			return err
		},
		"restore in place": func() error {
			_, err := nas.Restore(ctx, control.RestoreRequest{Place: place("docs"), At: at}, restored)
			return err
		},
		"resolve": func() error {
			_, err := nas.Resolve(ctx, control.ResolveRequest{Places: []control.Place{place("docs/a")}, Keep: control.KeepMine})
			return err
		},
		"revert": func() error {
			_, err := nas.Revert(ctx, control.RevertRequest{Places: []control.Place{place("docs")}})
			return err
		},
		"snapshot": func() error { _, err := nas.Snapshot(ctx, "docs", "x"); return err },
		"go on":    func() error { _, err := nas.GoOn(ctx, "docs"); return err },
		"share": func() error {
			_, err := nas.Share(ctx, control.ShareRequest{Folder: "docs", Device: string(laptop.id)})
			return err
		},
		"a role of files with no path": func() error {
			_, err := nas.SetRole(ctx, control.RoleRequest{Folder: "docs", Role: entry.RoleSync})
			return err
		},
		"no history": func() error {
			off := false
			_, err := nas.SetRetention(ctx, control.RetentionRequest{Folder: "docs", History: &off})
			return err
		},
	}
	for name, ask := range cannot {
		switch err := ask(); {
		case err == nil:
			t.Errorf("%s: no error", name)
		case errors.Is(err, control.ErrStopping) || errors.Is(err, control.ErrNotRunning):
			t.Fatalf("%s: %v", name, err)
		default:
			t.Logf("%s: %v", name, err)
		}
	}
	can := map[string]func() error{
		"status": func() error { _, err := nas.Status(ctx, "docs"); return err },
		"its role": func() error {
			_, err := nas.SetRole(ctx, control.RoleRequest{Folder: "docs", Role: entry.RoleBackup})
			return err
		},
		"conflicts": func() error { _, err := nas.Conflicts(ctx, "docs"); return err },
		"held":      func() error { _, err := nas.Held(ctx, "docs"); return err },
		"examine":   func() error { _, err := nas.Examine(ctx); return err },
		"scan":      func() error { _, err := nas.ScanFolders(ctx, "docs"); return err },
		"retention": func() error { _, err := nas.Retention(ctx, "docs"); return err },
		"prune":     func() error { _, err := nas.Prune(ctx, control.PruneRequest{Folder: "docs", DryRun: true}); return err },
		"prune all": func() error { _, err := nas.Prune(ctx, control.PruneRequest{Folder: "docs"}); return err },
		"snapshots": func() error { _, err := nas.Snapshots(ctx, "docs"); return err },
		"verify": func() error {
			_, err := nas.Verify(ctx, control.VerifyRequest{Folder: "docs"}, noVerifyProgress)
			return err
		},
		"schedule": func() error { _, err := nas.SetSchedule(ctx, control.ScheduleRequest{Folder: "docs"}); return err },
		"pause":    func() error { return nas.Pause(ctx, control.PauseRequest{Target: "docs"}) },
		"resume":   func() error { return nas.Resume(ctx, "docs") },
		"words":    func() error { _, err := nas.DraftRecovery(ctx); return err },
	}
	for _, name := range slices.Sorted(maps.Keys(can)) {
		if err := can[name](); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	laptop.write("b", "b")
	laptop.protected()
	if _, err := nas.LeaveFolder(ctx, "docs"); err != nil {
		t.Errorf("leave: %v", err)
	}
	if _, err := nas.Status(ctx, ""); err != nil {
		t.Fatal(err)
	}
}

// TestABackupWithAScheduleTakesWhatIsThereInItsTime, or when a person asks.
func TestABackupWithAScheduleTakesWhatIsThereInItsTime(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "a"})
	s, err := nas.SetSchedule(t.Context(), control.ScheduleRequest{Folder: "docs", When: "every 6h"})
	if err != nil || s.When != "every 6h" {
		t.Fatalf("%+v, %v", s, err)
	}
	until(t, "the next run to be known", func() bool { return !nas.folder().Vault.NextRun.IsZero() })
	had := nas.folder().Vault.Versions
	laptop.write("b", "b")
	laptop.scans()
	looked()
	if n := nas.folder().Vault.Versions; n != had || laptop.member(nas).NeedFiles == 0 {
		t.Errorf("%d versions, it had %d; of the backup the laptop says %+v, and it itself %+v", n, had, laptop.member(nas), nas.folder())
	}
	if st := laptop.folder(); len(st.Problems) > 0 || time.Since(st.ProtectedAsOf) < 2*time.Second {
		t.Errorf("%+v", st)
	}
	laptop.down()
	again([]*device{nas}, laptop)
	meet(t, laptop, nas)
	looked()
	if n := nas.folder().Vault.Versions; n != had {
		t.Errorf("after another connection: %d versions", n)
	}
	nas.scans()
	laptop.protected()
	until(t, "the schedule on the laptop", func() bool { return laptop.member(nas).Schedule == "every 6h" })
	nas.restart()
	if s, err := nas.SetSchedule(t.Context(), control.ScheduleRequest{Folder: "docs"}); err != nil || s.When != "every 6h" || s.Next.Before(time.Now().Add(5*time.Hour)) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestARevokedDeviceGivesABackupNothingMore, nor is it given anything.
func TestARevokedDeviceGivesABackupNothingMore(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "a"})
	thief := start(t, "thief")
	thief.join(laptop)
	thief.pair(nas)
	until(t, "the file", func() bool { return thief.holds("a", "a") })
	laptop.protected()
	thief.down()
	laptop.unshare(thief)
	until(t, "the backup to hear of it", func() bool { return !nas.counts(thief) })
	laptop.write("a", "written since")
	laptop.protected()
	had := nas.folder().Vault.Versions
	laptop.down()
	thief.write("b", "evil")
	thief.write("a", "worse")
	again([]*device{nas}, thief)
	until(t, "the thief to hear that it is out", func() bool { return slices.Contains(thief.problems(), "removed") })
	looked()
	if n := nas.folder().Vault.Versions; n != had || thief.holds("a", "written since") {
		t.Errorf("%d versions, it had %d", n, had)
	}
}

func TestABackupOfAnEmptyFolderCanBeAsked(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, nil)
	for range 2 {
		if v, asked := laptop.verifies(false)[nas.id]; !asked || len(v.Problems) > 0 {
			t.Errorf("%v: %+v", asked, v)
		}
		if _, err := laptop.Snapshots(t.Context(), "docs"); err != nil {
			t.Error(err)
		}
		laptop.write("a", "a")
		laptop.protected()
	}
}
