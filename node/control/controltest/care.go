package controltest

import (
	"context"

	"github.com/kithmesh/kith/node/control"
)

// Care are the answers of a device about what needs a person's decision, and
// about roles.
type Care struct {
	Conflicts []control.Conflict
	Resolved  []control.Resolved
	Held      []control.HeldBatch
	Batch     control.HeldBatch // the answer of Approve and Reject
	Revoked   control.Revoked
	Findings  []control.Finding
	Reached   []control.Reached
}

// care answers the questions of [control.Care] and [control.Roles]; the
// folder of an answer is the device's.
type care struct{ d *Device }

func (c care) Conflicts(ctx context.Context, folder string) ([]control.Conflict, error) {
	return c.d.Care.Conflicts, c.d.answer(ctx, "Conflicts", folder)
}

func (c care) Resolve(ctx context.Context, r control.ResolveRequest) ([]control.Resolved, error) {
	return c.d.Care.Resolved, c.d.answer(ctx, "Resolve", r)
}

func (c care) Held(ctx context.Context, folder string) ([]control.HeldBatch, error) {
	return c.d.Care.Held, c.d.answer(ctx, "Held", folder)
}

func (c care) Approve(ctx context.Context, batch string) (control.HeldBatch, error) {
	return c.d.Care.Batch, c.d.answer(ctx, "Approve", batch)
}

func (c care) Reject(ctx context.Context, batch string) (control.HeldBatch, error) {
	return c.d.Care.Batch, c.d.answer(ctx, "Reject", batch)
}

func (c care) SetRole(ctx context.Context, r control.RoleRequest) (control.Folder, error) {
	f := c.d.Folder
	f.Role = r.Role
	return f, c.d.answer(ctx, "SetRole", r)
}

func (c care) Revoke(ctx context.Context, device string) (control.Revoked, error) {
	return c.d.Care.Revoked, c.d.answer(ctx, "Revoke", device)
}

func (c care) Examine(ctx context.Context) ([]control.Finding, error) {
	return c.d.Care.Findings, c.d.answer(ctx, "Examine", "")
}

func (c care) GoOn(ctx context.Context, folder string) (control.Folder, error) {
	return c.d.Folder, c.d.answer(ctx, "GoOn", folder)
}

func (c care) ExamineReach(ctx context.Context, device string, told func(control.Reached) error) error {
	for _, r := range c.d.Care.Reached {
		if err := told(r); err != nil {
			return err
		}
	}
	return c.d.answer(ctx, "ExamineReach", device)
}
