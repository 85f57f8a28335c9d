package control

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

type recovery struct{ device Recovery }

func (h recovery) Draft(ctx context.Context, _ *controlpb.DraftRequest) (*controlpb.DraftResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.DraftResponse, error) {
		d, err := h.device.DraftRecovery(ctx)
		return draftToWire(d), err
	})
}

func (h recovery) Confirm(ctx context.Context, r *controlpb.ConfirmRequest) (*controlpb.ConfirmResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.ConfirmResponse, error) {
		answers, err := confirmFromWire(r)
		if err != nil {
			return nil, fmt.Errorf("confirm the recovery words: %w", err)
		}
		s, err := h.device.ConfirmRecovery(ctx, r.GetDraft(), answers)
		return &controlpb.ConfirmResponse{State: recoveryStateToWire(s)}, err
	})
}

func (h recovery) Test(ctx context.Context, r *controlpb.TestRequest) (*controlpb.TestResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.TestResponse, error) {
		if err := checkPhrase(r.GetPhrase()); err != nil {
			return nil, err
		}
		s, err := h.device.TestRecovery(ctx, r.GetPhrase())
		return &controlpb.TestResponse{State: recoveryStateToWire(s)}, err
	})
}

func (h recovery) Recover(ctx context.Context, r *controlpb.RecoverRequest, out *connect.ServerStream[controlpb.RecoverEvent]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.RecoverEvent, error) {
		req, err := recoverFromWire(r)
		if err != nil {
			return nil, fmt.Errorf("recover: %w", err)
		}
		done, err := h.device.Recover(ctx, req, func(what string) error {
			return out.Send(&controlpb.RecoverEvent{Event: &controlpb.RecoverEvent_Progress{Progress: text(what)}})
		})
		if err != nil {
			return nil, err
		}
		return nil, out.Send(recoveredToWire(done))
	})
	return err
}
