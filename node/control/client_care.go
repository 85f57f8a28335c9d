package control

import (
	"context"

	"github.com/kithmesh/kith/proto/controlpb"
)

// Conflicts implements [Care].
func (c *Client) Conflicts(ctx context.Context, folder string) ([]Conflict, error) {
	a, err := ask(ctx, answerTime, c.care.Conflicts, &controlpb.ConflictsRequest{Folder: text(folder)})
	if err != nil {
		return nil, err
	}
	return convert(a.GetConflicts(), conflictFromWire), nil
}

// Resolve implements [Care].
func (c *Client) Resolve(ctx context.Context, r ResolveRequest) ([]Resolved, error) {
	req := &controlpb.ResolveRequest{Places: convert(r.Places, placeToWire), Keep: keepToWire(r.Keep)}
	for _, p := range r.Copies {
		req.Copies = append(req.Copies, []byte(p))
	}
	a, err := ask(ctx, 0, c.care.Resolve, req)
	if err != nil {
		return nil, err
	}
	return convert(a.GetResolved(), resolvedFromWire), nil
}

// Held implements [Care].
func (c *Client) Held(ctx context.Context, folder string) ([]HeldBatch, error) {
	a, err := ask(ctx, answerTime, c.care.Held, &controlpb.HeldRequest{Folder: text(folder)})
	if err != nil {
		return nil, err
	}
	return convert(a.GetHeld(), batchFromWire), nil
}

// Approve implements [Care].
func (c *Client) Approve(ctx context.Context, batch string) (HeldBatch, error) {
	a, err := ask(ctx, 0, c.care.Approve, &controlpb.ApproveRequest{Batch: text(batch)})
	if err != nil {
		return HeldBatch{}, err
	}
	return batchFromWire(a.GetBatch()), nil
}

// Reject implements [Care].
func (c *Client) Reject(ctx context.Context, batch string) (HeldBatch, error) {
	a, err := ask(ctx, 0, c.care.Reject, &controlpb.RejectRequest{Batch: text(batch)})
	if err != nil {
		return HeldBatch{}, err
	}
	return batchFromWire(a.GetBatch()), nil
}

// SetRole implements [Roles].
func (c *Client) SetRole(ctx context.Context, r RoleRequest) (Folder, error) {
	req := &controlpb.SetRoleRequest{Folder: text(r.Folder), Role: roleToWire(r.Role), Path: []byte(r.Path)}
	a, err := ask(ctx, 0, c.roles.SetRole, req)
	if err != nil {
		return Folder{}, err
	}
	return folderFromWire(a.GetFolder()), nil
}

// Revoke implements [Roles].
func (c *Client) Revoke(ctx context.Context, device string) (Revoked, error) {
	a, err := ask(ctx, 0, c.roles.Revoke, &controlpb.RevokeRequest{Device: text(device)})
	if err != nil {
		return Revoked{}, err
	}
	return Revoked{
		Identity: identityFromWire(a.GetDevice()),
		Folders:  convert(a.GetFolders(), folderFromWire), Kept: convert(a.GetKept(), folderFromWire),
	}, nil
}

// Examine implements [Roles].
func (c *Client) Examine(ctx context.Context) ([]Finding, error) {
	a, err := ask(ctx, answerTime, c.roles.Examine, &controlpb.ExamineRequest{})
	if err != nil {
		return nil, err
	}
	return convert(a.GetFindings(), findingFromWire), nil
}

// GoOn implements [Roles].
func (c *Client) GoOn(ctx context.Context, folder string) (Folder, error) {
	a, err := ask(ctx, 0, c.roles.GoOn, &controlpb.GoOnRequest{Folder: text(folder)})
	if err != nil {
		return Folder{}, err
	}
	return folderFromWire(a.GetFolder()), nil
}
