package control_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kithmesh/kith/index/entry"
	"github.com/kithmesh/kith/node/control"
	"github.com/kithmesh/kith/node/control/controltest"
)

// instant is a moment as vaults keep them, to the microsecond.
var instant = noon.Add(456 * time.Microsecond)

func whatWas() controltest.Past {
	snapshot := control.Snapshot{Folder: docs, Label: "before the move", At: instant, Kept: []control.Identity{phone, laptop}}
	return controltest.Past{
		Differences: []control.Difference{
			{Folder: docs, Path: "a\xff", What: control.Modified, Kind: entry.File, Size: 7, Before: 8, OldKind: entry.Symlink, TimeChanged: instant},
			{Folder: docs, Path: "b", What: control.Deleted, Kind: entry.Deleted, OldKind: entry.Directory},
		},
		Steps: []control.RestoreProgress{{Folder: docs, Files: 1, Bytes: 2, TotalFiles: 3, TotalBytes: 4}, {Folder: docs, Files: 3}},
		Restored: control.Restored{
			Folder: docs, At: instant, Source: phone, To: "/restored/\xff", Snapshot: "before restore", DryRun: true,
			Files: 1, Bytes: 2, Same: 3, Removed: 4, More: 5,
			Paths: []control.RestoredPath{
				{Path: "w\xff", What: control.OutcomeWritten}, {Path: "r", What: control.OutcomeReplaced},
				{Path: "b", As: "b (restored)\xfe", What: control.OutcomeBeside}, {Path: "d", What: control.OutcomeRemoved},
				{Path: "s", What: control.OutcomeSkipped}, {Path: "m", What: control.OutcomeMissing},
			},
			Problems: []control.Problem{{Path: "m", Code: "missing_block", Message: "no vault has it", Hint: "connect nas"}},
		},
		Snapshots: []control.Snapshot{snapshot, {Folder: docs, Label: "2026-11-20 14.00.00", At: noon, Kept: []control.Identity{}}},
	}
}

// manyEvents need several messages.
func manyEvents() []control.LogEvent {
	what := []control.Happening{control.Created, control.Edited, control.Deleted, control.Renamed, control.Revived, control.Modified}
	var out []control.LogEvent
	for i := range 1000 {
		e := control.LogEvent{
			Folder: docs, Path: fmt.Sprintf("dir\xff/%d", i), What: what[i%6], Kind: entry.File, Device: phone, At: instant, Size: int64(i), Before: int64(i + 1),
			Batch: "k3f9", Kept: i%2 == 0,
		}
		if e.What == control.Renamed {
			e.OldPath, e.Received = "old\xfe", instant.Add(time.Duration(i)*time.Microsecond)
		}
		out = append(out, e)
	}
	return out
}

func TestEveryAnswerAboutThePastCrossesTheSocketWhole(t *testing.T) {
	d := &controltest.Device{Past: whatWas()}
	d.Past.Events, d.Past.Listed = manyEvents(), manyPaths()
	c := dial(t, serve(t, d))
	ctx := t.Context()
	at := control.Place{Text: "./\xffa", Absolute: "/home/me/\xffa"}
	then, label := control.Moment{At: instant}, control.Moment{Label: "before the move"}

	var events []control.LogEvent
	err := c.Log(ctx, control.LogRequest{Place: at, From: "nas", Since: instant, Limit: 7}, func(e control.LogEvent) error { events = append(events, e); return nil })
	expect(t, "Log", d.Past.Events, events, err)
	var differences []control.Difference
	err = c.Diff(ctx, control.DiffRequest{Place: at, Source: "nas", From: then, To: label}, func(x control.Difference) error {
		differences = append(differences, x)
		return nil
	})
	expect(t, "Diff", d.Past.Differences, differences, err)
	var listed []control.PathEntry
	err = c.ListAt(ctx, control.ListAtRequest{Place: at, At: label}, func(e control.PathEntry) error { listed = append(listed, e); return nil })
	expect(t, "ListAt", d.Past.Listed, listed, err)
	for _, how := range []control.Overwrite{"", control.OverwriteNever, control.OverwriteIfChanged, control.OverwriteAlways} {
		var steps []control.RestoreProgress
		r := control.RestoreRequest{Place: at, At: then, Source: "nas", To: "/there/./\xff", Overwrite: how, DryRun: true}
		restored, err := c.Restore(ctx, r, func(p control.RestoreProgress) error { steps = append(steps, p); return nil })
		expect(t, "Restore", d.Past.Restored, restored, err)
		expect(t, "its progress", d.Past.Steps, steps, nil)
	}
	undone, err := c.Undo(ctx, control.UndoRequest{Batch: "k3f9", DryRun: true}, func(control.RestoreProgress) error { return nil })
	expect(t, "Undo", d.Past.Restored, undone, err)
	made, err := c.Snapshot(ctx, "doc", "now")
	expect(t, "Snapshot", d.Past.Snapshots[0], made, err)
	made, err = c.Snapshot(ctx, "doc", "")
	expect(t, "Snapshot without a label", d.Past.Snapshots[0], made, err)
	all, err := c.Snapshots(ctx, "doc")
	expect(t, "Snapshots", d.Past.Snapshots, all, err)
	dropped, err := c.DropSnapshot(ctx, "doc", "now")
	expect(t, "DropSnapshot", d.Past.Snapshots[0], dropped, err)

	place := "Place:{Text:./\xffa Absolute:/home/me/\xffa}"
	restore := func(how string) string {
		return "Restore {" + place + " At:{At:" + instant.String() + " Label:} Source:nas To:/there/\xff Overwrite:" + how + " DryRun:true}"
	}
	zero := time.Time{}.String()
	expect(t, "the device was asked", []string{
		"Log {" + place + " From:nas Since:" + instant.String() + " Limit:7}",
		"Diff {" + place + " Source:nas From:{At:" + instant.String() + " Label:} To:{At:" + zero + " Label:before the move}}",
		"ListAt {" + place + " Source: At:{At:" + zero + " Label:before the move}}",
		restore("never"), restore("never"), restore("if-changed"), restore("always"),
		"Undo {Batch:k3f9 DryRun:true}", "Snapshot [doc now]", "Snapshot [doc ]", "Snapshots doc", "DropSnapshot [doc now]",
	}, d.Asked(), nil)
}

func TestWhatReadsALogMayStop(t *testing.T) {
	c := dial(t, serve(t, &controltest.Device{Past: controltest.Past{Events: manyEvents()}}))
	enough, n := errors.New("enough"), 0
	err := c.Log(t.Context(), control.LogRequest{Place: control.Place{Text: "x"}}, func(control.LogEvent) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("after %d events: %v", n, err)
	}
}

func TestARestoreTellsOfNoMorePathsThanAMessageHolds(t *testing.T) {
	long := strings.Repeat("x", 4096)
	r := control.Restored{Folder: docs, More: 3}
	for i := range 10_000 {
		p := control.RestoredPath{Path: fmt.Sprintf("%s%d", long, i), What: control.OutcomeWritten}
		if i == 9_999 {
			p = control.RestoredPath{Path: "last", What: control.OutcomeMissing}
		}
		r.Paths = append(r.Paths, p)
		r.Problems = append(r.Problems, control.Problem{Path: long, Code: "missing_block"})
	}
	c := dial(t, serve(t, &controltest.Device{Past: controltest.Past{Restored: r}}))
	got, err := c.Restore(t.Context(), control.RestoreRequest{Place: control.Place{Text: "x"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Paths) == 0 || int64(len(got.Paths))+got.More != 10_003 {
		t.Errorf("%d paths are listed and %d more, want 10,003 together", len(got.Paths), got.More)
	}
	if got.Paths[0] != r.Paths[9_999] {
		t.Errorf("what needs a person is not the first")
	}
	n := len(got.Problems)
	if last := got.Problems[n-1]; last.Message != fmt.Sprintf("there are %d more problems", 10_000-(n-1)) {
		t.Errorf("after %d problems comes %+v", n-1, last)
	}
}

func TestBadRequestsAboutThePastNeverReachTheDevice(t *testing.T) {
	d := &controltest.Device{}
	c := dial(t, serve(t, d))
	ctx := t.Context()
	place := control.Place{Text: "a"}
	restore := func(r control.RestoreRequest) error { _, err := c.Restore(ctx, r, nil); return err }
	cases := map[string]func() error{
		"no place to log":      func() error { return c.Log(ctx, control.LogRequest{}, nil) },
		"a negative limit":     func() error { return c.Log(ctx, control.LogRequest{Place: place, Limit: -1}, nil) },
		"no place to compare":  func() error { return c.Diff(ctx, control.DiffRequest{}, nil) },
		"no place to list":     func() error { return c.ListAt(ctx, control.ListAtRequest{}, nil) },
		"no place to restore":  func() error { return restore(control.RestoreRequest{}) },
		"a relative directory": func() error { return restore(control.RestoreRequest{Place: place, To: "a"}) },
		"another way to overwrite": func() error {
			return restore(control.RestoreRequest{Place: place, Overwrite: "perhaps"})
		},
		"a time and a label": func() error {
			return restore(control.RestoreRequest{Place: place, At: control.Moment{At: noon, Label: "x"}})
		},
		"a label with an escape": func() error {
			return c.ListAt(ctx, control.ListAtRequest{Place: place, At: control.Moment{Label: "\x1b"}}, nil)
		},
		"a moment from which that is no label": func() error {
			return c.Diff(ctx, control.DiffRequest{Place: place, From: control.Moment{Label: "a/b"}}, nil)
		},
		"a moment to which that is no label": func() error {
			return c.Diff(ctx, control.DiffRequest{Place: place, To: control.Moment{Label: " "}}, nil)
		},
		"no batch to undo":              func() error { _, err := c.Undo(ctx, control.UndoRequest{}, nil); return err },
		"a snapshot with a long label":  func() error { _, err := c.Snapshot(ctx, "doc", strings.Repeat("x", 999)); return err },
		"no snapshot to drop":           func() error { _, err := c.DropSnapshot(ctx, "doc", ""); return err },
		"a snapshot that has no label":  func() error { _, err := c.DropSnapshot(ctx, "doc", "a/b"); return err },
		"a restore of an empty place":   func() error { return restore(control.RestoreRequest{Place: control.Place{Text: "\x00"}}) },
		"a restore to a NUL byte":       func() error { return restore(control.RestoreRequest{Place: place, To: "/a\x00"}) },
		"a log of more than can be had": func() error { return c.Log(ctx, control.LogRequest{Place: place, Limit: 1 << 40}, nil) },
	}
	for name, ask := range cases {
		if err := ask(); !errors.Is(err, control.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if asked := d.Asked(); len(asked) != 0 {
		t.Errorf("the device was asked %q", asked)
	}
}
