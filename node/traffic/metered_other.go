//go:build !linux

package traffic

import "context"

func watchMetered(ctx context.Context, _ func(bool)) error {
	<-ctx.Done()
	return ctx.Err()
}
