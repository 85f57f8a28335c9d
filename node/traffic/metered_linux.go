package traffic

import (
	"context"
	"net"
	"os"
	"strings"
)

// systemBus is where the bus of the system is, unless the environment says.
const systemBus = "/run/dbus/system_bus_socket"

func watchMetered(ctx context.Context, say func(bool)) error {
	path := systemBus
	if at, ok := strings.CutPrefix(os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"), "unix:path="); ok {
		path, _, _ = strings.Cut(at, ",")
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	b := newBus(conn)
	if err := b.begin(os.Getuid()); err != nil {
		return err
	}
	return b.follow(say)
}
