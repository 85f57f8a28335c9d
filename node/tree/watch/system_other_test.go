//go:build !linux

package watch

import (
	"errors"
	"testing"
)

func exchange(string, string) error { return errors.ErrUnsupported }

func queueLimit(t *testing.T) int {
	t.Skip("no limit that is known")
	return 0
}
