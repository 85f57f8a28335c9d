package node_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kithmesh/kith/node/control"
)

// TestWhatABackupSaysOfItselfReachesTheOthers soon, and so does that it is over.
func TestWhatABackupSaysOfItselfReachesTheOthers(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "a"})
	quota := func(bytes int64) {
		r := control.RetentionRequest{Folder: "docs", Keep: control.Keeping{Quota: &bytes}}
		if _, err := nas.SetRetention(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	full := func() bool { return slices.Contains(laptop.problems(), "vault_full") }
	quota(256 << 10)
	laptop.write("big", noise(1, 1<<20))
	// Not sooner than it was looked at for lacking something.
	if !within(45*time.Second, full) {
		t.Fatalf("the backup is full: %q, on the laptop %q", nas.problems(), laptop.problems())
	}
	quota(0)
	laptop.protected()
	if !within(15*time.Second, func() bool { return !full() }) {
		t.Errorf("the backup has room, and holds all; on the laptop: %q", laptop.problems())
	}
	if _, err := nas.SetSchedule(t.Context(), control.ScheduleRequest{Folder: "docs", When: "every 6h"}); err != nil {
		t.Fatal(err)
	}
	if s, err := laptop.SetSchedule(t.Context(), control.ScheduleRequest{Folder: "docs"}); err != nil || s.When != "every 6h" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAFolderIsProtectedAsOfTheLastMomentAtWhichABackupHeldAll, which is now
// while nothing changes, even if the backup is away.
func TestAFolderIsProtectedAsOfTheLastMomentAtWhichABackupHeldAll(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "a"})
	looked()
	nas.down()
	until(t, "the backup to be away", func() bool { return !laptop.member(nas).Connected })
	looked()
	if ago := time.Since(laptop.folder().ProtectedAsOf); ago > time.Second {
		t.Errorf("nothing has changed, and it is protected as of %s ago", ago)
	}
	before := time.Now()
	laptop.write("b", "b")
	laptop.scans()
	after := time.Now()
	looked()
	if at := laptop.folder().ProtectedAsOf; at.Before(before.Add(-10*time.Second)) || at.After(after) {
		t.Errorf("protected as of %s, and changed between %s and %s", at, before, after)
	}
}
