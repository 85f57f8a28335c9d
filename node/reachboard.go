package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

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

// atHome tells whether an address is of a local network, where others beyond it
// cannot go.
func atHome(text string) bool {
	a, err := ma.NewMultiaddr(text)
	return err != nil || local(a)
}

// addBoard adds how the rendezvous does.
func (d *Device) addBoard(n *doctor.Network) {
	if n.Discovery == string(config.DiscoveryOff) {
		return
	}
	h, ok := d.net.Board()
	n.Board = doctor.Board{Nodes: h.Nodes, Published: h.Published, Entries: slices.DeleteFunc(slices.Clone(h.Addrs), atHome)}
	if h.PublishError != "" {
		n.Board.Refused = "too few of its nodes answered"
	}
	switch {
	case h.Nodes > 0:
	case !ok:
		n.Board.Failed = "this device could not join it; the log says why"
	case h.Known == 0:
		n.Board.Failed = "" // it is empty
	case strings.Contains(h.Bootstrap, "no nodes of this DHT"):
		n.Board.Failed = "those that answer belong to another one (is discovery private on one device, and public on the other?)"
	case h.Bootstrap != "":
		n.Board.Failed = "none of its first nodes answers"
	}
}

// publicEntry is the name under which the nodes are listed where the public
// rendezvous is entered.
const publicEntry = "_dnsaddr.bootstrap.libp2p.io"

// names looks whether the names can be looked up of the nodes where a rendezvous
// is entered that cannot be reached.
func (x *examination) names(ctx context.Context, n *doctor.Network) {
	if n.Discovery == string(config.DiscoveryOff) || n.Board.Nodes > 0 {
		return
	}
	names := namesIn(x.device.setting().Bootstrap)
	if len(x.device.setting().Bootstrap) == 0 && n.Discovery == string(config.DiscoveryPublic) {
		names = []string{publicEntry}
	}
	if len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, namesFor)
	defer cancel()
	look := net.DefaultResolver.LookupHost
	if strings.HasPrefix(names[0], "_dnsaddr.") {
		look = net.DefaultResolver.LookupTXT
	}
	_, err := look(ctx, names[0])
	n.Board.DNS = err != nil
	result := "they are found"
	if err != nil {
		result = "they are not found"
	}
	x.tried(networkSubject, "the names of the first nodes", result, err == nil)
}

// namesIn are the names to look up for multiaddrs.
func namesIn(addrs []string) (out []string) {
	for _, s := range addrs {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			continue
		}
		for _, code := range []int{ma.P_DNSADDR, ma.P_DNS, ma.P_DNS4, ma.P_DNS6} {
			if name, err := a.ValueForProtocol(code); err == nil {
				if code == ma.P_DNSADDR {
					name = "_dnsaddr." + name
				}
				out = append(out, name)
			}
		}
	}
	return out
}
