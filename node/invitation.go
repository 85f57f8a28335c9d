package node

import (
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/kithmesh/kith/protocol/pair"
)

// maxRelays is how many of the addresses in a ticket may lead through a relay.
const maxRelays = 2

// invited picks the addresses for a ticket from all that a device has, best
// first: few enough for a QR code, and some of every kind, since nobody knows
// where the other device is. The ID of this device is not repeated in each.
func invited(all []string) []string {
	var kinds [kindsOfPlace][]string
	for _, text := range all {
		a, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			continue
		}
		bare := placeOf(a)
		if bare == nil || len(bare.String()) > pair.MaxAddress {
			continue
		}
		k := kindOf(bare)
		if s := bare.String(); !slices.Contains(kinds[k], s) && (k != relayed || len(kinds[k]) < maxRelays) {
			kinds[k] = append(kinds[k], s)
		}
	}
	if slices.ContainsFunc(kinds[:ownMachine], func(k []string) bool { return len(k) > 0 }) {
		kinds[ownMachine] = nil
	}
	var out []string
	for i := 0; len(out) < pair.MaxAddresses; i++ {
		more := false
		for _, k := range kinds {
			if i < len(k) && len(out) < pair.MaxAddresses {
				out, more = append(out, k[i]), true
			}
		}
		if !more {
			break
		}
	}
	return out
}

// kindOfPlace is from where a device may be reached at an address.
type kindOfPlace int

const (
	localIP4 kindOfPlace = iota
	outsideIP4
	outsideIP6
	relayed
	localIP6
	ownMachine // for devices on the same machine alone
	kindsOfPlace
)

func kindOf(a multiaddr.Multiaddr) kindOfPlace {
	_, err := a.ValueForProtocol(multiaddr.P_IP6)
	six := err == nil
	switch {
	case isRelayed(a):
		return relayed
	case manet.IsIPLoopback(a):
		return ownMachine
	case local(a) && six:
		return localIP6
	case local(a):
		return localIP4
	case six:
		return outsideIP6
	}
	return outsideIP4
}

// outside tells whether any of these may be reached from beyond the local
// network.
func outside(addrs []string) bool {
	return slices.ContainsFunc(addrs, func(text string) bool {
		a, err := multiaddr.NewMultiaddr(text)
		return err == nil && (isRelayed(a) || !local(a))
	})
}

func local(a multiaddr.Multiaddr) bool { return manet.IsPrivateAddr(a) || manet.IsIPLoopback(a) }

func isRelayed(a multiaddr.Multiaddr) bool {
	_, err := a.ValueForProtocol(multiaddr.P_CIRCUIT)
	return err == nil
}

// placeOf is an address as one to dial, without the device's ID at its end; nil
// if it is none that kith would ever dial: no IP address with TCP or QUIC, nor a
// relay's. Names are not looked up: whoever makes a ticket would learn of it.
func placeOf(a multiaddr.Multiaddr) multiaddr.Multiaddr {
	if before, after := multiaddr.SplitFunc(a, func(c multiaddr.Component) bool { return c.Protocol().Code == multiaddr.P_CIRCUIT }); len(after) > 0 {
		_, relay := peer.SplitAddr(before)
		if relay == "" {
			return nil
		}
		return multiaddr.StringCast("/p2p/" + relay.String() + "/p2p-circuit")
	}
	bare, _ := peer.SplitAddr(a)
	p := bare.Protocols()
	if len(p) < 2 || p[0].Code != multiaddr.P_IP4 && p[0].Code != multiaddr.P_IP6 || manet.IsIPUnspecified(bare) || manet.IsIP6LinkLocal(bare) {
		return nil
	}
	if len(p) == 2 && p[1].Code == multiaddr.P_TCP || len(p) == 3 && p[1].Code == multiaddr.P_UDP && p[2].Code == multiaddr.P_QUIC_V1 {
		return bare
	}
	return nil
}
