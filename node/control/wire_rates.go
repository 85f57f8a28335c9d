package control

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/proto/controlpb"
)

type limits struct{ device Limits }

func (h limits) GetLimits(ctx context.Context, r *controlpb.GetLimitsRequest) (*controlpb.LimitsResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.LimitsResponse, error) {
		l, err := h.device.Limits(ctx, r.GetDevice())
		return limitsToWire(l), err
	})
}

func (h limits) SetLimits(ctx context.Context, r *controlpb.SetLimitsRequest) (*controlpb.LimitsResponse, error) {
	return bounded(ctx, answerTime, func(ctx context.Context) (*controlpb.LimitsResponse, error) {
		for _, n := range []int64{r.GetUp(), r.GetDown(), r.GetLan()} {
			if n < NoLimit {
				return nil, fmt.Errorf("limits: %w: %d bytes a second", ErrInvalid, n)
			}
		}
		l, err := h.device.SetLimits(ctx, LimitRequest{
			Device: r.GetDevice(), Between: r.GetBetween(), Up: r.GetUp(), Down: r.GetDown(), LAN: r.GetLan(), Clear: r.GetClear(),
		})
		return limitsToWire(l), err
	})
}

// Limits implements [Limits].
func (c *Client) Limits(ctx context.Context, device string) (LimitList, error) {
	a, err := ask(ctx, answerTime, c.limits.GetLimits, &controlpb.GetLimitsRequest{Device: text(device)})
	if err != nil {
		return LimitList{}, err
	}
	return limitsFromWire(a), nil
}

// SetLimits implements [Limits].
func (c *Client) SetLimits(ctx context.Context, r LimitRequest) (LimitList, error) {
	a, err := ask(ctx, answerTime, c.limits.SetLimits, &controlpb.SetLimitsRequest{
		Device: text(r.Device), Between: text(r.Between), Up: r.Up, Down: r.Down, Lan: r.LAN, Clear: r.Clear,
	})
	if err != nil {
		return LimitList{}, err
	}
	return limitsFromWire(a), nil
}

func limitsToWire(l LimitList) *controlpb.LimitsResponse {
	out := &controlpb.LimitsResponse{
		Lan: l.LAN, Up: l.Up, Down: l.Down, Metered: l.Metered, OnMetered: l.OnMetered, Battery: int32(l.Battery), Saving: l.Saving, //nolint:gosec // percent
	}
	for _, one := range l.Limits {
		m := &controlpb.Limit{Between: one.Between, Up: one.Up, Down: one.Down, Now: one.Now}
		if one.Device != (Identity{}) {
			m.Device = identityToWire(one.Device)
		}
		out.Limits = append(out.Limits, m)
	}
	return out
}

func limitsFromWire(m *controlpb.LimitsResponse) LimitList {
	out := LimitList{
		LAN: m.GetLan(), Up: m.GetUp(), Down: m.GetDown(), Metered: m.GetMetered(), OnMetered: m.GetOnMetered(), Battery: int(m.GetBattery()), Saving: m.GetSaving(),
	}
	for _, one := range m.GetLimits() {
		l := Limit{Between: one.GetBetween(), Up: one.GetUp(), Down: one.GetDown(), Now: one.GetNow()}
		if one.GetDevice() != nil {
			l.Device = identityFromWire(one.GetDevice())
		}
		out.Limits = append(out.Limits, l)
	}
	return out
}
