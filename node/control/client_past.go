package control

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Log implements [Past].
func (c *Client) Log(ctx context.Context, r LogRequest, each func(LogEvent) error) error {
	req := &controlpb.LogRequest{Place: placeToWire(r.Place), From: text(r.From), SinceUs: micros(r.Since), Limit: int64(r.Limit)}
	return follow(ctx, c.past.Log, req, func(p *controlpb.LogResponse) error { return eachOf(p.GetEvents(), logEventFromWire, each) })
}

// Diff implements [Past].
func (c *Client) Diff(ctx context.Context, r DiffRequest, each func(Difference) error) error {
	req := &controlpb.DiffRequest{Place: placeToWire(r.Place), Source: text(r.Source), From: momentToWire(r.From), To: momentToWire(r.To)}
	return follow(ctx, c.past.Diff, req, func(p *controlpb.DiffResponse) error { return eachOf(p.GetDifferences(), differenceFromWire, each) })
}

// ListAt implements [Past].
func (c *Client) ListAt(ctx context.Context, r ListAtRequest, each func(PathEntry) error) error {
	req := &controlpb.ListAtRequest{Place: placeToWire(r.Place), Source: text(r.Source), At: momentToWire(r.At)}
	return follow(ctx, c.past.ListAt, req, func(p *controlpb.ListResponse) error { return eachOf(p.GetEntries(), pathEntryFromWire, each) })
}

// Restore implements [Past].
func (c *Client) Restore(ctx context.Context, r RestoreRequest, progress func(RestoreProgress) error) (Restored, error) {
	req := &controlpb.RestoreRequest{
		Place: placeToWire(r.Place), At: momentToWire(r.At), Source: text(r.Source), To: []byte(r.To),
		Overwrite: overwriteToWire(r.Overwrite), DryRun: r.DryRun,
	}
	return restoring(ctx, "restore", c.past.Restore, req, progress)
}

// Undo implements [Past].
func (c *Client) Undo(ctx context.Context, r UndoRequest, progress func(RestoreProgress) error) (Restored, error) {
	return restoring(ctx, "undo", c.past.Undo, &controlpb.UndoRequest{Batch: text(r.Batch), DryRun: r.DryRun}, progress)
}

func restoring[Q any](ctx context.Context, what string, call func(context.Context, *Q) (*connect.ServerStreamForClient[controlpb.RestoreEvent], error),
	q *Q, progress func(RestoreProgress) error,
) (Restored, error) {
	var done *controlpb.Restored
	err := follow(ctx, call, q, func(e *controlpb.RestoreEvent) error {
		if d := e.GetDone(); d != nil {
			done = d
		}
		if p := e.GetProgress(); p != nil {
			return progress(restoreProgressFromWire(p))
		}
		return nil
	})
	if err == nil && done == nil {
		err = fmt.Errorf("%s: %w", what, ErrStopping)
	}
	if err != nil {
		return Restored{}, err
	}
	return restoredFromWire(done), nil
}

// Snapshot implements [Snapshots].
func (c *Client) Snapshot(ctx context.Context, folder, label string) (Snapshot, error) {
	a, err := ask(ctx, 0, c.snapshots.Snapshot, &controlpb.SnapshotRequest{Folder: text(folder), Label: text(label)})
	if err != nil {
		return Snapshot{}, err
	}
	return snapshotFromWire(a.GetSnapshot()), nil
}

// Snapshots implements [Snapshots].
func (c *Client) Snapshots(ctx context.Context, folder string) ([]Snapshot, error) {
	a, err := ask(ctx, answerTime, c.snapshots.Snapshots, &controlpb.SnapshotsRequest{Folder: text(folder)})
	if err != nil {
		return nil, err
	}
	return convert(a.GetSnapshots(), snapshotFromWire), nil
}

// DropSnapshot implements [Snapshots].
func (c *Client) DropSnapshot(ctx context.Context, folder, label string) (Snapshot, error) {
	a, err := ask(ctx, answerTime, c.snapshots.DropSnapshot, &controlpb.DropSnapshotRequest{Folder: text(folder), Label: text(label)})
	if err != nil {
		return Snapshot{}, err
	}
	return snapshotFromWire(a.GetSnapshot()), nil
}
