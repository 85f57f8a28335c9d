package discovery

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	linksSettle = 200 * time.Millisecond // changes come in bursts
	linksPoll   = 5 * time.Second        // where the system does not tell
)

// watchLinks calls changed after the interfaces of this machine or their
// addresses have changed, until ctx ends. On Linux the kernel tells, and nothing
// wakes up in between; elsewhere they are looked at every 5 seconds.
func watchLinks(ctx context.Context, changed func()) error {
	news, stop := linkNews()
	defer stop()
	before := linkState()
	for {
		var poll <-chan time.Time
		if news == nil {
			poll = time.After(linksPoll)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-poll:
		case _, ok := <-news:
			if !ok {
				news = nil // the kernel's socket is gone: poll from now on
				continue
			}
			settle := time.NewTimer(linksSettle)
			select {
			case <-ctx.Done():
				settle.Stop()
				return nil
			case <-settle.C:
			}
		}
		if now := linkState(); now != before {
			before = now
			changed()
		}
	}
}

// linkState is a text that differs whenever a connection might fare differently.
func linkState() string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	var b strings.Builder
	for _, i := range all {
		addrs, _ := i.Addrs()
		fmt.Fprintf(&b, "%d %s %t %t %v\n", i.Index, i.Name, i.Flags&net.FlagUp != 0, i.Flags&net.FlagRunning != 0, addrs)
	}
	return b.String()
}
