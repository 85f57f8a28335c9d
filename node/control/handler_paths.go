package control

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

type paths struct{ device Paths }

// inPieces gathers what a list tells to pieces for send: a message for each
// would cost more than what it tells. What is left in the end is for rest.
func inPieces[A, W any](toWire func(A) W, send func([]W) error) (take func(A) error, rest func() error) {
	piece := make([]W, 0, listPiece)
	take = func(a A) error {
		piece = append(piece, toWire(a))
		if len(piece) < listPiece {
			return nil
		}
		err := send(piece)
		piece = piece[:0]
		return err
	}
	rest = func() error {
		if len(piece) == 0 {
			return nil
		}
		return send(piece)
	}
	return take, rest
}

func (h paths) List(ctx context.Context, r *controlpb.ListRequest, out *connect.ServerStream[controlpb.ListResponse]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.ListResponse, error) {
		place, err := placeFromWire(r.GetPlace())
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		take, rest := inPieces(pathEntryToWire, func(p []*controlpb.PathEntry) error { return out.Send(&controlpb.ListResponse{Entries: p}) })
		if err := h.device.List(ctx, ListRequest{Place: place, All: r.GetAll()}, take); err != nil {
			return nil, err
		}
		return nil, rest()
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
