package control

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

type (
	past      struct{ device Past }
	snapshots struct{ device Snapshots }
)

// servePast serves the groups that are about the past.
func servePast(mux *http.ServeMux, d Device, opts []connect.HandlerOption) {
	if d.Past != nil {
		mux.Handle(controlpb.NewPastHandler(past{d.Past}, opts...))
	}
	if d.Snapshots != nil {
		mux.Handle(controlpb.NewSnapshotsHandler(snapshots{d.Snapshots}, opts...))
	}
	if d.Vaults != nil {
		mux.Handle(controlpb.NewVaultsHandler(vaults{d.Vaults}, opts...))
	}
	if d.Proofs != nil {
		mux.Handle(controlpb.NewProofsHandler(proofs{d.Proofs}, opts...))
	}
	if d.Recovery != nil {
		mux.Handle(controlpb.NewRecoveryHandler(recovery{d.Recovery}, opts...))
	}
}

func (h past) Log(ctx context.Context, r *controlpb.LogRequest, out *connect.ServerStream[controlpb.LogResponse]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.LogResponse, error) {
		place, err := placeFromWire(r.GetPlace())
		if err != nil {
			return nil, fmt.Errorf("log: %w", err)
		}
		if r.GetLimit() < 0 || r.GetLimit() > math.MaxInt32 {
			return nil, fmt.Errorf("log: %d events: %w", r.GetLimit(), ErrInvalid)
		}
		take, rest := inPieces(logEventToWire, func(p []*controlpb.LogEvent) error { return out.Send(&controlpb.LogResponse{Events: p}) })
		req := LogRequest{Place: place, From: r.GetFrom(), Since: instant(r.GetSinceUs()), Limit: int(r.GetLimit())}
		if err := h.device.Log(ctx, req, take); err != nil {
			return nil, err
		}
		return nil, rest()
	})
	return err
}

func (h past) Diff(ctx context.Context, r *controlpb.DiffRequest, out *connect.ServerStream[controlpb.DiffResponse]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.DiffResponse, error) {
		place, err := placeFromWire(r.GetPlace())
		if err != nil {
			return nil, fmt.Errorf("diff: %w", err)
		}
		req := DiffRequest{Place: place, Source: r.GetSource()}
		if req.From, err = momentFromWire(r.GetFrom()); err != nil {
			return nil, fmt.Errorf("diff: from: %w", err)
		}
		if req.To, err = momentFromWire(r.GetTo()); err != nil {
			return nil, fmt.Errorf("diff: to: %w", err)
		}
		take, rest := inPieces(differenceToWire, func(p []*controlpb.Difference) error { return out.Send(&controlpb.DiffResponse{Differences: p}) })
		if err := h.device.Diff(ctx, req, take); err != nil {
			return nil, err
		}
		return nil, rest()
	})
	return err
}

func (h past) ListAt(ctx context.Context, r *controlpb.ListAtRequest, out *connect.ServerStream[controlpb.ListResponse]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.ListResponse, error) {
		place, err := placeFromWire(r.GetPlace())
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		at, err := momentFromWire(r.GetAt())
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		take, rest := inPieces(pathEntryToWire, func(p []*controlpb.PathEntry) error { return out.Send(&controlpb.ListResponse{Entries: p}) })
		if err := h.device.ListAt(ctx, ListAtRequest{Place: place, Source: r.GetSource(), At: at}, take); err != nil {
			return nil, err
		}
		return nil, rest()
	})
	return err
}

func (h past) Restore(ctx context.Context, r *controlpb.RestoreRequest, out *connect.ServerStream[controlpb.RestoreEvent]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.RestoreEvent, error) {
		req, err := restoreFromWire(r)
		if err != nil {
			return nil, fmt.Errorf("restore: %w", err)
		}
		done, err := h.device.Restore(ctx, req, func(p RestoreProgress) error { return out.Send(restoreProgressToWire(p)) })
		if err != nil {
			return nil, err
		}
		return nil, out.Send(restoredToWire(done))
	})
	return err
}

func restoreFromWire(r *controlpb.RestoreRequest) (RestoreRequest, error) {
	out := RestoreRequest{Source: r.GetSource(), DryRun: r.GetDryRun()}
	var err error
	if out.Place, err = placeFromWire(r.GetPlace()); err != nil {
		return out, err
	}
	if out.At, err = momentFromWire(r.GetAt()); err != nil {
		return out, err
	}
	if out.Overwrite, err = overwriteFromWire(r.GetOverwrite()); err != nil {
		return out, err
	}
	if len(r.GetTo()) > 0 {
		out.To, err = checkPath(r.GetTo())
	}
	return out, err
}

func (h past) Undo(ctx context.Context, r *controlpb.UndoRequest, out *connect.ServerStream[controlpb.RestoreEvent]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.RestoreEvent, error) {
		if err := checkBatch(r.GetBatch()); err != nil {
			return nil, fmt.Errorf("undo: %w", err)
		}
		req := UndoRequest{Batch: r.GetBatch(), DryRun: r.GetDryRun()}
		done, err := h.device.Undo(ctx, req, func(p RestoreProgress) error { return out.Send(restoreProgressToWire(p)) })
		if err != nil {
			return nil, err
		}
		return nil, out.Send(restoredToWire(done))
	})
	return err
}

func (h snapshots) Snapshot(ctx context.Context, r *controlpb.SnapshotRequest) (*controlpb.SnapshotResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.SnapshotResponse, error) {
		if err := checkName("a snapshot's label", r.GetLabel()); err != nil {
			return nil, err
		}
		s, err := h.device.Snapshot(ctx, r.GetFolder(), r.GetLabel())
		return &controlpb.SnapshotResponse{Snapshot: snapshotToWire(s)}, err
	})
}

func (h snapshots) Snapshots(ctx context.Context, r *controlpb.SnapshotsRequest) (*controlpb.SnapshotsResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.SnapshotsResponse, error) {
		all, err := h.device.Snapshots(ctx, r.GetFolder())
		return &controlpb.SnapshotsResponse{Snapshots: convert(all, snapshotToWire)}, err
	})
}

func (h snapshots) DropSnapshot(ctx context.Context, r *controlpb.DropSnapshotRequest) (*controlpb.DropSnapshotResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.DropSnapshotResponse, error) {
		if r.GetLabel() == "" {
			return nil, fmt.Errorf("drop a snapshot: %w: no label", ErrInvalid)
		}
		if err := checkName("a snapshot's label", r.GetLabel()); err != nil {
			return nil, err
		}
		s, err := h.device.DropSnapshot(ctx, r.GetFolder(), r.GetLabel())
		return &controlpb.DropSnapshotResponse{Snapshot: snapshotToWire(s)}, err
	})
}
