package discovery

import (
	"context"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// nameless looks no names up. Others may tell by identify that they are at some
// name, and libp2p would ask for its address before it asks the gate: that
// leaves the local network, and whoever serves the name learns who asks. Kith
// dials addresses alone. It is a network.MultiaddrDNSResolver.
type nameless struct{}

func (nameless) ResolveDNSAddr(context.Context, peer.ID, ma.Multiaddr, int, int) ([]ma.Multiaddr, error) {
	return nil, nil
}

func (nameless) ResolveDNSComponent(context.Context, ma.Multiaddr, int) ([]ma.Multiaddr, error) {
	return nil, nil
}
