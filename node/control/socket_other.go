//go:build !linux

package control

import (
	"fmt"
	"net"
)

// maxSocketPath is what the systems other than Linux take, in bytes.
const maxSocketPath = 103

func withShortPath(path string, use func(short string) error) error {
	if len(path) > maxSocketPath {
		return WithHint(fmt.Errorf("path %q: %w: too long for a socket", path, ErrInvalid), "choose a shorter --home")
	}
	return use(path)
}

// mayUse relies on the socket's mode and its directory's.
func mayUse(net.Conn) bool { return true }
