package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

// bounded gives an answer its time, without end if limit is zero, and makes
// an error fit for the wire.
func bounded[T any](ctx context.Context, limit time.Duration, answer func(context.Context) (*T, error)) (*T, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("answer within %v: %w", limit, ErrTimeout))
		defer cancel()
	}
	out, err := answer(ctx)
	if err == nil {
		return out, nil
	}
	// The cause says more than the context's own error: a deadline of ours,
	// or the server's end.
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = context.Cause(ctx)
	}
	return nil, errorToWire(err)
}

// The adapters from the generated handlers to the groups of a Device. Each
// checks what can be checked without the device, and only then asks it.
type (
	lifecycle struct{ device Lifecycle }
	pairing   struct{ device Pairing }
	peers     struct{ device Peers }
	statuses  struct{ device States }
)

func (h lifecycle) Stop(ctx context.Context, _ *controlpb.StopRequest) (*controlpb.StopResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.StopResponse, error) {
		return &controlpb.StopResponse{}, h.device.Stop(ctx)
	})
}

func (h lifecycle) Pause(ctx context.Context, r *controlpb.PauseRequest) (*controlpb.PauseResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.PauseResponse, error) {
		if r.ForMs < 0 {
			return nil, fmt.Errorf("pause for %d ms: %w", r.ForMs, ErrInvalid)
		}
		req := PauseRequest{Target: r.Target, For: time.Duration(r.ForMs) * time.Millisecond}
		return &controlpb.PauseResponse{}, h.device.Pause(ctx, req)
	})
}

func (h lifecycle) Resume(ctx context.Context, r *controlpb.ResumeRequest) (*controlpb.ResumeResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.ResumeResponse, error) {
		return &controlpb.ResumeResponse{}, h.device.Resume(ctx, r.Target)
	})
}

func (h peers) Rename(ctx context.Context, r *controlpb.RenameRequest) (*controlpb.RenameResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.RenameResponse, error) {
		if r.Name == "" {
			return nil, fmt.Errorf("rename %q: %w: an empty name", r.Device, ErrInvalid)
		}
		if err := checkName("name", r.Name); err != nil {
			return nil, err
		}
		d, err := h.device.Rename(ctx, RenameRequest{Device: r.Device, Name: r.Name})
		return &controlpb.RenameResponse{Device: identityToWire(d)}, err
	})
}

func (h pairing) ShowCode(ctx context.Context, r *controlpb.ShowCodeRequest, out *connect.ServerStream[controlpb.ShowCodeEvent]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.ShowCodeEvent, error) {
		req, err := showCodeFromWire(r)
		if err != nil {
			return nil, err
		}
		paired, err := h.device.ShowCode(ctx, req, func(i Invitation) error { return out.Send(invitationToWire(i)) })
		if err != nil {
			return nil, err
		}
		return nil, out.Send(&controlpb.ShowCodeEvent{Event: &controlpb.ShowCodeEvent_Paired{Paired: pairedToWire(paired)}})
	})
	return err
}

func showCodeFromWire(r *controlpb.ShowCodeRequest) (ShowCodeRequest, error) {
	out := ShowCodeRequest{Anywhere: r.Anywhere}
	if len(r.Shares) > maxShares {
		return out, fmt.Errorf("offer %d folders: %w: at most %d", len(r.Shares), ErrInvalid, maxShares)
	}
	for _, s := range r.Shares {
		role, err := roleFromWire(s.Role)
		if err != nil {
			return out, err
		}
		out.Shares = append(out.Shares, Offering{Folder: s.Folder, Role: role})
	}
	return out, nil
}

func (h pairing) UseCode(ctx context.Context, r *controlpb.UseCodeRequest) (*controlpb.UseCodeResponse, error) {
	return bounded(ctx, pairTime, func(ctx context.Context) (*controlpb.UseCodeResponse, error) {
		if r.Code == "" || len(r.Code) > maxCode {
			return nil, fmt.Errorf("code of %d bytes: %w", len(r.Code), ErrInvalid)
		}
		if len(r.At) > maxAddresses {
			return nil, fmt.Errorf("%d addresses: %w: at most %d", len(r.At), ErrInvalid, maxAddresses)
		}
		p, err := h.device.UseCode(ctx, UseCodeRequest{Code: r.Code, At: r.At})
		return &controlpb.UseCodeResponse{Paired: pairedToWire(p)}, err
	})
}

func (h pairing) Widen(ctx context.Context, r *controlpb.WidenRequest) (*controlpb.WidenResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.WidenResponse, error) {
		d, err := h.device.Widen(ctx, r.On, r.Code)
		return &controlpb.WidenResponse{Mode: text(d.Mode), Changed: d.Changed, LanOnly: d.LANOnly}, err
	})
}

func (h statuses) Status(ctx context.Context, r *controlpb.StatusRequest) (*controlpb.StatusResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.StatusResponse, error) {
		s, err := h.device.Status(ctx, r.Folder)
		return statusToWire(s), err
	})
}

func (h statuses) WatchStatus(ctx context.Context, r *controlpb.StatusRequest, out *connect.ServerStream[controlpb.StatusResponse]) error {
	_, err := bounded(ctx, 0, func(ctx context.Context) (*controlpb.StatusResponse, error) {
		return nil, h.device.WatchStatus(ctx, r.Folder, func(s Status) error { return out.Send(statusToWire(s)) })
	})
	return err
}

func (h statuses) Wait(ctx context.Context, r *controlpb.WaitRequest, out *connect.ServerStream[controlpb.Progress]) error {
	_, err := bounded(ctx, time.Duration(max(r.TimeoutMs, 0))*time.Millisecond, func(ctx context.Context) (*controlpb.Progress, error) {
		goal, err := goalFromWire(r.Goal)
		if err != nil {
			return nil, err
		}
		if len(r.Folders) > maxWaiting || r.TimeoutMs < 0 {
			return nil, fmt.Errorf("wait for %d folders during %d ms: %w", len(r.Folders), r.TimeoutMs, ErrInvalid)
		}
		req := WaitRequest{Folders: r.Folders, For: goal, Timeout: time.Duration(r.TimeoutMs) * time.Millisecond}
		return nil, h.device.Wait(ctx, req, func(p Progress) error { return out.Send(progressToWire(p)) })
	})
	return err
}
