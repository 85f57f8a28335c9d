package node

import (
	"context"
	"fmt"

	"github.com/kithmesh/kith/node/control"
)

func (d *Device) rebuild(_ context.Context, _ *share, r control.RoleRequest) (control.Folder, error) {
	return control.Folder{}, fmt.Errorf("role of %q as %s: %w", r.Folder, r.Role, control.ErrUnsupported)
}
