package controltest

import (
	"context"

	"github.com/kithmesh/kith/node/control"
)

// Past are the answers of a device about what was.
type Past struct {
	Events      []control.LogEvent        // what Log tells
	Differences []control.Difference      // what Diff tells
	Listed      []control.PathEntry       // what ListAt tells
	Steps       []control.RestoreProgress // what Restore and Undo tell before they end
	Restored    control.Restored          // the answer of Restore and Undo
	Snapshots   []control.Snapshot        // the answer of Snapshots; the first that of Snapshot and DropSnapshot
}

// past answers the questions of [control.Past] and [control.Snapshots].
type past struct{ d *Device }

func (p past) Log(ctx context.Context, r control.LogRequest, each func(control.LogEvent) error) error {
	return tell(p.d.Past.Events, each, func() error { return p.d.answer(ctx, "Log", r) })
}

func (p past) Diff(ctx context.Context, r control.DiffRequest, each func(control.Difference) error) error {
	return tell(p.d.Past.Differences, each, func() error { return p.d.answer(ctx, "Diff", r) })
}

func (p past) ListAt(ctx context.Context, r control.ListAtRequest, each func(control.PathEntry) error) error {
	return tell(p.d.Past.Listed, each, func() error { return p.d.answer(ctx, "ListAt", r) })
}

func (p past) Restore(ctx context.Context, r control.RestoreRequest, progress func(control.RestoreProgress) error) (control.Restored, error) {
	return p.d.Past.Restored, tell(p.d.Past.Steps, progress, func() error { return p.d.answer(ctx, "Restore", r) })
}

func (p past) Undo(ctx context.Context, r control.UndoRequest, progress func(control.RestoreProgress) error) (control.Restored, error) {
	return p.d.Past.Restored, tell(p.d.Past.Steps, progress, func() error { return p.d.answer(ctx, "Undo", r) })
}

func (p past) Snapshot(ctx context.Context, folder, label string) (control.Snapshot, error) {
	return p.first(), p.d.answer(ctx, "Snapshot", [2]string{folder, label})
}

func (p past) Snapshots(ctx context.Context, folder string) ([]control.Snapshot, error) {
	return p.d.Past.Snapshots, p.d.answer(ctx, "Snapshots", folder)
}

func (p past) DropSnapshot(ctx context.Context, folder, label string) (control.Snapshot, error) {
	return p.first(), p.d.answer(ctx, "DropSnapshot", [2]string{folder, label})
}

func (p past) first() control.Snapshot {
	if len(p.d.Past.Snapshots) == 0 {
		return control.Snapshot{}
	}
	return p.d.Past.Snapshots[0]
}

// tell hands over what there is to tell, and then answers.
func tell[A any](all []A, each func(A) error, answer func() error) error {
	for _, a := range all {
		if err := each(a); err != nil {
			return err
		}
	}
	return answer()
}
