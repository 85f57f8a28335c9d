package control

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

type paths struct{ device Paths }

// List gathers entries to pieces: a message for each would cost more than
// what it tells.
func (h paths) List(ctx context.Context, r *controlpb.ListRequest, out *connect.ServerStream[controlpb.ListResponse]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.ListResponse, error) {
		place, err := placeFromWire(r.GetPlace())
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		piece := make([]*controlpb.PathEntry, 0, listPiece)
		err = h.device.List(ctx, ListRequest{Place: place, All: r.GetAll()}, func(e PathEntry) error {
			piece = append(piece, pathEntryToWire(e))
			if len(piece) < listPiece {
				return nil
			}
			err := out.Send(&controlpb.ListResponse{Entries: piece})
			piece = piece[:0]
			return err
		})
		if err != nil || len(piece) == 0 {
			return nil, err
		}
		return nil, out.Send(&controlpb.ListResponse{Entries: piece})
	})
	return err
}

func (h paths) Get(ctx context.Context, r *controlpb.GetRequest, out *connect.ServerStream[controlpb.GetProgress]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.GetProgress, error) {
		places, err := placesFromWire(r.GetPlaces())
		if err != nil {
			return nil, fmt.Errorf("get: %w", err)
		}
		if r.GetPin() && r.GetUnpin() {
			return nil, fmt.Errorf("pin and unpin at once: %w", ErrInvalid)
		}
		req := GetRequest{Places: places, Pin: r.GetPin(), Unpin: r.GetUnpin()}
		return nil, h.device.Get(ctx, req, func(p GetProgress) error { return out.Send(getProgressToWire(p)) })
	})
	return err
}

func (h paths) Free(ctx context.Context, r *controlpb.FreeRequest) (*controlpb.FreeResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.FreeResponse, error) {
		places, err := placesFromWire(r.GetPlaces())
		if err != nil {
			return nil, fmt.Errorf("free: %w", err)
		}
		if r.GetCopies() < 1 || r.GetCopies() > maxCopies {
			return nil, fmt.Errorf("free on proof of %d copies: %w: from 1 to %d", r.GetCopies(), ErrInvalid, maxCopies)
		}
		f, err := h.device.Free(ctx, FreeRequest{Places: places, Copies: int(r.GetCopies()), DryRun: r.GetDryRun()})
		return freedToWire(f), err
	})
}

func (h paths) Revert(ctx context.Context, r *controlpb.RevertRequest) (*controlpb.RevertResponse, error) {
	return bounded(ctx, 0, func(ctx context.Context) (*controlpb.RevertResponse, error) {
		places, err := placesFromWire(r.GetPlaces())
		if err != nil {
			return nil, fmt.Errorf("revert: %w", err)
		}
		reverted, err := h.device.Revert(ctx, RevertRequest{Places: places, DryRun: r.GetDryRun()})
		return &controlpb.RevertResponse{Paths: convert(reverted.Paths, rawBytes)}, err
	})
}

func (h paths) Why(ctx context.Context, r *controlpb.WhyRequest) (*controlpb.WhyResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.WhyResponse, error) {
		place, err := placeFromWire(r.GetPlace())
		if err != nil {
			return nil, fmt.Errorf("why: %w", err)
		}
		e, err := h.device.Why(ctx, place)
		return explanationToWire(e), err
	})
}
