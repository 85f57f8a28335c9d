package control

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/proto/controlpb"
)

type (
	care  struct{ device Care }
	roles struct{ device Roles }
)

func (h care) Conflicts(ctx context.Context, r *controlpb.ConflictsRequest) (*controlpb.ConflictsResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.ConflictsResponse, error) {
		found, err := h.device.Conflicts(ctx, r.GetFolder())
		return &controlpb.ConflictsResponse{Conflicts: convert(found, conflictToWire)}, err
	})
}

func (h care) Resolve(ctx context.Context, r *controlpb.ResolveRequest) (*controlpb.ResolveResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.ResolveResponse, error) {
		keep, err := keepFromWire(r.GetKeep())
		if err != nil {
			return nil, fmt.Errorf("resolve: %w", err)
		}
		places, err := placesFromWire(r.GetPlaces())
		if err != nil {
			return nil, fmt.Errorf("resolve: %w", err)
		}
		req := ResolveRequest{Places: places, Keep: keep}
		for _, p := range r.GetCopies() {
			req.Copies = append(req.Copies, string(p))
		}
		ended, err := h.device.Resolve(ctx, req)
		return &controlpb.ResolveResponse{Resolved: convert(ended, resolvedToWire)}, err
	})
}

func (h care) Held(ctx context.Context, r *controlpb.HeldRequest) (*controlpb.HeldResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.HeldResponse, error) {
		held, err := h.device.Held(ctx, r.GetFolder())
		return &controlpb.HeldResponse{Held: convert(held, batchToWire)}, err
	})
}

func (h care) Approve(ctx context.Context, r *controlpb.ApproveRequest) (*controlpb.ApproveResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.ApproveResponse, error) {
		if err := checkBatch(r.GetBatch()); err != nil {
			return nil, fmt.Errorf("approve: %w", err)
		}
		b, err := h.device.Approve(ctx, r.GetBatch())
		return &controlpb.ApproveResponse{Batch: batchToWire(b)}, err
	})
}

func (h care) Reject(ctx context.Context, r *controlpb.RejectRequest) (*controlpb.RejectResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.RejectResponse, error) {
		if err := checkBatch(r.GetBatch()); err != nil {
			return nil, fmt.Errorf("reject: %w", err)
		}
		b, err := h.device.Reject(ctx, r.GetBatch())
		return &controlpb.RejectResponse{Batch: batchToWire(b)}, err
	})
}

func (h roles) SetRole(ctx context.Context, r *controlpb.SetRoleRequest) (*controlpb.SetRoleResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.SetRoleResponse, error) {
		role, err := roleFromWire(r.GetRole())
		if err != nil {
			return nil, err
		}
		if role == 0 {
			return nil, fmt.Errorf("role of %q: %w: none is given", r.GetFolder(), ErrInvalid)
		}
		req := RoleRequest{Folder: r.GetFolder(), Role: role}
		if len(r.GetPath()) > 0 {
			if req.Path, err = checkPath(r.GetPath()); err != nil {
				return nil, fmt.Errorf("role of %q: %w", r.GetFolder(), err)
			}
		}
		f, err := h.device.SetRole(ctx, req)
		return &controlpb.SetRoleResponse{Folder: folderToWire(f)}, err
	})
}

func (h roles) Revoke(ctx context.Context, r *controlpb.RevokeRequest) (*controlpb.RevokeResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.RevokeResponse, error) {
		if r.GetDevice() == "" {
			return nil, fmt.Errorf("revoke: %w: no device is named", ErrInvalid)
		}
		out, err := h.device.Revoke(ctx, r.GetDevice())
		return &controlpb.RevokeResponse{
			Device: identityToWire(out.Identity), Folders: convert(out.Folders, folderToWire), Kept: convert(out.Kept, folderToWire),
		}, err
	})
}

func (h roles) Examine(ctx context.Context, _ *controlpb.ExamineRequest) (*controlpb.ExamineResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.ExamineResponse, error) {
		found, err := h.device.Examine(ctx)
		return &controlpb.ExamineResponse{Findings: convert(found, findingToWire)}, err
	})
}

func (h roles) GoOn(ctx context.Context, r *controlpb.GoOnRequest) (*controlpb.GoOnResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.GoOnResponse, error) {
		if r.GetFolder() == "" {
			return nil, fmt.Errorf("go on: %w: no folder is named", ErrInvalid)
		}
		f, err := h.device.GoOn(ctx, r.GetFolder())
		return &controlpb.GoOnResponse{Folder: folderToWire(f)}, err
	})
}
