package control

import (
	"context"

	"github.com/kithmesh/kith/proto/controlpb"
)

// List implements [Paths].
func (c *Client) List(ctx context.Context, r ListRequest, each func(PathEntry) error) error {
	req := &controlpb.ListRequest{Place: placeToWire(r.Place), All: r.All}
	return follow(ctx, c.paths.List, req, func(p *controlpb.ListResponse) error { return eachOf(p.GetEntries(), pathEntryFromWire, each) })
}

// eachOf hands over each part of a piece.
func eachOf[W, A any](piece []W, fromWire func(W) A, each func(A) error) error {
	for _, w := range piece {
		if err := each(fromWire(w)); err != nil {
			return err
		}
	}
	return nil
}

// Get implements [Paths].
func (c *Client) Get(ctx context.Context, r GetRequest, progress func(GetProgress) error) error {
	req := &controlpb.GetRequest{Places: convert(r.Places, placeToWire), Pin: r.Pin, Unpin: r.Unpin}
	return follow(ctx, c.paths.Get, req, func(p *controlpb.GetProgress) error { return progress(getProgressFromWire(p)) })
}

// Free implements [Paths].
func (c *Client) Free(ctx context.Context, r FreeRequest) (Freed, error) {
	copies := int32(min(max(r.Copies, 0), maxCopies+1)) //nolint:gosec // bounded here; what is too much the device refuses
	a, err := ask(ctx, 0, c.paths.Free, &controlpb.FreeRequest{
		Places: convert(r.Places, placeToWire), Copies: copies, DryRun: r.DryRun,
	})
	if err != nil {
		return Freed{}, err
	}
	return freedFromWire(a), nil
}

// Revert implements [Paths].
func (c *Client) Revert(ctx context.Context, r RevertRequest) (Reverted, error) {
	a, err := ask(ctx, 0, c.paths.Revert, &controlpb.RevertRequest{Places: convert(r.Places, placeToWire), DryRun: r.DryRun})
	if err != nil {
		return Reverted{}, err
	}
	return Reverted{Paths: convert(a.GetPaths(), rawString)}, nil
}

// Why implements [Paths].
func (c *Client) Why(ctx context.Context, p Place) (Explanation, error) {
	a, err := ask(ctx, answerTime, c.paths.Why, &controlpb.WhyRequest{Place: placeToWire(p)})
	if err != nil {
		return Explanation{}, err
	}
	return explanationFromWire(a), nil
}
