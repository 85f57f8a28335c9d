package node_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
)

func noRestoreProgress(control.RestoreProgress) error { return nil }

// snapshot keeps the moment.
func (d *device) snapshot(label string) control.Snapshot {
	d.t.Helper()
	s, err := d.Snapshot(d.t.Context(), "docs", label)
	if err != nil {
		d.t.Fatal(err)
	}
	return s
}

// restores gives back the folder as it was kept under a label, elsewhere.
func (d *device) restores(label string) (root string, out control.Restored) {
	d.t.Helper()
	root = filepath.Join(d.t.TempDir(), "restored")
	out, err := d.Restore(d.t.Context(), control.RestoreRequest{Place: place("docs"), At: control.Moment{Label: label}, To: root}, noRestoreProgress)
	if err != nil {
		d.t.Fatal(err)
	}
	return root, out
}

// stores finds what was written, and waits until a backup has it.
func (d *device) stores() {
	d.t.Helper()
	d.scans()
	d.protected()
}

func TestASnapshotIsTheMomentAtWhichItWasMade(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "first"})
	looked() // a snapshot is of now, not of the last change
	laptop.write("a", "second")
	laptop.stores()
	looked()
	unnamed := laptop.snapshot("")
	laptop.write("a", "third")
	laptop.stores()
	if !strings.HasPrefix(unnamed.Label, "snapshot ") || len(unnamed.Kept) != 2 {
		t.Errorf("%+v", unnamed)
	}
	root, out := laptop.restores(unnamed.Label)
	if b, err := os.ReadFile(filepath.Join(root, "a")); string(b) != "second" || out.Source.ID != nas.id {
		t.Errorf("%q from %q, %v", b, out.Source.Name, err)
	}
	for _, d := range []*device{laptop, nas} {
		all, err := d.Snapshots(t.Context(), "docs")
		if err != nil || len(all) != 1 || all[0].At.Sub(unnamed.At).Abs() > time.Second {
			t.Errorf("on %s: %+v, %v, which was made %s", d.name, all, err, unnamed.At)
		}
	}
	_, err := laptop.Snapshot(t.Context(), "docs", unnamed.Label)
	if !errors.Is(err, control.ErrNameTaken) || !strings.Contains(err.Error(), "another snapshot has this label") || control.Describe(err).Hint == "" {
		t.Errorf("the same label again: %v", err)
	}
	pruned, err := nas.Prune(t.Context(), control.PruneRequest{Folder: "docs", DryRun: true})
	blank := func(r string) bool { return strings.TrimSpace(r) != r }
	if err != nil || slices.ContainsFunc(pruned.Moments, func(m control.KeptMoment) bool { return slices.ContainsFunc(m.Reasons, blank) }) {
		t.Errorf("%+v, %v", pruned, err)
	}
}

func TestWhoKeepsASnapshotThatIsDropped(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "a"})
	laptop.snapshot("twice")
	s, err := laptop.DropSnapshot(t.Context(), "docs", "twice")
	if err != nil || len(s.Kept) != 1 || s.Kept[0].ID != nas.id {
		t.Errorf("dropped on the laptop: %+v, %v", s, err)
	}
	kept, err := nas.Snapshots(t.Context(), "docs")
	if err != nil || len(kept) != 1 {
		t.Fatalf("%+v, %v", kept, err)
	}
	s, err = nas.DropSnapshot(t.Context(), "docs", kept[0].Label)
	if err != nil || len(s.Kept) != 0 {
		t.Errorf("dropped on the backup: %+v, %v", s, err)
	}
	if left, err := laptop.Snapshots(t.Context(), "docs"); err != nil || len(left) != 0 {
		t.Errorf("%+v, %v", left, err)
	}
}

// TestARestoreNamesWhoTookPart: a snapshot was made while the backup was away.
func TestARestoreNamesWhoTookPart(t *testing.T) {
	t.Parallel()
	laptop, nas := backedUp(t, map[string]string{"a": "a"})
	nas.down()
	laptop.snapshot("alone")
	again([]*device{laptop}, nas)
	meet(t, laptop, nas)
	laptop.protected()
	if _, out := laptop.restores("alone"); out.Source.ID != laptop.id {
		t.Errorf("from %s", out.Source.Name)
	}
}

func TestARestoreIntoWhatIsNoDirectorySaysSo(t *testing.T) {
	t.Parallel()
	laptop := start(t, "laptop")
	laptop.write("a", "a")
	addFolder(t, laptop)
	laptop.snapshot("now")
	in := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(in, "plain"), nil, 0o600), os.Symlink("nowhere", filepath.Join(in, "link"))); err != nil {
		t.Fatal(err)
	}
	for to, why := range map[string]string{"plain": "it is no directory", "plain/below": "it is no directory", "link": "leads nowhere", "link/below": "leads nowhere"} {
		r := control.RestoreRequest{Place: place("docs"), At: control.Moment{Label: "now"}, To: filepath.Join(in, to)}
		_, err := laptop.Restore(t.Context(), r, noRestoreProgress)
		_, chain := errors.AsType[*fs.PathError](err)
		if !errors.Is(err, control.ErrInvalid) || chain || !strings.Contains(err.Error(), why) || control.Describe(err).Hint == "" {
			t.Errorf("into %s: %v", to, err)
		}
	}
}

func TestADifferenceSaysWhatIsThereNowAndWhenItCame(t *testing.T) {
	t.Parallel()
	laptop, _ := backedUp(t, map[string]string{"gone": "before", "edited": "before", "as it was": "before"})
	laptop.snapshot("before")
	began, old := time.Now(), time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	laptop.write("edited", "afterwards")
	laptop.write("new/file", "new")
	if err := errors.Join(os.Remove(laptop.at("gone")), os.Chtimes(laptop.at("new/file"), old, old)); err != nil {
		t.Fatal(err)
	}
	laptop.stores()
	got := map[string]control.Difference{}
	err := laptop.Diff(t.Context(), control.DiffRequest{Place: place("docs"), From: control.Moment{Label: "before"}}, func(d control.Difference) error {
		got[d.Path] = d
		return nil
	})
	if err != nil || len(got) != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	kinds := map[string]entry.Kind{"gone": entry.Deleted, "edited": entry.File, "new": entry.Directory, "new/file": entry.File}
	for name, d := range got {
		if d.Kind != kinds[name] || d.TimeChanged.IsZero() != (name == "gone") || !d.TimeChanged.IsZero() && d.TimeChanged.Before(began.Add(-time.Second)) {
			t.Errorf("%+v", d)
		}
	}
	if d := got["gone"]; d.OldKind != entry.File || d.Before != int64(len("before")) {
		t.Errorf("%+v", d)
	}
	n := 0
	err = laptop.ListAt(t.Context(), control.ListAtRequest{Place: place("docs"), At: control.Moment{Label: "before"}}, func(e control.PathEntry) error {
		if n++; e.Where != "" || e.ModTime.Before(began.Add(-time.Hour)) {
			t.Errorf("%+v", e)
		}
		return nil
	})
	if err != nil || n != 3 {
		t.Errorf("%d were listed: %v", n, err)
	}
}

// TestALogSinceAMomentGoesByWhenChangesCame: one was made before and came after.
func TestALogSinceAMomentGoesByWhenChangesCame(t *testing.T) {
	t.Parallel()
	laptop, _ := backedUp(t, map[string]string{"old": "old"})
	phone := start(t, "phone")
	phone.join(laptop)
	settled(t, laptop, phone)
	if err := phone.Pause(t.Context(), control.PauseRequest{}); err != nil {
		t.Fatal(err)
	}
	until(t, "the phone to be away", func() bool { p, _ := laptop.peer(phone); return !p.Connected })
	phone.write("late", "made early")
	phone.scans()
	until(t, "the change to be known on the phone", func() bool { return phone.folder().Files == 2 })
	mid := time.Now()
	if err := phone.Resume(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	until(t, "the change of the phone", func() bool { return laptop.holds("late", "made early") })
	laptop.protected()
	var got []string
	err := laptop.Log(t.Context(), control.LogRequest{Place: place("docs"), Since: mid}, func(e control.LogEvent) error {
		if got = append(got, e.Path); !e.At.Before(mid) || e.Received.Before(mid) {
			t.Errorf("%+v, since %s", e, mid)
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []string{"late"}) {
		t.Errorf("%q, %v", got, err)
	}
}
