package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Stop implements [Lifecycle], and waits for the end of the device.
func (c *Client) Stop(ctx context.Context) error {
	if _, err := ask(ctx, answerTime, c.lifecycle.Stop, &controlpb.StopRequest{}); err != nil {
		return err
	}
	c.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, stopTime, fmt.Errorf("stop the device: %w", ErrTimeout))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := dial(ctx, c.path)
		switch {
		case errors.Is(err, ErrNotRunning):
			return nil
		case err == nil:
			_ = conn.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Pause implements [Lifecycle].
func (c *Client) Pause(ctx context.Context, r PauseRequest) error {
	_, err := ask(ctx, answerTime, c.lifecycle.Pause, &controlpb.PauseRequest{Target: text(r.Target), ForMs: r.For.Milliseconds()})
	return err
}

// Resume implements [Lifecycle].
func (c *Client) Resume(ctx context.Context, target string) error {
	_, err := ask(ctx, answerTime, c.lifecycle.Resume, &controlpb.ResumeRequest{Target: text(target)})
	return err
}

// ShowCode implements [Pairing].
func (c *Client) ShowCode(ctx context.Context, r ShowCodeRequest, shown func(Invitation) error) (Paired, error) {
	req := &controlpb.ShowCodeRequest{Anywhere: r.Anywhere, Shares: convert(r.Shares, func(o Offering) *controlpb.Offering {
		return &controlpb.Offering{Folder: text(o.Folder), Role: roleToWire(o.Role)}
	})}
	var paired *controlpb.Paired
	err := follow(ctx, c.pairing.ShowCode, req, func(e *controlpb.ShowCodeEvent) error {
		if p := e.GetPaired(); p != nil {
			paired = p
		}
		if i := e.GetShown(); i != nil {
			return shown(invitationFromWire(i))
		}
		return nil
	})
	if err == nil && paired == nil {
		err = fmt.Errorf("show a code: %w", ErrStopping)
	}
	if err != nil {
		return Paired{}, err
	}
	return pairedFromWire(paired), nil
}

// UseCode implements [Pairing].
func (c *Client) UseCode(ctx context.Context, r UseCodeRequest) (Paired, error) {
	a, err := ask(ctx, pairTime, c.pairing.UseCode, &controlpb.UseCodeRequest{Code: text(r.Code), At: convert(r.At, text)})
	if err != nil {
		return Paired{}, err
	}
	return pairedFromWire(a.GetPaired()), nil
}

// Widen implements [Pairing].
func (c *Client) Widen(ctx context.Context, on bool, code string) (Discovery, error) {
	a, err := ask(ctx, answerTime, c.pairing.Widen, &controlpb.WidenRequest{On: on, Code: text(code)})
	if err != nil {
		return Discovery{}, err
	}
	return Discovery{Mode: a.GetMode(), Changed: a.GetChanged(), LANOnly: a.GetLanOnly()}, nil
}

// Rename implements [Peers].
func (c *Client) Rename(ctx context.Context, r RenameRequest) (Identity, error) {
	a, err := ask(ctx, answerTime, c.peers.Rename, &controlpb.RenameRequest{Device: text(r.Device), Name: text(r.Name)})
	if err != nil {
		return Identity{}, err
	}
	return identityFromWire(a.GetDevice()), nil
}

// Status implements [States].
func (c *Client) Status(ctx context.Context, folder string) (Status, error) {
	a, err := ask(ctx, answerTime, c.states.Status, &controlpb.StatusRequest{Folder: text(folder)})
	if err != nil {
		return Status{}, err
	}
	return statusFromWire(a), nil
}

// WatchStatus implements [States].
func (c *Client) WatchStatus(ctx context.Context, folder string, changed func(Status) error) error {
	return follow(ctx, c.states.WatchStatus, &controlpb.StatusRequest{Folder: text(folder)},
		func(s *controlpb.StatusResponse) error { return changed(statusFromWire(s)) })
}

// Wait implements [States].
func (c *Client) Wait(ctx context.Context, r WaitRequest, progress func(Progress) error) error {
	req := &controlpb.WaitRequest{Folders: convert(r.Folders, text), Goal: goalToWire(r.For), TimeoutMs: r.Timeout.Milliseconds()}
	return follow(ctx, c.states.Wait, req, func(p *controlpb.Progress) error { return progress(progressFromWire(p)) })
}
