package control

import (
	"context"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

func (h peers) Devices(ctx context.Context, _ *controlpb.DevicesRequest) (*controlpb.DevicesResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.DevicesResponse, error) {
		all, err := h.device.Devices(ctx)
		return &controlpb.DevicesResponse{Peers: convert(all, peerToWire)}, err
	})
}

func (h roles) ExamineReach(ctx context.Context, r *controlpb.ExamineReachRequest, out *connect.ServerStream[controlpb.ExamineReachResponse]) error {
	_, err := bounded(ctx, reachTime, func(ctx context.Context) (*controlpb.ExamineReachResponse, error) {
		return nil, h.device.ExamineReach(ctx, r.GetDevice(), func(e Reached) error { return out.Send(reachedToWire(e)) })
	})
	return err
}

func reachedToWire(e Reached) *controlpb.ExamineReachResponse {
	switch {
	case e.Trial != nil:
		t := &controlpb.Trial{Subject: text(e.Trial.Subject), What: text(e.Trial.What), Result: text(e.Trial.Result), Ok: e.Trial.OK}
		return &controlpb.ExamineReachResponse{News: &controlpb.ExamineReachResponse_Trial{Trial: t}}
	case e.Finding != nil:
		return &controlpb.ExamineReachResponse{News: &controlpb.ExamineReachResponse_Finding{Finding: findingToWire(*e.Finding)}}
	}
	return &controlpb.ExamineReachResponse{}
}

func reachedFromWire(e *controlpb.ExamineReachResponse) Reached {
	switch news := e.GetNews().(type) {
	case *controlpb.ExamineReachResponse_Trial:
		t := news.Trial
		return Reached{Trial: &Trial{Subject: t.GetSubject(), What: t.GetWhat(), Result: t.GetResult(), OK: t.GetOk()}}
	case *controlpb.ExamineReachResponse_Finding:
		f := findingFromWire(news.Finding)
		return Reached{Finding: &f}
	}
	return Reached{}
}
