package control

import (
	"context"
	"fmt"
	"math"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

type (
	vaults struct{ device Vaults }
	proofs struct{ device Proofs }
)

func (h vaults) Retention(ctx context.Context, r *controlpb.RetentionRequest) (*controlpb.RetentionResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.RetentionResponse, error) {
		out, err := h.device.Retention(ctx, r.GetFolder())
		return &controlpb.RetentionResponse{Retention: retentionToWire(out)}, err
	})
}

func (h vaults) SetRetention(ctx context.Context, r *controlpb.SetRetentionRequest) (*controlpb.SetRetentionResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.SetRetentionResponse, error) {
		keep, err := keepingFromWire(r.GetKeep())
		if err != nil {
			return nil, fmt.Errorf("retention of %q: %w", r.GetFolder(), err)
		}
		out, err := h.device.SetRetention(ctx, RetentionRequest{Folder: r.GetFolder(), Keep: keep, Default: r.GetDefault(), History: r.History})
		return &controlpb.SetRetentionResponse{Retention: retentionToWire(out)}, err
	})
}

func (h vaults) SetSchedule(ctx context.Context, r *controlpb.SetScheduleRequest) (*controlpb.SetScheduleResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.SetScheduleResponse, error) {
		req, err := scheduleFromWire(r)
		if err != nil {
			return nil, err
		}
		out, err := h.device.SetSchedule(ctx, req)
		return &controlpb.SetScheduleResponse{Schedule: scheduleToWire(out)}, err
	})
}

func (h vaults) SetStore(ctx context.Context, r *controlpb.SetStoreRequest) (*controlpb.SetStoreResponse, error) {
	return bounded(ctx, storeTime, func(ctx context.Context) (*controlpb.SetStoreResponse, error) {
		req, err := storeRequestFromWire(r)
		if err != nil {
			return nil, err
		}
		out, err := h.device.SetStore(ctx, req)
		return &controlpb.SetStoreResponse{Folder: folderToWire(out.Folder), Store: storeToWire(out.Store)}, err
	})
}

func (h vaults) Prune(ctx context.Context, r *controlpb.PruneRequest, out *connect.ServerStream[controlpb.PruneEvent]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.PruneEvent, error) {
		done, err := h.device.Prune(ctx, PruneRequest{Folder: r.GetFolder(), DryRun: r.GetDryRun()})
		if err != nil {
			return nil, err
		}
		moments := done.Moments
		for len(moments) > 0 {
			piece := moments[:min(len(moments), momentPiece)]
			moments = moments[len(piece):]
			if err := out.Send(&controlpb.PruneEvent{Moments: convert(piece, keptMomentToWire)}); err != nil {
				return nil, err
			}
		}
		return nil, out.Send(&controlpb.PruneEvent{Done: prunedToWire(done)})
	})
	return err
}

func (h proofs) Verify(ctx context.Context, r *controlpb.VerifyRequest, out *connect.ServerStream[controlpb.VerifyEvent]) error {
	return prove(ctx, r, out, h.device.Verify)
}

func (h proofs) Drill(ctx context.Context, r *controlpb.VerifyRequest, out *connect.ServerStream[controlpb.VerifyEvent]) error {
	return prove(ctx, r, out, h.device.Drill)
}

type proving func(context.Context, VerifyRequest, func(VerifyProgress) error) ([]Verified, error)

func prove(ctx context.Context, r *controlpb.VerifyRequest, out *connect.ServerStream[controlpb.VerifyEvent], how proving) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.VerifyEvent, error) {
		if p := r.GetPercent(); math.IsNaN(p) || p < 0 || p > 100 {
			return nil, fmt.Errorf("a sample of %v percent: %w: from 0 to 100", p, ErrInvalid)
		}
		req := VerifyRequest{Folder: r.GetFolder(), Percent: r.GetPercent(), Accept: r.GetAccept()}
		done, err := how(ctx, req, func(p VerifyProgress) error {
			return out.Send(&controlpb.VerifyEvent{Event: &controlpb.VerifyEvent_Progress{Progress: &controlpb.VerifyProgress{
				Device: identityToWire(p.Device), Blocks: p.Blocks, TotalBlocks: p.TotalBlock,
			}}})
		})
		if err != nil {
			return nil, err
		}
		return nil, out.Send(&controlpb.VerifyEvent{Event: &controlpb.VerifyEvent_Done{
			Done: &controlpb.VerifyResult{Vaults: convert(done, verifiedToWire)},
		}})
	})
	return err
}
