package control

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Retention implements [Vaults].
func (c *Client) Retention(ctx context.Context, folder string) (Retention, error) {
	a, err := ask(ctx, answerTime, c.vaults.Retention, &controlpb.RetentionRequest{Folder: text(folder)})
	if err != nil {
		return Retention{}, err
	}
	return retentionFromWire(a.GetRetention())
}

// SetRetention implements [Vaults].
func (c *Client) SetRetention(ctx context.Context, r RetentionRequest) (Retention, error) {
	a, err := ask(ctx, answerTime, c.vaults.SetRetention, &controlpb.SetRetentionRequest{
		Folder: text(r.Folder), Keep: keepingToWire(r.Keep), Default: r.Default, History: r.History,
	})
	if err != nil {
		return Retention{}, err
	}
	return retentionFromWire(a.GetRetention())
}

// SetSchedule implements [Vaults].
func (c *Client) SetSchedule(ctx context.Context, r ScheduleRequest) (Schedule, error) {
	req := &controlpb.SetScheduleRequest{Folder: text(r.Folder), When: text(r.When)}
	if r.Hook != nil {
		req.Hook = new(text(*r.Hook))
	}
	a, err := ask(ctx, answerTime, c.vaults.SetSchedule, req)
	if err != nil {
		return Schedule{}, err
	}
	return scheduleOf(a.GetSchedule()), nil
}

// SetStore implements [Vaults].
func (c *Client) SetStore(ctx context.Context, r StoreRequest) (Stored, error) {
	req := &controlpb.SetStoreRequest{Folder: text(r.Folder), AccessKey: text(r.AccessKey), SecretKey: text(r.SecretKey), Region: text(r.Region)}
	if r.URL != nil {
		req.Url = new(text(*r.URL))
	}
	a, err := ask(ctx, storeTime, c.vaults.SetStore, req)
	if err != nil {
		return Stored{}, err
	}
	return Stored{folderFromWire(a.GetFolder()), storeFromWire(a.GetStore())}, nil
}

// Prune implements [Vaults].
func (c *Client) Prune(ctx context.Context, r PruneRequest) (Pruned, error) {
	var done *controlpb.Pruned
	var moments []KeptMoment
	err := follow(ctx, c.vaults.Prune, &controlpb.PruneRequest{Folder: text(r.Folder), DryRun: r.DryRun}, func(e *controlpb.PruneEvent) error {
		for _, m := range e.GetMoments() {
			moments = append(moments, KeptMoment{At: instant(m.GetAtUs()), Reasons: append([]string{}, m.GetReasons()...)})
		}
		if d := e.GetDone(); d != nil {
			done = d
		}
		return nil
	})
	if err == nil && done == nil {
		err = fmt.Errorf("prune: %w", ErrStopping)
	}
	if err != nil {
		return Pruned{}, err
	}
	return prunedFromWire(done, moments), nil
}

// Verify implements [Proofs].
func (c *Client) Verify(ctx context.Context, r VerifyRequest, progress func(VerifyProgress) error) ([]Verified, error) {
	return verifying(ctx, c.proofs.Verify, r, progress)
}

// Drill implements [Proofs].
func (c *Client) Drill(ctx context.Context, r VerifyRequest, progress func(VerifyProgress) error) ([]Verified, error) {
	return verifying(ctx, c.proofs.Drill, r, progress)
}

func verifying(ctx context.Context, call func(context.Context, *controlpb.VerifyRequest) (*connect.ServerStreamForClient[controlpb.VerifyEvent], error),
	r VerifyRequest, progress func(VerifyProgress) error,
) ([]Verified, error) {
	var done *controlpb.VerifyResult
	req := &controlpb.VerifyRequest{Folder: text(r.Folder), Percent: r.Percent, Accept: r.Accept}
	err := follow(ctx, call, req, func(e *controlpb.VerifyEvent) error {
		if d := e.GetDone(); d != nil {
			done = d
		}
		if p := e.GetProgress(); p != nil {
			return progress(VerifyProgress{Device: identityFromWire(p.GetDevice()), Blocks: p.GetBlocks(), TotalBlock: p.GetTotalBlocks()})
		}
		return nil
	})
	if err == nil && done == nil {
		err = fmt.Errorf("prove: %w", ErrStopping)
	}
	if err != nil {
		return nil, err
	}
	return convert(done.GetVaults(), verifiedFromWire), nil
}
