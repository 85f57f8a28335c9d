package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kithmesh/kith/discovery"
	"github.com/kithmesh/kith/node/config"
	"github.com/kithmesh/kith/node/doctor"
)

// lookUp asks the rendezvous where a device is, if there is one.
func (x *examination) lookUp(ctx context.Context, subject string, id peer.ID) doctor.Lookup {
	if x.device.discovery() == config.DiscoveryOff {
		return doctor.Lookup{}
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpFor)
	defer cancel()
	out := doctor.Lookup{Done: true}
	var err error
	out.Found, err = x.device.net.LookUp(ctx, id)
	out.Error = lookUpTrouble(err)
	switch {
	case out.Error != "":
		x.tried(subject, "the rendezvous", out.Error, false)
	case out.Found == 0:
		x.tried(subject, "the rendezvous", "it has nothing of it", false)
	default:
		x.tried(subject, "the rendezvous", fmt.Sprintf("it knows %d addresses of it", out.Found), true)
	}
	return out
}

// lookUpTrouble says in words why the rendezvous could not be asked.
func lookUpTrouble(err error) string {
	switch {
	case err == nil, errors.Is(err, discovery.ErrNothing) && !errors.Is(err, discovery.ErrAlone):
		return ""
	case errors.Is(err, discovery.ErrAlone):
		return "no node of it answers"
	case errors.Is(err, discovery.ErrNoBoard):
		return "this device could not join it"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("it does not answer within %.0f s", lookUpFor.Seconds())
	}
	return "asking it went wrong; the log has the details"
}

// addBoard adds how the rendezvous does.
func (d *Device) addBoard(n *doctor.Network) {
	if n.Discovery == string(config.DiscoveryOff) {
		return
	}
	h, ok := d.net.Board()
	n.Board = doctor.Board{Nodes: h.Nodes, Published: h.Published}
	if h.PublishError != "" {
		n.Board.Refused = "too few of its nodes answered"
	}
	switch {
	case h.Nodes > 0:
	case isDNS(h.Bootstrap):
		n.Board.DNS, n.Board.Failed = true, "names are not found"
	case !ok:
		n.Board.Failed = "this device could not join it: its port may be taken"
	case h.Bootstrap != "":
		n.Board.Failed = "none of its first nodes answers"
	}
}

// isDNS tells whether names could not be looked up. The error has come as text.
func isDNS(text string) bool {
	for _, s := range []string{"lookup ", "no such host", "server misbehaving", "dnsaddr"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}
